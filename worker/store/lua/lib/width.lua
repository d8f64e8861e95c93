-- include: lib/types
-- How many creates of a family are under way at once: one, unless the account's `lane_width` is more and Factus takes them.
--
-- Factus answers 409 to a create while another document of the family is not validated; whether that holds while both are
-- under way is not known of each account. So more than one is tried with care: two at first, one more after twenty that
-- went well beside another, and one alone after a 409, for an hour the first time, then for a day.

local TRIED_FIRST = 2
local CLEAN = 20
local NARROW_MS, NARROW_AGAIN_MS = 3600000, 86400000

local function may_be_wide(lane)
  return lane.width > 1 and lane.behind == '' and not lane.is_control
end

local function width_at(lane, now)
  if not may_be_wide(lane) then return lane.width end
  local state = redis.call('HMGET', lane.hash, 'narrow_until', 'wide')
  local until_ms, width = number(state[1]), math.min(lane.width, math.max(number(state[2]), TRIED_FIRST))
  if until_ms > now and until_ms <= now + NARROW_AGAIN_MS then width = 1 end
  return width
end

-- The width in use. It is left on the lane for whoever asks (worker/status).
local function width_of(lane, now)
  local width = width_at(lane, now)
  if may_be_wide(lane) and redis.call('HGET', lane.hash, 'width_in_use') ~= text(width) then
    redis.call('HSET', lane.hash, 'width_in_use', text(width))
  end
  return width
end

-- The width by which the lane was looked at last. Where it has grown with time since, the end of a job finds that.
local function width_seen(lane, now)
  local seen = may_be_wide(lane) and number(redis.call('HGET', lane.hash, 'width_in_use')) or 0
  return seen > 0 and math.min(seen, width_at(lane, now)) or width_at(lane, now)
end

-- A create was answered 409 while another of ours was under way. A second one of the same moment changes nothing.
local function narrow(lane, now)
  if not may_be_wide(lane) or number(redis.call('HGET', lane.hash, 'narrow_until')) > now then return end
  local steps = bump(lane.hash, 'narrow_steps', 1, '1')
  redis.call('HSET', lane.hash, 'narrow_until', text(now + (steps == 1 and NARROW_MS or NARROW_AGAIN_MS)), 'clean', '0')
  redis.call('HDEL', lane.hash, 'wide')
end

-- A document was validated; where another is still under way, both went well beside each other.
local function note_clean(lane)
  if not may_be_wide(lane) or redis.call('ZCARD', lane.flight) == 0 then return end
  if bump(lane.hash, 'clean', 1, '1') < CLEAN then return end
  local wide = math.max(number(redis.call('HGET', lane.hash, 'wide')), TRIED_FIRST)
  redis.call('HSET', lane.hash, 'clean', '0', 'wide', text(math.min(wide + 1, lane.width)))
  redis.call('HDEL', lane.hash, 'narrow_steps')
end

-- Whether this job runs alone in its lane: what Factus may hold already bars every other until it is settled. `solo` is
-- the one that was started so.
local function is_solo(lane, id)
  return may_be_wide(lane) and number(redis.call('ZSCORE', lane.waiting, id)) < 0
end

local function has_solo(lane)
  if not may_be_wide(lane) then return false end
  local solo = redis.call('HGET', lane.hash, 'solo')
  return solo and redis.call('ZSCORE', lane.flight, solo) and true or false
end

-- Whether the lane is closed by what is under way: the end of that opens it, and nobody else has to look.
local function is_closed(lane, now)
  local n_under_way = redis.call('ZCARD', lane.flight)
  if n_under_way >= width_seen(lane, now) or has_solo(lane) then return true end
  local head = redis.call('ZRANGE', lane.waiting, 0, 0)[1]
  return n_under_way > 0 and head and is_solo(lane, head) or false
end
