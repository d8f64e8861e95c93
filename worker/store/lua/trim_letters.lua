-- include: lib/types
-- include: lib/time
-- The dead letters, kept to their bounds: the oldest go first, and it is told how many went.
-- KEYS: 1 dead letters, 2 facts of the intake. ARGV: 1 most letters, 2 most bytes. Reply: letters that went.
local bad = misfit(KEYS[1], 'stream', KEYS[2], 'hash')
if bad then return bad end
local length = redis.call('XLEN', KEYS[1])
local most = tonumber(ARGV[1])
-- A user without the right to ask, or an imitation that does not know it: their number bounds them still.
local bytes = redis.pcall('MEMORY', 'USAGE', KEYS[1])
if type(bytes) == 'number' and bytes > tonumber(ARGV[2]) then
  -- The estimate comes from a few letters: a little more goes, and the next look takes the rest.
  most = math.min(most, math.floor(length * tonumber(ARGV[2]) / bytes * 0.9))
end
if length <= most then return 0 end
local gone = redis.call('XTRIM', KEYS[1], 'MAXLEN', text(most))
local before = number(redis.call('HGET', KEYS[2], 'letters_gone'))
redis.call('HSET', KEYS[2], 'letters_gone', text(before + gone), 'letters_gone_at', text(now_ms()))
return gone
