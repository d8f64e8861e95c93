-- include: lib/types
-- include: lib/time
-- include: lib/allowance
-- include: lib/others
-- Factus answered 429: our count was wrong. Hold the account. Where our own requests explain it, they came closer together
-- than they were sent, and the margin of the window grows; where they do not, somebody else uses the account too.
-- KEYS: account, grants
-- ARGV: limit, window_ms, hold_ms, margin_step_ms, largest_margin_ms
-- Reply: {ms until which the account is held, 1 where somebody else uses the account}.
local wrong = misfit(KEYS.account, 'hash', KEYS.grants, 'list')
if wrong then return wrong end
local now = now_ms()
local held = redis.call('HMGET', KEYS.account, 'hold_until', 'margin_ms', 'others_until')
local until_ms = math.max(now + number(ARGV.hold_ms), number(held[1]))
local limit, window_ms = tonumber(ARGV.limit), tonumber(ARGV.window_ms) + number(held[2])
local was_shared = number(held[3]) > now
local is_ours = grants_since(KEYS.grants, limit, now - window_ms) >= limit
redis.call('HSET', KEYS.account, 'hold_until', text(until_ms), 'hold_reason', 'factus.throttled', 'throttled_at', text(now))
if is_ours or was_shared then
  local margin = math.min(number(held[2]) + number(ARGV.margin_step_ms), number(ARGV.largest_margin_ms))
  redis.call('HSET', KEYS.account, 'margin_ms', text(margin))
end
if not is_ours or was_shared then
  -- The window is over when the hold is: the next request opens one.
  redis.call('HSET', KEYS.account, 'others_until', text(now + OTHERS_MS), 'opened_at', '0')
end
bump(KEYS.account, 'n_throttled', 1, '1')
return {text(until_ms), (not is_ours or was_shared) and 1 or 0}
