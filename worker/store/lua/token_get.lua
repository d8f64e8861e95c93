-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- The shared access token, or the right to fetch a new one.
-- KEYS: 1 token, 2 lock, 3 what a leader has seen instead of a token. ARGV: 1 worker id, 2 lock ms, 3 generation known
--   to be refused (0: none), 4 least life ms, 5 life ms below which it is renewed early; of a token that lives shortly, a tenth and a fifth of its whole life,
--   6 1 for one who has waited for a leader, or led: it takes what was seen; who comes later asks anew.
-- Reply: {'token', access, generation, life ms, whole life ms} | {'lead', generation} | {'wait', ms}
--   | {'refused', what was seen}
local wrong = misfit(KEYS[1], 'hash', KEYS[2], 'string', KEYS[3], 'string')
if wrong then return wrong end
local now = now_ms()
local held = redis.call('HMGET', KEYS[1], 'access', 'generation', 'expires_at', 'life_ms')
local generation = text(number(held[2]))
local life_ms = number(held[3]) - now
local whole_ms = number(held[4])
local least_ms, early_ms = math.min(tonumber(ARGV[4]), whole_ms / 10), math.min(tonumber(ARGV[5]), whole_ms / 5)
local is_good = held[1] and generation ~= ARGV[3] and life_ms > least_ms
local token = is_good and {'token', held[1], generation, text(life_ms), text(whole_ms)}
if is_good and life_ms > early_ms then return token end
local refused = ARGV[6] == '1' and redis.call('GET', KEYS[3])
if refused then return token or {'refused', refused} end
if holds_lease(KEYS[2], ARGV[1]) then
  -- Our own lead, whose answer was lost: no reason to wait for it to run out.
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return {'lead', generation}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'lead', generation} end
if is_good then return token end
return {'wait', text(math.max(redis.call('PTTL', KEYS[2]), 1))}
