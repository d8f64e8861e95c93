-- include: lib_lanes
-- A new token, by the worker that leads and only on top of the generation it saw.
-- KEYS: 1 token, 2 lock. ARGV: 1 worker id, 2 generation seen, 3 access token, 4 life ms.
-- Reply: {generation, life ms}; empty when the lead was lost meanwhile.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {} end
if (redis.call('HGET', KEYS[1], 'generation') or '0') ~= ARGV[2] then return {} end
local generation = tonumber(ARGV[2]) + 1
local expires_at = text(now_ms() + tonumber(ARGV[4]))
redis.call('HSET', KEYS[1], 'access', ARGV[3], 'generation', generation, 'expires_at', expires_at, 'life_ms', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return {tostring(generation), ARGV[4]}
