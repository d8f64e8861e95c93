-- include: lib/types
-- include: lib/time
-- The dead letters, kept to their bounds: the oldest go first, and it is told how many went.
-- KEYS: dead, facts
-- ARGV: most, most_bytes
-- Reply: letters that went.
local bad = misfit(KEYS.dead, 'stream', KEYS.facts, 'hash')
if bad then return bad end
local length = redis.call('XLEN', KEYS.dead)
local most = tonumber(ARGV.most)
-- A user without the right to ask, or an imitation that does not know it: their number bounds them still.
local bytes = redis.pcall('MEMORY', 'USAGE', KEYS.dead)
if type(bytes) == 'number' and bytes > tonumber(ARGV.most_bytes) then
  -- The estimate comes from a few letters: a little more goes, and the next look takes the rest.
  most = math.min(most, math.floor(length * tonumber(ARGV.most_bytes) / bytes * 0.9))
end
if length <= most then return 0 end
local gone = redis.call('XTRIM', KEYS.dead, 'MAXLEN', text(most))
local before = number(redis.call('HGET', KEYS.facts, 'letters_gone'))
redis.call('HSET', KEYS.facts, 'letters_gone', text(before + gone), 'letters_gone_at', text(now_ms()))
return gone
