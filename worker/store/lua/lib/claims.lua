-- include: lib/types
-- include: lib/fence
-- CLAIMER: worker, lease_ms, room, mark_prefix, slot_bytes
-- Claiming: what a script starts is claimed for the worker that runs the script, and comes to it with its record.

-- The worker that runs this script claims what it starts, up to its room, and gets it with the reply: otherwise two more
-- round trips would lie between two documents of a lane. What is beyond its room stays in arq's queue for anybody
-- (claim_jobs.lua). Its values stand after the place `at`.
-- room: in slots; a job takes one, and one more for each slot_bytes of its payload: a process has memory for so many.
local function claimer_of(argv, at)
  return {
    worker = argv[at + CLAIMER.worker], lease_ms = tonumber(argv[at + CLAIMER.lease_ms]),
    room = tonumber(argv[at + CLAIMER.room]), mark_prefix = argv[at + CLAIMER.mark_prefix],
    slot_bytes = tonumber(argv[at + CLAIMER.slot_bytes]), claimed = {},
  }
end

-- A job that cannot be claimed: worker/queue/claims.py logs it, by this row without an arq id.
local function tell_unreadable(claimer, account, id, why)
  claimer.n_unreadable = (claimer.n_unreadable or 0) + 1
  claimer.claimed[#claimer.claimed + 1] = { '', account, id, why }
end

local function slots_of(claimer, record)
  for at = 1, #record, 2 do
    if record[at] == 'payload' then return 1 + math.floor(#record[at + 1] / claimer.slot_bytes) end
  end
  return 1
end

local function under_way_of(lane_hash)
  local found = redis.pcall('ZCARD', lane_hash .. ':flight')
  return type(found) == 'number' and found or 0
end

-- Take a job up: the fence rises, so that whoever held it before can write nothing more. The reply is what
-- worker/queue/claims.py reads: arq id, record, server ms, and how the account stands (ms each, '0': not so): the lane's
-- conflict since, the account blocked since, the scope blocked since; the reason of the account's last hold, and of the
-- lane's if it lasts; the account's outage since, and how many pauses it has had. The scope is a family's issuing, or the
-- job's type in the lane of the calls (jobs/outcomes.py, Block.scope). At last how many others of the lane are under
-- way, and how many it has started.
local function begin(claimer, arq_id, job, account, lane_hash, scope, now)
  raise_fence(job, now)
  redis.call('HSET', job, 'worker', claimer.worker)
  if scope == 'calls' then scope = redis.call('HGET', job, 'type') or '' end
  -- A job that is under way ends also where the keys of its account or lane hold what they must not.
  local blocked = fields_of(account, 'blocked:*', 'blocked:' .. scope, 'hold_reason', 'outage_since', 'outage_steps') or {}
  local lane = fields_of(lane_hash, 'conflict_since', 'hold_until', 'hold_reason', 'starts') or {}
  local record = redis.call('HGETALL', job)
  claimer.room = claimer.room - slots_of(claimer, record)
  claimer.claimed[#claimer.claimed + 1] = {
    arq_id, record, text(now), text(number(lane[1])),
    text(number(blocked[1])), text(number(blocked[2])), blocked[3] or '', number(lane[2]) > now and lane[3] or '',
    text(number(blocked[4])), text(number(blocked[5])), text(math.max(under_way_of(lane_hash) - 1, 0)),
    text(number(lane[4])),
  }
end
