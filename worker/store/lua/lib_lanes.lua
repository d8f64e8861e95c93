-- include: lib_types
-- Choosing and starting the next jobs of one lane. Included by every script that may free a place in a lane, so that
-- the next job starts in the same step, without a poll in between.
--
-- Numbers that are longer than 14 digits (scores) stay text: Lua would print them rounded.

local BAND = 1000000000000000 -- one priority's share of the scores (schemas/records.py)

local MOST_UNREADABLE = 50 -- in one look at a lane

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

-- The id that starts next, of rank `lowest` or better (0 high, 1 normal, 2 low). Every tenth start skips the best
-- priority present, every hundredth the second best too, so that a flood of one never starves another.
local function pick(lane, lowest)
  local head, score = unpack(redis.call('ZRANGE', lane.waiting, 0, 0, 'WITHSCORES'))
  if not head or tonumber(score) < 0 then return head end
  if tonumber(score) >= (lowest + 1) * BAND then return nil end
  local turn = number(redis.call('HGET', lane.hash, 'starts')) + 1
  if turn % 10 ~= 0 then return head end
  local heads = {}
  for rank = 0, lowest do
    local found = redis.call('ZRANGEBYSCORE', lane.waiting, text(rank * BAND), '(' .. text((rank + 1) * BAND),
      'LIMIT', 0, 1)
    if found[1] then heads[#heads + 1] = found[1] end
  end
  local chosen = 1
  while chosen < #heads and turn % 10 == 0 do
    chosen = chosen + 1
    turn = turn / 10
  end
  return heads[chosen]
end

-- The worker that runs this script takes what it starts, as far as it has room: claimed, begun and in its hands with the
-- reply, where otherwise two more round trips would lie between two documents of a lane. What is beyond its room stays
-- in arq's queue for anybody (claim_jobs.lua).
local function taker_of(argv, at)
  return {
    worker = argv[at], lease_ms = tonumber(argv[at + 1]), room = tonumber(argv[at + 2]), mark_prefix = argv[at + 3],
    taken = {},
  }
end

-- A job that cannot be taken: worker/queue/claims.py logs it, by this row without an arq id.
local function tell_unreadable(taker, account, id, why)
  taker.n_unreadable = (taker.n_unreadable or 0) + 1
  taker.taken[#taker.taken + 1] = { '', account, id, why }
end

-- Take a job up: the fence rises, so that whoever held it before can write nothing more. The reply is what
-- worker/queue/claims.py reads: arq id, record, server ms, and how the account stands (ms each, '0': not so): the lane's
-- conflict since, the account blocked since, the scope blocked since; the reason of the account's last hold, and of the
-- lane's if it lasts; the account's outage since, and how many pauses it has had. The scope is a family's issuing, or the
-- job's type in the lane of the calls (jobs/outcomes.py, Block.scope).
local function begin(taker, arq_id, job, account, lane_hash, scope, now)
  bump(job, 'fence', 1, text(now)) -- no earlier holder can have that one
  redis.call('HSET', job, 'worker', taker.worker)
  if scope == 'calls' then scope = redis.call('HGET', job, 'type') or '' end
  -- A job that is under way ends also where the keys of its account or lane hold what they must not.
  local blocked = fields_of(account, 'blocked:*', 'blocked:' .. scope, 'hold_reason', 'outage_since', 'outage_steps') or {}
  local lane = fields_of(lane_hash, 'conflict_since', 'hold_until', 'hold_reason') or {}
  taker.room = taker.room - 1
  taker.taken[#taker.taken + 1] = {
    arq_id, redis.call('HGETALL', job), text(now), text(number(lane[1])),
    text(number(blocked[1])), text(number(blocked[2])), blocked[3] or '', number(lane[2]) > now and lane[3] or '',
    text(number(blocked[4])), text(number(blocked[5])),
  }
end

local function enqueue(lane, id, epoch, now)
  local arq_id = lane.arq_prefix .. id .. ':' .. epoch
  redis.call('SET', lane.arq_job_prefix .. arq_id, string.format(
    '{"t":null,"f":"run_job","a":["%s","%s",%s,"%s"],"k":{},"et":%s}', lane.account_name, id, epoch, lane.name, text(now)))
  redis.call('ZADD', lane.queue, text(now), arq_id)
  return arq_id
end

-- False for what has no record: it is taken out of its lane, and told.
local function start(lane, taker, id, now)
  redis.call('ZREM', lane.waiting, id)
  local job = lane.job_prefix .. id
  local record = fields_of(job, 'v')
  if not (record and record[1]) then
    tell_unreadable(taker, lane.account_name, id, record and 'no record' or 'the key of its record holds no hash')
    return false
  end
  redis.call('ZADD', lane.flight, text(now), id)
  bump(lane.hash, 'starts', 1, '1')
  -- How many documents have gone since the account's last call.
  if lane.behind ~= '' then
    redis.call('HDEL', lane.hash, 'passed')
  elseif not lane.is_control then
    bump(lane.siblings .. 'calls', 'passed', 1, '1')
  end
  local epoch = text(bump(job, 'epoch', 1, text(now)))
  redis.call('HSET', job, 'state', 'inflight', 'next_at', '0')
  local arq_id = enqueue(lane, id, epoch, now)
  if taker.room > 0 then
    redis.call('SET', taker.mark_prefix .. arq_id, taker.worker, 'PX', taker.lease_ms)
    redis.call('ZADD', lane.queue, text(now + taker.lease_ms), arq_id)
    begin(taker, arq_id, job, lane.account, lane.hash, string.sub(lane.name, #lane.account_name + 2), now)
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

-- Half an hour of outage must not burn calls: while one lasts, one attempt of the account at a time asks whether it is
-- over. Returns 0 when this lane may send that probe, else ms at which to look again.
local PROBE_MS = 90000 -- longer than an attempt with all its timeouts
local function probe_at(lane, now)
  if not redis.call('HGET', lane.account, 'outage') then return nil end
  local underway = number(redis.call('HGET', lane.account, 'probe_until'))
  return underway > now and underway or 0
end

-- Since when a lane or an account is held for one reason, the job that met it, and what a person does about it. It lasts
-- over the attempts that ask in vain, for as long as none comes through.
local function note_hold(where, reason, id, mend, now)
  if redis.call('HGET', where, 'held_for') ~= reason then
    redis.call('HSET', where, 'held_since', text(now), 'held_for', reason)
  end
  redis.call('HSET', where, 'held_by', id, 'held_mend', mend)
end

local function forget_hold(where)
  redis.call('HDEL', where, 'held_since', 'held_for', 'held_by', 'held_mend')
end

-- The account answers again: every lane of it looks now, not at the end of a pause that no longer holds.
local function end_outage(lane, now)
  if redis.call('HDEL', lane.account, 'outage') == 0 then return end
  redis.call('HDEL', lane.account, 'probe_until', 'outage_since', 'outage_steps')
  if redis.call('HGET', lane.account, 'hold_reason') == 'factus.unavailable' then
    redis.call('HDEL', lane.account, 'hold_until', 'hold_reason')
    forget_hold(lane.account)
  end
  local prefix = lane.account_name .. '/'
  for _, name in ipairs(redis.call('SMEMBERS', lane.lanes)) do
    if string.sub(name, 1, #prefix) == prefix then redis.call('ZADD', lane.due, text(now), name) end
  end
end

-- How many documents of the account wait to be issued, in lanes that nothing holds.
local function documents_waiting(lane, now)
  local n = 0
  for family in string.gmatch(lane.behind, '[^,]+') do
    local other = lane.siblings .. family
    local held = fields_of(other, 'hold_until')
    if held and number(held[1]) <= now then
      local n_waiting = redis.pcall('ZCARD', other .. ':waiting')
      n = n + (type(n_waiting) == 'number' and n_waiting or 0)
    end
  end
  return n
end

-- Whether `n` more calls, those under way and this one find a place in the allowance at once.
local function has_room_beside(lane, n, now)
  local spare = lane.limit - n - redis.call('ZCARD', lane.flight)
  if spare <= 0 then return false end
  local used_at = redis.call('LINDEX', lane.grants, spare - 1)
  return not used_at or number(used_at) + window_of(lane.account, lane.window_ms) <= now
end

-- Calls stand behind issuing: they share its allowance, and a document that waits for a download is a sale that waits.
-- The lowest rank that may start: 2 all, 1 normal, 0 high only. Low calls (archive, RADIAN) go when no document waits,
-- and leave a quarter of the allowance free for what may come. Normal ones go while documents wait only when there is
-- room for all of these as well, or when nine documents have gone since the last call.
local RESERVED = 4
local PATIENCE = 9
local function lowest_rank(lane, now)
  if lane.behind == '' then return 2 end
  local n_documents = documents_waiting(lane, now)
  if n_documents == 0 then
    return has_room_beside(lane, math.floor(lane.limit / RESERVED), now) and 2 or 1
  end
  if has_room_beside(lane, n_documents, now) then return 1 end
  return number(redis.call('HGET', lane.hash, 'passed')) >= PATIENCE and 1 or 0
end

-- Put an accepted job into its lane, to begin at `begins` (now or earlier: at once). e: id, job, lane, account, waiting,
-- later, score, fields (name, value; `fields` grows); it must end by `ends_at`, or by its deadline. `told`: lanes of which
-- this script has said before that they are due now; who gives it looks at no lane in between.
local function admit(lanes, due, deadlines, e, now, begins, deadline_at, ends_at, told)
  local fields, n = e.fields, #e.fields
  fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'accepted_at', text(now), 'deadline_at', text(deadline_at)
  if begins > now then fields[n + 5], fields[n + 6] = 'next_at', text(begins) end
  redis.call('HSET', e.job, unpack(fields))
  redis.call('ZADD', deadlines, text(ends_at), e.account .. '/' .. e.id)
  local is_told = told and told[e.lane]
  if not is_told then redis.call('SADD', lanes, e.lane) end
  if begins > now then
    redis.call('ZADD', e.later, text(begins), e.id)
    redis.call('ZADD', due, 'LT', text(begins), e.lane)
  else
    redis.call('ZADD', e.waiting, e.score, e.id)
    if not is_told then redis.call('ZADD', due, 'LT', text(now), e.lane) end
    if told then told[e.lane] = true end
  end
end

-- A document has one watch over its RADIAN events, whoever asked for it first: each event is published once.
local function may_watch(document, id)
  return redis.call('HSETNX', document, 'watched_by', id) == 1 or redis.call('HGET', document, 'watched_by') == id
end

-- A document keeps the ids of the jobs that archive it: whoever looks at it sees all that follows, whoever asked for it.
local function keep_follower(document, id, watches)
  if document and not watches then redis.call('HSET', document, 'archived_by:' .. id, '1') end
end

local BEHIND_MS = 500 -- how often calls that give way look whether they still must

-- A lane stops looking for what may start: why (`width`, `hold`, `allowance`, `precedence`, `probe`; '' when nothing waits),
-- for whoever asks (worker/cli/status), and when it looks again (nil: the end of a job does).
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

-- The same for what is looked at once a job is chosen.
local function kept_by_account(lane, now)
  if lane.is_control then return nil end
  local free_at = permit_at(lane.grants, lane.limit, window_of(lane.account, lane.window_ms))
  if free_at > now then return 'allowance', free_at end
  local probe = probe_at(lane, now)
  if probe and probe > 0 then return 'probe', probe end
  return nil, nil, probe
end

-- Nothing waits that may start: what comes later, or nothing at all.
local function stop_empty(lane)
  local next_later = redis.call('ZRANGE', lane.later, 0, 0, 'WITHSCORES')
  stop(lane, '', next_later[2] and tonumber(next_later[2]))
  if not next_later[2] and redis.call('ZCARD', lane.flight) == 0 then redis.call('SREM', lane.lanes, lane.name) end
end

-- Start what may start now; leave in `due` when the lane is next worth a look, and on the lane why it stopped. Returns how
-- many were started.
local function dispatch(lane, taker, now)
  release_due(lane, now)
  local started = 0
  while true do
    if redis.call('ZCARD', lane.flight) >= lane.width then
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
    reason, at, probe = kept_by_account(lane, now)
    if reason then
      stop(lane, reason, at)
      return started
    end
    local has_started = start(lane, taker, id, now)
    if has_started then started = started + 1 end
    if not has_started and taker.n_unreadable >= MOST_UNREADABLE then
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

-- A lane: nine KEYS and nine ARGV in a row, as worker/queue/dispatcher.py builds them, that begin at these places. `behind`: the
-- account's lanes that go first (for its calls; '' for those that issue); `siblings`: what stands before their names.
local function lane_of(keys, k, argv, a)
  return {
    due = keys[k], lanes = keys[k + 1], hash = keys[k + 2], waiting = keys[k + 3], later = keys[k + 4],
    flight = keys[k + 5], account = keys[k + 6], grants = keys[k + 7], queue = keys[k + 8],
    name = argv[a], account_name = argv[a + 1], job_prefix = argv[a + 2], arq_prefix = argv[a + 3],
    arq_job_prefix = argv[a + 4], width = tonumber(argv[a + 5]), limit = tonumber(argv[a + 6]),
    window_ms = tonumber(argv[a + 7]), behind = argv[a + 8],
    siblings = string.sub(keys[k + 2], 1, #keys[k + 2] - #argv[a]) .. argv[a + 1] .. '/',
    is_control = string.sub(argv[a], -8) == '/control',
  }
end

-- The error when a key of a lane holds another type than it has to (see misfit).
local function lane_misfit(lane)
  return misfit(lane.due, 'zset', lane.lanes, 'set', lane.hash, 'hash', lane.waiting, 'zset', lane.later, 'zset',
    lane.flight, 'zset', lane.account, 'hash', lane.grants, 'list', lane.queue, 'zset', lane.siblings .. 'calls', 'hash')
end
