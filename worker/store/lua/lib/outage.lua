-- include: lib/types
-- An account that Factus does not answer: one probe at a time, and all lanes at once when it is over.

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

-- The lanes of an account look at an instant, unless they look earlier.
local function look_by(lane, at)
  local prefix = lane.account_name .. '/'
  for _, name in ipairs(redis.call('SMEMBERS', lane.lanes)) do
    if string.sub(name, 1, #prefix) == prefix then
      local due = redis.call('ZSCORE', lane.due, name)
      if not due or tonumber(due) > at then redis.call('ZADD', lane.due, text(at), name) end
    end
  end
end

-- This probe is over, and has learnt nothing new: the next lane may send one when the account's pause is over, and does not
-- sit out the time of this one. The lane itself may have nothing left to ask with.
local function end_probe(lane, now)
  if redis.call('HDEL', lane.account, 'probe_until') == 0 then return end
  look_by(lane, math.max(now, number(redis.call('HGET', lane.account, 'hold_until'))))
end

-- The account answers again: every lane of it looks now, not at the end of a pause that no longer holds.
local function end_outage(lane, now)
  if redis.call('HDEL', lane.account, 'outage') == 0 then return end
  redis.call('HDEL', lane.account, 'probe_until', 'outage_since', 'outage_steps')
  if redis.call('HGET', lane.account, 'hold_reason') == 'factus.unavailable' then
    redis.call('HDEL', lane.account, 'hold_until', 'hold_reason')
    forget_hold(lane.account)
  end
  look_by(lane, now)
end
