-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/batches
-- include: lib/day_index
-- include: lib/ends
-- include: lib/days
-- The end of a job that end_attempt.lua cannot write, because a key beside it holds what it must not: its final event all the
-- same, and of everything else what can be done. Nothing starts in its place; the lane looks again by itself.
-- KEYS: job, results, dead, deadlines, batches_due, flight, queue, lanes_due, document, joined, ended_ids, ended_event,
--   ended_due
-- ARGV: id, arq_id, fence, document_state, retention_ms, maxlen, batch_prefix, arq_job_prefix, mark_prefix, lane, number,
--   error, member, ends_prefix, ends_member, n_events, n_dead, rest...
-- document to ended_due: as in end_attempt.lua. number: of the document. error: JSON. member: of the deadlines.
-- ends_prefix, ends_member: see lib/day_index.lua. n_events: 0 or 1. rest: the TALLY, the events (EVENT), the dead letter (name, value).
-- Reply: {'ok', jobs that joined and are to be drained} | {'lost'}: nothing was written.
local job, results, dead, deadlines, batches_due = KEYS.job, KEYS.results, KEYS.dead, KEYS.deadlines, KEYS.batches_due
local flight, queue, lanes_due = KEYS.flight, KEYS.queue, KEYS.lanes_due
local document, joined = KEYS.document ~= job and KEYS.document or nil, KEYS.joined
local n_events, n_dead = tonumber(ARGV.n_events), tonumber(ARGV.n_dead)
local reader = reader_of(ARGV.rest)
local own_tally, events = read_tally(reader), {}
for n = 1, n_events do events[n] = reader.some(#EVENT) end
local letter = reader.some(2 * n_dead)

-- Without these there is no end: who holds the job, and where its event goes.
local wrong = misfit(job, 'hash', n_events > 0 and results, 'stream')
if wrong then return wrong end
if not owns(job, ARGV.fence) then return {'lost'} end
local now = now_ms()
local event, final_type = '', ''
for n = 1, n_events do
  publish(results, ARGV.maxlen, events[n])
  event, final_type = events[n][EVENT.event], events[n][EVENT.type]
end
redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', final_type, 'final_at', text(now),
  'last_error', ARGV.error, 'number', ARGV.number)
redis.call('PEXPIRE', job, ARGV.retention_ms)
if n_dead > 0 then redis.pcall('XADD', dead, '*', unpack(letter)) end
tally(ARGV.batch_prefix, batches_due, own_tally, final_type, ARGV.retention_ms)
note_end(ARGV.ends_prefix, ARGV.ends_member, now, ARGV.retention_ms)
redis.pcall('ZREM', deadlines, ARGV.member)
redis.pcall('ZREM', flight, ARGV.id)
leave_day(string.sub(flight, 1, -8), job, ARGV.id) -- `LANE:flight`
redis.pcall('ZREM', queue, ARGV.arq_id)
redis.call('DEL', ARGV.arq_job_prefix .. ARGV.arq_id, ARGV.mark_prefix .. ARGV.arq_id)
redis.pcall('ZADD', lanes_due, text(now), ARGV.lane)
local n_joined = 0
if document and not misfit(document, 'hash') then
  redis.call('HSET', document, 'state', ARGV.document_state)
  if ARGV.document_state == 'validated' then redis.call('HSET', document, 'event', event) end
  redis.call('PEXPIRE', document, ARGV.retention_ms)
end
if document and not misfit(joined, 'list', KEYS.ended_due, 'zset') then
  local ended = { ids = KEYS.ended_ids, event = KEYS.ended_event, due = KEYS.ended_due }
  n_joined = leave_joined(joined, ended, ARGV.member, event, now)
end
return {'ok', n_joined}
