-- include: lib/types
-- include: lib/time
-- Factus answered 429: our count was wrong. Hold the account, and widen the margin of the window.
-- KEYS: account
-- ARGV: hold_ms, margin_step_ms, largest_margin_ms
-- Reply: ms until which the account is held.
local wrong = misfit(KEYS.account, 'hash')
if wrong then return wrong end
local now = now_ms()
local held = redis.call('HMGET', KEYS.account, 'hold_until', 'margin_ms')
local until_ms = math.max(now + number(ARGV.hold_ms), number(held[1]))
local margin = math.min(number(held[2]) + number(ARGV.margin_step_ms), number(ARGV.largest_margin_ms))
redis.call('HSET', KEYS.account, 'hold_until', text(until_ms), 'hold_reason', 'factus.throttled', 'margin_ms', text(margin))
bump(KEYS.account, 'n_throttled', 1, '1')
return text(until_ms)
