-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/batches
-- include: lib/ends
-- The end of a job that end_attempt.lua cannot write, because a key beside it holds what it must not: its final event all the
-- same, and of everything else what can be done. Nothing starts in its place; the lane looks again by itself.
-- KEYS: 1 job, 2 stream of its events, 3 dead letters, 4 deadlines, 5 batches due, 6 flight of the lane, 7 arq's queue,
--   8 lanes due, 9 document, 10 joined jobs of the document, 11 and 12 where these stand when it has ended: ids and the
--   event, 13 the set of what is to be drained (9 to 13: the job's key for jobs that issue nothing).
-- ARGV: 1 job id, 2 arq id, 3 fence, 4 document state, 5 retention ms, 6 largest length of the stream, 7 what stands
--   before a batch's key, 8 what stands before arq's job, 9 before its mark, 10 lane, 11 number of the document,
--   12 error (JSON), 13 member of the deadlines, 14 number of own events (0 or 1), 15 number of dead letter fields;
--   then the tally, the events, the dead letter.
-- Reply: {'ok', jobs that joined and are to be drained} | {'lost'}: nothing was written.
local job, results, dead, deadlines, batches_due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local flight, queue, lanes_due, document, joined = KEYS[6], KEYS[7], KEYS[8], KEYS[9] ~= job and KEYS[9] or nil, KEYS[10]
local n_events, n_dead = tonumber(ARGV[14]), tonumber(ARGV[15])
local reader = reader_of(ARGV, 16)
local own_tally, events = read_tally(reader), {}
for n = 1, n_events do events[n] = reader.some(5) end
local letter = reader.some(2 * n_dead)

-- Without these there is no end: who holds the job, and where its event goes.
local wrong = misfit(job, 'hash', n_events > 0 and results, 'stream')
if wrong then return wrong end
if not owns(job, ARGV[3]) then return {'lost'} end
local now = now_ms()
local event, final_type = '', ''
for n = 1, n_events do
  publish(results, ARGV[6], events[n])
  event, final_type = events[n][1], events[n][2]
end
redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', final_type, 'final_at', text(now), 'last_error', ARGV[12],
  'number', ARGV[11])
redis.call('PEXPIRE', job, ARGV[5])
if n_dead > 0 then redis.pcall('XADD', dead, '*', unpack(letter)) end
tally(ARGV[7], batches_due, own_tally, final_type, ARGV[5])
redis.pcall('ZREM', deadlines, ARGV[13])
redis.pcall('ZREM', flight, ARGV[1])
redis.pcall('ZREM', queue, ARGV[2])
redis.call('DEL', ARGV[8] .. ARGV[2], ARGV[9] .. ARGV[2])
redis.pcall('ZADD', lanes_due, text(now), ARGV[10])
local n_joined = 0
if document and not misfit(document, 'hash') then
  redis.call('HSET', document, 'state', ARGV[4])
  if ARGV[4] == 'validated' then redis.call('HSET', document, 'event', event) end
  redis.call('PEXPIRE', document, ARGV[5])
end
if document and not misfit(joined, 'list', KEYS[13], 'zset') then
  n_joined = leave_joined(joined, { ids = KEYS[11], event = KEYS[12], due = KEYS[13] }, ARGV[13], event, now)
end
return {'ok', n_joined}
