-- include: lib/types
-- include: lib/allowance
-- include: lib/others
-- A backlog that needs more than the window has left is spread over it, so that what is urgent finds a place at once.
--
-- Without that a backlog takes the whole allowance in the first seconds of each window, and a sale at the till waits for
-- the next one. The places are the same in number: only when they are taken is another matter. What is urgent (priority
-- `high`, and what Factus may hold already) asks the allowance alone.
--
-- Lanes that wait get their instants one after the other (`slot_at`, on the lane and the last one on the account), so that
-- the quicker lane does not take every place.

local LONG = 2 -- windows: a longer backlog is spread evenly, a shorter one leaves places for what is urgent
local KEPT = 10 -- one place in so many is kept for urgent jobs while a short backlog runs
local APART_MS = 2 -- between what is urgent and what waits for the same place, and between two lanes

-- The ms between two starts: so many jobs wait, so many places are free, the next gets free in `release_ms`.
local function spacing_of(n_waiting, n_free, limit, release_ms, even_ms)
  if n_waiting <= n_free then return 0 end
  if n_waiting > LONG * limit then return math.max(even_ms, n_free > 0 and release_ms / n_free or 0) end
  if n_free > limit / KEPT or n_free == 0 then return 0 end
  return release_ms / n_free
end

-- How many places are free, and in how many ms the next gets free.
local function places(lane, window_ms, now)
  local n_used = grants_since(lane.grants, lane.limit, now - window_ms)
  local oldest = n_used > 0 and number(redis.call('LINDEX', lane.grants, n_used - 1)) or now - window_ms
  local n_free, release_ms = lane.limit - n_used, oldest + window_ms - now
  local beside = places_beside_others(lane.account, lane.grants, lane.limit, window_ms, now)
  if beside and beside[1] < n_free then return beside[1], beside[2] - now end
  return n_free, release_ms
end

-- When the lane may take a place of the allowance that is free at `free_at`, as far as its backlog is concerned.
local function paced_at(lane, window_ms, free_at, now)
  local n_waiting = redis.call('ZCARD', lane.waiting)
  if redis.call('LLEN', lane.grants) + n_waiting <= lane.limit and free_at <= now then return 0 end
  local own = number(redis.call('HGET', lane.hash, 'slot_at'))
  if own > 0 and own <= now then return free_at > now and free_at + APART_MS or free_at end
  if own > now and own <= now + window_ms then return math.max(own, free_at) end
  local n_free, release_ms = places(lane, window_ms, now)
  local even_ms = n_waiting > LONG * lane.limit and window_ms / lane.limit or APART_MS
  local spacing = spacing_of(n_waiting, n_free, lane.limit, release_ms, even_ms)
  if spacing == 0 and free_at <= now then return 0 end
  local last = number(redis.call('HGET', lane.account, 'slot_at'))
  if last > now + window_ms then last = 0 end -- the clock was set back
  -- What is kept for the urgent is kept until more is free, not longer.
  local place = math.min(last + math.max(spacing, APART_MS), math.max(now + release_ms, last) + even_ms)
  place = math.max(now, math.floor(place), free_at > now and free_at + APART_MS or 0)
  redis.call('HSET', lane.account, 'slot_at', text(place))
  if place <= now then return 0 end
  redis.call('HSET', lane.hash, 'slot_at', text(place))
  return place
end
