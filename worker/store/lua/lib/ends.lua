-- include: lib/types
-- include: lib/admit
-- include: lib/follow_ups
-- include: lib/events
-- include: lib/reader
-- FOLLOW_UP_KEYS: job, waiting, later
-- FOLLOW_UP: id, lane, account, score, delay_ms, life_ms, watches
-- What the scripts share that make jobs final.

-- A job that follows a document (archive, RADIAN): FOLLOW_UP (`watches`: 1 when it watches RADIAN), the number of its
-- record fields, the fields; its keys stand after the place `k`.
local function read_follow_up(reader, keys, k)
  local head = reader.some(#FOLLOW_UP)
  return {
    id = head[FOLLOW_UP.id], lane = head[FOLLOW_UP.lane], account = head[FOLLOW_UP.account], score = head[FOLLOW_UP.score],
    delay_ms = tonumber(head[FOLLOW_UP.delay_ms]), life_ms = tonumber(head[FOLLOW_UP.life_ms]),
    watches = head[FOLLOW_UP.watches] == '1', fields = reader.some(2 * tonumber(reader.one())),
    job = keys[k + FOLLOW_UP_KEYS.job], waiting = keys[k + FOLLOW_UP_KEYS.waiting], later = keys[k + FOLLOW_UP_KEYS.later],
  }
end

local function follow_ups_misfit(follow_ups)
  for _, e in ipairs(follow_ups) do
    local wrong = misfit(e.job, 'hash', e.waiting, 'zset', e.later, 'zset')
    if wrong then return wrong end
  end
  return nil
end

-- Start them with the final event that they follow. One that is there already stays: it is the same document, asked for
-- again after its end was written and the answer lost.
local function follow(follow_ups, document, lanes, due, deadlines, now)
  for _, e in ipairs(follow_ups) do
    if redis.call('EXISTS', e.job) == 0 and (not e.watches or may_watch(document, e.id)) then
      keep_follow_up(document, e.id, e.watches)
      local begins = now + e.delay_ms
      admit(lanes, due, deadlines, e, now, begins, begins + e.life_ms, begins + e.life_ms)
    end
  end
end

-- The jobs that joined a document end after its owner, in slices (end_joined.lua): under a name of their own, so that the
-- reference can be joined anew. `ended`: their ids, the owner's event, the set of what is to be drained.
local DRAIN_LEASE_MS = 5000 -- after it another worker goes on with them
local function leave_joined(joined, ended, member, event, now)
  if redis.call('EXISTS', joined) == 0 then return 0 end
  redis.call('RENAME', joined, ended.ids)
  redis.call('SET', ended.event, event)
  redis.call('ZADD', ended.due, text(now + DRAIN_LEASE_MS), member)
  return redis.call('LLEN', ended.ids)
end
