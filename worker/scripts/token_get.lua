-- include: lib_lanes
-- The shared access token, or the right to fetch a new one.
-- KEYS: 1 token, 2 lock. ARGV: 1 worker id, 2 lock ms, 3 generation known to be refused (0: none), 4 least life ms,
--   5 life ms below which it is renewed early.
-- Reply: {'token', access, generation, life ms} | {'lead', generation} | {'wait', ms}
local now = now_ms()
local held = redis.call('HMGET', KEYS[1], 'access', 'generation', 'expires_at')
local generation = held[2] or '0'
local life_ms = tonumber(held[3] or 0) - now
local is_good = held[1] and generation ~= ARGV[3] and life_ms > tonumber(ARGV[4])
if is_good and life_ms > tonumber(ARGV[5]) then return {'token', held[1], generation, text(life_ms)} end
if redis.call('GET', KEYS[2]) == ARGV[1] then
  -- Our own lead, whose answer was lost: no reason to wait for it to run out.
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return {'lead', generation}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'lead', generation} end
if is_good then return {'token', held[1], generation, text(life_ms)} end
return {'wait', text(math.max(redis.call('PTTL', KEYS[2]), 1))}
