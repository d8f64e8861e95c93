-- include: lib/types
-- include: lib/admit
-- include: lib/follow_ups
-- What the scripts share that make jobs final.

-- Where the values of ARGV are read one after the other.
local function reader_of(argv, at)
  local reader = { at = at }
  function reader.one()
    reader.at = reader.at + 1
    return argv[reader.at - 1]
  end
  function reader.some(n)
    local found = {}
    for i = 1, n do found[i] = reader.one() end
    return found
  end
  return reader
end

-- How a job counts in its batch: five values.
local function read_tally(reader)
  local t = reader.some(5)
  return { member = t[1], cents = t[2], number = t[3], failure = t[4], document = t[5] }
end

local function publish(stream, maxlen, event)
  redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'event', event[1], 'type', event[2], 'account', event[3],
    'job_id', event[4], 'reference_code', event[5])
end

-- A job that follows a document (archive, RADIAN). Keys from `k`: job, waiting, later of its lane; values: id, lane,
-- account, score, delay ms, life ms, 1 when it watches RADIAN, number of record fields, fields.
local function read_follower(reader, keys, k)
  local head = reader.some(7)
  return {
    id = head[1], lane = head[2], account = head[3], score = head[4], delay_ms = tonumber(head[5]),
    life_ms = tonumber(head[6]), watches = head[7] == '1', fields = reader.some(2 * tonumber(reader.one())),
    job = keys[k], waiting = keys[k + 1], later = keys[k + 2],
  }
end

local function followers_misfit(followers)
  for _, e in ipairs(followers) do
    local wrong = misfit(e.job, 'hash', e.waiting, 'zset', e.later, 'zset')
    if wrong then return wrong end
  end
  return nil
end

-- Start them with the final event that they follow. One that is there already stays: it is the same document, asked for
-- again after its end was written and the answer lost.
local function follow(followers, document, lanes, due, deadlines, now)
  for _, e in ipairs(followers) do
    if redis.call('EXISTS', e.job) == 0 and (not e.watches or may_watch(document, e.id)) then
      keep_follower(document, e.id, e.watches)
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
