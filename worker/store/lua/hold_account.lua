-- include: lib/types
-- include: lib/time
-- Factus answered 429: our count was wrong. Hold the account, and widen the margin of the window.
-- KEYS: 1 account. ARGV: 1 hold ms, 2 step of the margin ms, 3 largest margin ms.
-- Reply: ms until which the account is held.
local wrong = misfit(KEYS[1], 'hash')
if wrong then return wrong end
local now = now_ms()
local held = redis.call('HMGET', KEYS[1], 'hold_until', 'margin_ms')
local until_ms = math.max(now + number(ARGV[1]), number(held[1]))
local margin = math.min(number(held[2]) + number(ARGV[2]), number(ARGV[3]))
redis.call('HSET', KEYS[1], 'hold_until', text(until_ms), 'hold_reason', 'factus.throttled', 'margin_ms', text(margin))
bump(KEYS[1], 'n_throttled', 1, '1')
return text(until_ms)
