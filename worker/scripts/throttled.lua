-- include: lib_lanes
-- Factus answered 429: our count was wrong. Hold the account, and widen the margin of the window.
-- KEYS: 1 account. ARGV: 1 hold ms, 2 step of the margin ms, 3 largest margin ms.
-- Reply: ms until which the account is held.
local now = now_ms()
local until_ms = math.max(now + tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[1], 'hold_until') or 0))
local margin = math.min(tonumber(redis.call('HGET', KEYS[1], 'margin_ms') or 0) + tonumber(ARGV[2]), tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'hold_until', text(until_ms), 'hold_reason', 'factus.throttled', 'margin_ms', text(margin))
redis.call('HINCRBY', KEYS[1], 'n_throttled', 1)
return text(until_ms)
