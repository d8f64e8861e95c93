-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/claims
-- include: lib/outage
-- include: lib/lanes
-- include: lib/width
-- include: lib/batches
-- include: lib/day_index
-- include: lib/ends
-- include: lib/bills
-- include: lib/days
-- include: lib/seen
-- The end of an attempt: ledger, events and lane in one step, and the lane's next job started with it.
-- KEYS: lane[LANE_KEYS], job, results, notices, dead, deadlines, batches_due, document, joined, ended_ids, ended_event,
--   ended_due, bill, terms, follow_ups...
-- ARGV: lane[LANE], claimer[CLAIMER], id, arq_id, fence, ending, pause_ms, reason, document_state, retention_ms, maxlen,
--   goes_on, health, narrows, n_events, n_fields, n_dead, n_notices, n_facts, term, n_follow_ups, batch_prefix,
--   ends_prefix, ends_member, mend, rest...
-- results, notices: the streams of its own events and of the notices.
-- document to ended_due: the job's key for jobs that issue nothing. joined: the jobs that joined the document; ended_ids,
--   ended_event: where these stand when it has ended; ended_due: the set of what is to be drained.
-- bill: what is remembered of a bill by its number; the job's key when it is about none. terms: from when bills are due.
-- follow_ups: FOLLOW_UP_KEYS for each job that follows the document.
-- ending: `final`, or who waits: `lane`, `account`, `job`. pause_ms: of a final one, for how
--   long its reference is not free; 0 leaves what stands with the document, unless this job knows that it is removed.
-- reason: of the pause; of a final one `stays` when an unvalidated document is left at Factus.
-- document_state, retention_ms: of a final one. goes_on: 1 to start the lane's next job. health: `up`, `down`, `unknown`.
-- term: ms from which the bill that the job watches is due; 0 when nothing waits for that, '' leaves it.
-- ends_prefix, ends_member: of a final one, see lib/day_index.lua.
-- narrows: 1 when Factus answered 409 while another create of the lane was under way.
-- mend: what a person does about the reason of the pause; '' when nothing is known to help.
-- rest: the record fields (name, value), the dead letter (name, value), for a final one its TALLY, the own events (EVENT),
--   the notices (`blocked` or `resumed`, scope, since ms, EVENT), the facts of the bill (name, value), the jobs that
--   follow (FOLLOW_UP, lib/ends.lua).
-- Reply: {'ok', jobs that joined and are to be drained, started, jobs claimed (see begin)...} | {'lost'}: nothing was
--   written.
local lane, claimer = lane_of(KEYS.lane, ARGV.lane), claimer_of(ARGV.claimer)
local job, results, notices, dead = KEYS.job, KEYS.results, KEYS.notices, KEYS.dead
local deadlines, batches_due, document = KEYS.deadlines, KEYS.batches_due, KEYS.document ~= job and KEYS.document or nil
local id, arq_id, fence, ending = ARGV.id, ARGV.arq_id, ARGV.fence, ARGV.ending
local is_final = ending == 'final'
local pause_ms, reason, document_state = tonumber(ARGV.pause_ms), ARGV.reason, ARGV.document_state
local retention_ms, maxlen, goes_on, health = ARGV.retention_ms, ARGV.maxlen, ARGV.goes_on == '1', ARGV.health
local n_events, n_fields, n_dead = tonumber(ARGV.n_events), tonumber(ARGV.n_fields), tonumber(ARGV.n_dead)
local n_notices, n_follow_ups, batch_prefix = tonumber(ARGV.n_notices), tonumber(ARGV.n_follow_ups), ARGV.batch_prefix
local mend, term, n_facts = ARGV.mend, ARGV.term, tonumber(ARGV.n_facts)

