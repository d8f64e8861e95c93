-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A new token, by the worker that leads and only on top of the generation it saw.
-- KEYS: token, lock
-- ARGV: worker, generation, access, life_ms
-- generation: the one that was seen.
-- Reply: {generation, life ms}; empty when the lead was lost meanwhile.
local wrong = misfit(KEYS.token, 'hash', KEYS.lock, 'string')
if wrong then return wrong end
if not holds_lease(KEYS.lock, ARGV.worker) then return {} end
local seen = number(redis.call('HGET', KEYS.token, 'generation'))
if text(seen) ~= ARGV.generation then return {} end
local generation, life_ms = text(seen + 1), text(math.max(number(ARGV.life_ms), 1))
local expires_at = text(now_ms() + number(life_ms))
redis.call('HSET', KEYS.token, 'access', ARGV.access, 'generation', generation, 'expires_at', expires_at, 'life_ms', life_ms)
redis.call('PEXPIRE', KEYS.token, life_ms)
redis.call('DEL', KEYS.lock)
return {generation, life_ms}
