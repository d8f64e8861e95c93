-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- The shared access token, or the right to fetch a new one.
-- KEYS: token, lock, seen
-- ARGV: worker, lock_ms, refused, least_ms, early_ms, has_waited
-- seen: what a leader has seen instead of a token. refused: a generation, 0 for none. least_ms, early_ms: the least life,
--   and the life below which it is renewed early; of a token that lives shortly, a tenth and a fifth of its whole life.
-- has_waited: 1 for one who has waited for a leader, or led: it takes what was seen; who comes later asks anew.
-- Reply: {'token', access, generation, life ms, whole life ms} | {'lead', generation} | {'wait', ms}
--   | {'refused', what was seen}
local wrong = misfit(KEYS.token, 'hash', KEYS.lock, 'string', KEYS.seen, 'string')
if wrong then return wrong end
local now = now_ms()
local held = redis.call('HMGET', KEYS.token, 'access', 'generation', 'expires_at', 'life_ms')
local generation = text(number(held[2]))
local life_ms = number(held[3]) - now
local whole_ms = number(held[4])
local least_ms = math.min(tonumber(ARGV.least_ms), whole_ms / 10)
local early_ms = math.min(tonumber(ARGV.early_ms), whole_ms / 5)
local is_good = held[1] and generation ~= ARGV.refused and life_ms > least_ms
local token = is_good and {'token', held[1], generation, text(life_ms), text(whole_ms)}
if is_good and life_ms > early_ms then return token end
local refused = ARGV.has_waited == '1' and redis.call('GET', KEYS.seen)
if refused then return token or {'refused', refused} end
if holds_lease(KEYS.lock, ARGV.worker) then
  -- Our own lead, whose answer was lost: no reason to wait for it to run out.
  redis.call('PEXPIRE', KEYS.lock, ARGV.lock_ms)
  return {'lead', generation}
end
if redis.call('SET', KEYS.lock, ARGV.worker, 'NX', 'PX', ARGV.lock_ms) then return {'lead', generation} end
if is_good then return token end
return {'wait', text(math.max(redis.call('PTTL', KEYS.lock), 1))}
