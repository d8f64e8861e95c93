-- include: lib/types
-- include: lib/time
-- The account's allowance: requests that Factus lets it make in a window, counted where they are sent.
--
-- The grants are a ring of the newest sends, the newest first. `window_ms` always means the widened one (window_of).

-- Whether a grant was noted before the clock was set back by more than a window: nobody waits for it.
local function is_of_another_clock(grant, window_ms, now) return grant > now + window_ms end

-- When the account's allowance has a free place: `now` or earlier means at once. The oldest of the last `limit` must have
-- left the window.
local function permit_at(grants, limit, window_ms)
  local oldest = number(redis.call('LINDEX', grants, limit - 1))
  if oldest == 0 or is_of_another_clock(oldest, window_ms, now_ms()) then return 0 end
  return oldest + window_ms
end

local function window_of(account, window_ms)
  -- 429s widen the margin: Factus counts at arrival, we count at sending.
  return window_ms + number(redis.call('HGET', account, 'margin_ms'))
end

-- How many grants are later than the instant `since`. The ring is in order, so that half of it is never looked at.
local function grants_since(grants, limit, since)
  local low, high = 0, math.min(redis.call('LLEN', grants), limit)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if number(redis.call('LINDEX', grants, middle)) > since then low = middle + 1 else high = middle end
  end
  return low
end
