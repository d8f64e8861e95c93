-- include: lib/types
-- The account's allowance: requests that Factus lets it make in a window, counted where they are sent.

-- When the account's allowance has a free place: `now` or earlier means at once. The grants are a ring of the newest
-- sends; the oldest of the last `limit` must have left the window.
local function permit_at(grants, limit, window_ms)
  local oldest = redis.call('LINDEX', grants, limit - 1)
  if not oldest then return 0 end
  return number(oldest) + window_ms
end

local function window_of(account, window_ms)
  -- 429s widen the margin: Factus counts at arrival, we count at sending.
  return window_ms + number(redis.call('HGET', account, 'margin_ms'))
end