local reader = reader_of(ARGV.rest)
local fields, letter = reader.some(2 * n_fields), reader.some(2 * n_dead)
local own_tally = is_final and read_tally(reader)
local events, told, follow_ups = {}, {}, {}
for n = 1, n_events do events[n] = reader.some(#EVENT) end
for n = 1, n_notices do
  told[n] = { kind = reader.one(), scope = 'blocked:' .. reader.one(), since = reader.one() }
  told[n].event = reader.some(#EVENT)
end
local facts = reader.some(2 * n_facts)
local keys, before = KEYS.follow_ups
for n = 1, n_follow_ups do follow_ups[n] = read_follow_up(reader, keys, before + #FOLLOW_UP_KEYS * (n - 1)) end

local wrong = misfit(job, 'hash')
if wrong then return wrong end
if not owns(job, fence) then return {'lost'} end
wrong = misfit(n_events > 0 and results, 'stream', n_notices > 0 and notices, 'stream', n_dead > 0 and dead, 'stream',
  deadlines, 'zset', document or false, 'hash', document and KEYS.joined or false, 'list',
  document and KEYS.ended_due or false, 'zset') or lane_misfit(lane) or follow_ups_misfit(follow_ups)
if wrong then return wrong end

local now = now_ms()
local final_event, final_type = '', '' -- what follows a document may end without a word
-- Streams first: they can refuse an entry for reasons that no look at them tells beforehand.
for n = 1, n_events do
  publish(results, maxlen, events[n])
  final_event, final_type = events[n][EVENT.event], events[n][EVENT.type]
end
if n_dead > 0 then redis.call('XADD', dead, '*', unpack(letter)) end
for n = 1, n_fields do redis.call('HSET', job, fields[2 * n - 1], fields[2 * n]) end

local started_at = number(redis.call('ZSCORE', lane.flight, id))
note_attempt(lane, job, started_at, is_final, ending == 'lane' and pause_ms or 0, now)
local sent = redis.call('HMGET', job, 'sent', 'pending_since')
if is_final or (sent[1] or '') ~= '' or number(sent[2]) > 0 then leave_day(lane.hash, job, id) end
redis.call('ZREM', lane.flight, id)
redis.call('ZREM', lane.queue, arq_id)
redis.call('DEL', lane.arq_job_prefix .. arq_id, claimer.mark_prefix .. arq_id)
local n_joined = 0
if is_final then
  redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', final_type, 'final_at', text(now))
  redis.call('PEXPIRE', job, retention_ms)
  redis.call('ZREM', deadlines, lane.account_name .. '/' .. id)
  tally(batch_prefix, batches_due, own_tally, final_type, retention_ms)
  note_end(ARGV.ends_prefix, ARGV.ends_member, now, retention_ms)
  if document_state == 'completed' then redis.call('HDEL', job, 'payload') end -- it has done its work
  if document then
    redis.call('HSET', document, 'state', document_state)
    -- Who removed it and knows that the DELETE was answered frees the reference; a defect while it was under way does not,
    -- nor who sent none.
    local has_removed = document_state == 'rejected' and number(redis.call('HGET', job, 'deleting_at')) > 0
    if has_removed then redis.call('HDEL', document, 'free_at') end
    if pause_ms > 0 then redis.call('HSET', document, 'free_at', text(now + pause_ms)) end
    if reason == 'stays' then redis.call('HSET', document, 'stays', '1') end
    if document_state == 'validated' then
      note_clean(lane)
      -- From here a repeated push is answered by the document's event; the payload has done its work.
      redis.call('HSET', document, 'event', final_event)
      redis.call('HDEL', job, 'payload')
    end
    redis.call('PEXPIRE', document, retention_ms)
    local ended = { ids = KEYS.ended_ids, event = KEYS.ended_event, due = KEYS.ended_due }
    n_joined = leave_joined(KEYS.joined, ended, lane.account_name .. '/' .. id, final_event, now)
  end
elseif ending == 'job' then
  redis.call('HSET', job, 'state', 'waiting', 'next_at', text(now + pause_ms))
  redis.call('ZADD', lane.later, text(now + pause_ms), id)
else
  redis.call('HSET', job, 'state', 'waiting', 'next_at', text(now + pause_ms))
  redis.call('ZADD', lane.waiting, place(lane, id) or '0', id)
  local where = ending == 'account' and lane.account or lane.hash
  -- Never shorter than a hold that another job of the lane has found.
  if now + pause_ms > math.max(now, number(redis.call('HGET', where, 'hold_until'))) then
    redis.call('HSET', where, 'hold_until', text(now + pause_ms), 'hold_reason', reason)
  end
  if pause_ms > 0 then note_hold(where, reason, id, mend, now) end
end
-- The lane goes on; the account does when a call has come through. Reading is free of charge: that it works says nothing
-- of a plan that is used up.
if is_final or ending == 'job' or (ending == 'lane' and pause_ms == 0 and health == 'up') then forget_hold(lane.hash) end
if ending ~= 'account' and health == 'up' and not lane.is_control
  and not (lane.behind ~= '' and redis.call('HGET', lane.account, 'held_for') == 'factus.payment_required') then
  forget_hold(lane.account)
end

if ARGV.narrows == '1' then
  narrow(lane, now)
elseif reason == 'factus.conflict' and not is_final then
  redis.call('HSETNX', lane.hash, 'conflict_since', text(now))
elseif health == 'up' then
  redis.call('HDEL', lane.hash, 'conflict_since')
end
if health == 'up' then
  end_outage(lane, now)
else
  if health == 'down' then
    redis.call('HSET', lane.account, 'outage', '1')
    redis.call('HSETNX', lane.account, 'outage_since', text(now))
    bump(lane.account, 'outage_steps', 1, '1')
  end
  if not lane.is_control then end_probe(lane, now) end
end
for _, notice in ipairs(told) do
  local is_news
  if notice.kind == 'blocked' then
    is_news = redis.call('HSETNX', lane.account, notice.scope, notice.since) == 1
  else
    is_news = redis.call('HDEL', lane.account, notice.scope) == 1
  end
  if is_news then publish(notices, maxlen, notice.event) end
end
remember_bill(KEYS.bill, facts, retention_ms)
remember_term(KEYS.terms, lane.account_name .. '/' .. id, term, now, retention_ms)
follow(follow_ups, document, lane.lanes, lane.due, deadlines, now)

redis.call('SADD', lane.lanes, lane.name)
if goes_on then
  local started = dispatch(lane, claimer, now)
  return {'ok', n_joined, started, unpack(claimer.claimed)}
end
look_again(lane, now)
return {'ok', n_joined, 0}
