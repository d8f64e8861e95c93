-- include: lib/types
-- include: lib/allowance
-- Somebody else uses the account's user beside us, and Factus counts both.
--
-- Factus opens a window with the first request after the last one was over, and says in each answer how many are left in
-- it. From the first 429 that our own requests do not explain, what it says is kept: since when its window is open at the
-- latest (`opened_at`), how much of it was used (`seen_used`) with which of our requests (`seen_at`), and how many of
-- those were not ours in this window and the one before (`n_others`, `n_others_before`). What is sent stays below that,
-- and the rest waits for the end of the window. All instants are grants of ours, in ms.

local OTHERS_MS = 86400000 -- for how long nobody else must be seen until it is forgotten
local UNCOUNTED_MS = 1000 -- a request of the last second before an answer may have come to Factus after it

-- Places that are kept for others until Factus tells more: twice what they use in the time since its last answer, and one.
local function places_of_others(n_others, limit, silent_ms, window_ms)
  if n_others == 0 then return 0 end
  return math.min(1 + math.ceil(2 * n_others * silent_ms / window_ms), math.ceil(limit / 4))
end

-- How many places are free beside the others, and when more are: {places, ms}. nil when nobody else is known of, or when
-- the window that was known is over.
local function places_beside_others(account, grants, limit, window_ms, now)
  local seen = redis.call('HMGET', account, 'others_until', 'opened_at', 'seen_at', 'seen_used', 'n_others',
    'n_others_before')
  if number(seen[1]) <= now then return nil end
  local opened_at, seen_at = number(seen[2]), number(seen[3])
  local ends_at = opened_at + window_ms
  if opened_at == 0 or ends_at <= now or opened_at > now then return nil end
  local uncounted = grants_since(grants, limit, math.max(seen_at - UNCOUNTED_MS, opened_at - 1))
  local n_others = math.max(number(seen[5]), number(seen[6]))
  local left = limit - number(seen[4]) - uncounted - places_of_others(n_others, limit, now - seen_at, window_ms)
  return { math.max(left, 0), ends_at }
end

-- A request goes out: where no window was known to be open, it is open from here on at the latest.
local function note_opening(account, window_ms, now)
  local seen = redis.call('HMGET', account, 'others_until', 'opened_at', 'n_others')
  if number(seen[1]) <= now then return false end
  local opened_at = number(seen[2])
  if opened_at == 0 or opened_at + window_ms <= now or opened_at > now then
    redis.call('HSET', account, 'opened_at', text(now), 'seen_at', text(now), 'seen_used', '0', 'n_others', '0',
      'n_others_before', text(number(seen[3])))
  end
  return true
end
