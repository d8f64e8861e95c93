-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A new token, by the worker that leads and only on top of the generation it saw.
-- KEYS: 1 token, 2 lock. ARGV: 1 worker id, 2 generation seen, 3 access token, 4 life ms.
-- Reply: {generation, life ms}; empty when the lead was lost meanwhile.
local wrong = misfit(KEYS[1], 'hash', KEYS[2], 'string')
if wrong then return wrong end
if not holds_lease(KEYS[2], ARGV[1]) then return {} end
local seen = number(redis.call('HGET', KEYS[1], 'generation'))
if text(seen) ~= ARGV[2] then return {} end
local generation, life_ms = text(seen + 1), text(math.max(number(ARGV[4]), 1))
local expires_at = text(now_ms() + number(life_ms))
redis.call('HSET', KEYS[1], 'access', ARGV[3], 'generation', generation, 'expires_at', expires_at, 'life_ms', life_ms)
redis.call('PEXPIRE', KEYS[1], life_ms)
redis.call('DEL', KEYS[2])
return {generation, life_ms}
