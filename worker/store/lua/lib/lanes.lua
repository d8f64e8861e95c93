-- include: lib/types
-- include: lib/allowance
-- include: lib/claims
-- include: lib/pace
-- include: lib/precedence
-- include: lib/outage
-- include: lib/width
-- LANE_KEYS: due, lanes, hash, waiting, later, flight, account, grants, queue
-- LANE: name, account_name, job_prefix, arq_prefix, arq_job_prefix, width, limit, window_ms, behind
-- Choosing and starting the next jobs of one lane. Included by every script that may free a place in a lane, so that
-- the next job starts in the same step, without a poll in between.
--
-- Numbers that are longer than 14 digits (scores) stay text: Lua would print them rounded.

local MOST_UNREADABLE = 50 -- in one look at a lane

local function enqueue(lane, id, epoch, now)
  local arq_id = lane.arq_prefix .. id .. ':' .. epoch
  redis.call('SET', lane.arq_job_prefix .. arq_id, string.format(
    '{"t":null,"f":"run_job","a":["%s","%s",%s,"%s"],"k":{},"et":%s}', lane.account_name, id, epoch, lane.name, text(now)))
  redis.call('ZADD', lane.queue, text(now), arq_id)
  return arq_id
end

-- False for what has no record: it is taken out of its lane, and told.
local function start(lane, claimer, id, now)
  if is_solo(lane, id) then redis.call('HSET', lane.hash, 'solo', id) end
  redis.call('ZREM', lane.waiting, id)
  local job = lane.job_prefix .. id
  local record = fields_of(job, 'v')
  if not (record and record[1]) then
    tell_unreadable(claimer, lane.account_name, id, record and 'no record' or 'the key of its record holds no hash')
    return false
  end
  redis.call('ZADD', lane.flight, text(now), id)
  bump(lane.hash, 'starts', 1, '1')
  redis.call('HDEL', lane.hash, 'slot_at')
  -- How many documents have gone since the account's last call.
  if lane.behind ~= '' then
    redis.call('HDEL', lane.hash, 'passed')
  elseif not lane.is_control then
    bump(lane.siblings .. 'calls', 'passed', 1, '1')
  end
  local epoch = text(bump(job, 'epoch', 1, text(now)))
  redis.call('HSET', job, 'state', 'inflight', 'next_at', '0')
  local arq_id = enqueue(lane, id, epoch, now)
  if claimer.room > 0 then
    redis.call('SET', claimer.mark_prefix .. arq_id, claimer.worker, 'PX', claimer.lease_ms)
    redis.call('ZADD', lane.queue, text(now + claimer.lease_ms), arq_id)
    begin(claimer, arq_id, job, lane.account, lane.hash, string.sub(lane.name, #lane.account_name + 2), now)
  end
  return true
end

-- Where a job that comes back stands. One that Factus holds, or may hold, bars every other of its family (409), whatever
-- their priority: it goes before all of them until it is settled.
-- nil for what is no record, or names no place.
local function place(lane, id)
  local held = fields_of(lane.job_prefix .. id, 'score', 'sent', 'pending_since') or {}
  local is_settled = (held[2] or '') == '' and number(held[3]) == 0
  if not held[1] then return nil end
  if not is_settled then return '-1' end
  return string.find(held[1], '^%-?%d+$') and held[1] or '0'
end

local function release_due(lane, now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', lane.later, '-inf', text(now), 'LIMIT', 0, 100)) do
    redis.call('ZREM', lane.later, id)
    -- What has no record goes to the front: it is told when its turn comes, and keeps nobody from theirs.
    redis.call('ZADD', lane.waiting, place(lane, id) or '-1', id)
  end
end

local function look_again(lane, at)
  redis.call('ZADD', lane.due, text(at), lane.name)
end

local BEHIND_MS = 500 -- how often calls that give way look whether they still must

-- A lane stops looking for what may start: why (`width`, `hold`, `allowance`, `precedence`, `probe`; '' when nothing waits),
-- for whoever asks (worker/status), and when it looks again (nil: the end of a job does).
local function stop(lane, reason, at)
  if reason == '' then redis.call('HDEL', lane.hash, 'wait_reason') else redis.call('HSET', lane.hash, 'wait_reason', reason) end
  if at then look_again(lane, at) else redis.call('ZREM', lane.due, lane.name) end
end

-- What keeps the head of a lane from starting, and until when; nil when nothing does. A lane of control jobs, which ask
-- Factus nothing, is stopped by nothing but its width: what holds an account holds nobody from cancelling its jobs.
local function kept_by(lane, now)
  if lane.is_control then return nil end
  local held = redis.call('HGET', lane.hash, 'hold_until')
  local account_held = redis.call('HGET', lane.account, 'hold_until')
  local until_ms = math.max(number(held), number(account_held))
  if until_ms > now then return 'hold', until_ms end
  return nil
end

-- Whether a job of the lane asks the allowance alone: it is of priority `high`, or Factus may hold it already.
local function is_urgent(lane, id)
  return number(redis.call('ZSCORE', lane.waiting, id)) < BAND
end

-- When the allowance lets the lane start this job.
local function allowed_at(lane, id, now)
  local window_ms = window_of(lane.account, lane.window_ms)
  local free_at = permit_at(lane.grants, lane.limit, window_ms)
  local beside = places_beside_others(lane.account, lane.grants, lane.limit, window_ms, now)
  if beside and beside[1] == 0 then free_at = math.max(free_at, beside[2]) end
  -- Calls stand behind issuing already (lib/precedence).
  if lane.behind ~= '' or is_urgent(lane, id) then return free_at end
  return paced_at(lane, window_ms, free_at, now)
end

-- The same for what is looked at once a job is chosen.
local function kept_by_account(lane, id, now)
  if lane.is_control then return nil end
  local free_at = allowed_at(lane, id, now)
  if free_at > now then return 'allowance', free_at end
  local probe = probe_at(lane, now)
  if probe and probe > 0 then return 'probe', probe end
  return nil, nil, probe
end

-- Nothing waits that may start: what comes later, or nothing at all.
local function stop_empty(lane)
  local next_later = redis.call('ZRANGE', lane.later, 0, 0, 'WITHSCORES')
  stop(lane, '', next_later[2] and tonumber(next_later[2]))
  redis.call('HDEL', lane.hash, 'slot_at')
  if not next_later[2] and redis.call('ZCARD', lane.flight) == 0 then redis.call('SREM', lane.lanes, lane.name) end
end

-- Start what may start now; leave in `due` when the lane is next worth a look, and on the lane why it stopped. Returns how
-- many were started.
local function dispatch(lane, claimer, now)
  release_due(lane, now)
  local started = 0
  while true do
    local n_under_way = redis.call('ZCARD', lane.flight)
    if n_under_way >= width_of(lane, now) or has_solo(lane) then
      stop(lane, 'width')
      return started
    end
    local reason, at, probe = kept_by(lane, now)
    if reason then
      stop(lane, reason, at)
      return started
    end
    local id = pick(lane, lowest_rank(lane, now))
    if not id and redis.call('ZCARD', lane.waiting) > 0 then
      stop(lane, 'precedence', now + BEHIND_MS)
      return started
    end
    if not id then
      stop_empty(lane)
      return started
    end
    if n_under_way > 0 and is_solo(lane, id) then
      stop(lane, 'width')
      return started
    end
    reason, at, probe = kept_by_account(lane, id, now)
    local first = reason == 'allowance' and redis.call('ZRANGE', lane.waiting, 0, 0)[1]
    if first and first ~= id and is_urgent(lane, first) then
      -- The job that was picked is paced (see pick): an urgent one does not wait for the pace.
      id = first
      reason, at, probe = kept_by_account(lane, id, now)
    end
    if reason then
      stop(lane, reason, at)
      return started
    end
    local has_started = start(lane, claimer, id, now)
    if has_started then started = started + 1 end
    if not has_started and claimer.n_unreadable >= MOST_UNREADABLE then
      look_again(lane, now + 1)
      return started
    end
    if probe and has_started then
      redis.call('HSET', lane.account, 'probe_until', text(now + PROBE_MS))
      stop(lane, 'probe', now + PROBE_MS)
      return started
    end
  end
end

-- A lane, from the keys after the place `k` and the values after `a`. `behind`: the account's lanes that go first (for its
-- calls; '' for those that issue); `siblings`: what stands before their names.
local function lane_of(keys, k, argv, a)
  local hash, name, account_name = keys[k + LANE_KEYS.hash], argv[a + LANE.name], argv[a + LANE.account_name]
  return {
    due = keys[k + LANE_KEYS.due], lanes = keys[k + LANE_KEYS.lanes], hash = hash, waiting = keys[k + LANE_KEYS.waiting],
    later = keys[k + LANE_KEYS.later], flight = keys[k + LANE_KEYS.flight], account = keys[k + LANE_KEYS.account],
    grants = keys[k + LANE_KEYS.grants], queue = keys[k + LANE_KEYS.queue],
    name = name, account_name = account_name, job_prefix = argv[a + LANE.job_prefix],
    arq_prefix = argv[a + LANE.arq_prefix], arq_job_prefix = argv[a + LANE.arq_job_prefix],
    width = tonumber(argv[a + LANE.width]), limit = tonumber(argv[a + LANE.limit]),
    window_ms = tonumber(argv[a + LANE.window_ms]), behind = argv[a + LANE.behind],
    siblings = string.sub(hash, 1, #hash - #name) .. account_name .. '/', is_control = string.sub(name, -8) == '/control',
  }
end

-- The error when a key of a lane holds another type than it has to (see misfit).
local function lane_misfit(lane)
  return misfit(lane.due, 'zset', lane.lanes, 'set', lane.hash, 'hash', lane.waiting, 'zset', lane.later, 'zset',
    lane.flight, 'zset', lane.account, 'hash', lane.grants, 'list', lane.queue, 'zset', lane.siblings .. 'calls', 'hash')
end
