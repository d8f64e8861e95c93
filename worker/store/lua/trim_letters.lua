-- include: lib/types
-- include: lib/time
-- The dead letters, kept to their bounds: the oldest go first, and it is told how many went. Denied pushes go before all
-- others, and fewer of them are kept: anybody can make them, and nobody's work goes with them.
-- KEYS: dead, denied, facts
-- ARGV: most, most_bytes, most_denied
-- Reply: {letters that went, denied ones that went}
local bad = misfit(KEYS.dead, 'stream', KEYS.denied, 'list', KEYS.facts, 'hash')
if bad then return bad end
local MOST_A_LOOK = 5000 -- ids that are looked at: some 10 ms

-- Take ids from the list until so many letters have gone, and so many ids. Of what a person has dropped the id is in the
-- list still: it goes with the others, and no letter with it.
local function drop_denied(n_letters, n_ids)
  local gone = 0
  for _ = 1, math.min(n_ids, MOST_A_LOOK) do
    local id = gone < n_letters and redis.call('LPOP', KEYS.denied)
    if not id then break end
    local n = redis.pcall('XDEL', KEYS.dead, id) -- a hand may have written there what is no id
    gone = gone + (type(n) == 'number' and n or 0)
  end
  return gone
end

local n_beyond = redis.call('LLEN', KEYS.denied) - tonumber(ARGV.most_denied)
local gone_denied = drop_denied(n_beyond, n_beyond)
local length = redis.call('XLEN', KEYS.dead)
local most = tonumber(ARGV.most)
-- A user without the right to ask, or an imitation that does not know it: their number bounds them still.
local bytes = redis.pcall('MEMORY', 'USAGE', KEYS.dead)
if type(bytes) == 'number' and bytes > tonumber(ARGV.most_bytes) then
  -- The estimate comes from a few letters: a little more goes, and the next look takes the rest.
  most = math.min(most, math.floor(length * tonumber(ARGV.most_bytes) / bytes * 0.9))
end
local gone = drop_denied(length - most, MOST_A_LOOK)
gone_denied, length = gone_denied + gone, length - gone
-- While denied ones are left no other goes: the next look takes the rest of them.
if length <= most or redis.call('LLEN', KEYS.denied) > 0 then return {0, gone_denied} end
gone = redis.call('XTRIM', KEYS.dead, 'MAXLEN', text(most))
local before = number(redis.call('HGET', KEYS.facts, 'letters_gone'))
redis.call('HSET', KEYS.facts, 'letters_gone', text(before + gone), 'letters_gone_at', text(now_ms()))
return {gone, gone_denied}
