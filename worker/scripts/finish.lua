-- include: lib_lanes
-- include: lib_batches
-- The end of an attempt: ledger, events and lane in one step, and the lane's next job started with it.
-- KEYS: 1-9 the lane, 10 job, 11 stream of its events, 12 stream of the notices, 13 dead letters, 14 deadlines,
--   15 batches due, 16 document, 17 joined jobs of the document (16 and 17 absent for jobs that issue nothing), then one
--   key for each joined job,
--   then for each job that follows the document: job, waiting and later of its lane.
-- ARGV: 1-9 the lane, 10-13 the taker, then in order: job id, arq id, fence, ending (`final`, or who waits: `lane`,
--   `account`, `job`), pause ms (final: of the reference), reason of the pause
--   (final: `stays` when an unvalidated document is left at Factus), document state (final), retention ms (final), largest length of the stream,
--   1 to start the lane's next job, weather (`fair`, `outage`, `unclear`),
--   numbers of joined jobs, own events, record fields, dead letter fields, notices, jobs that follow; what stands before
--   a batch's key;
--   then the record fields (name, value), the dead letter (name, value), for a final one the tallies of the job and
--   of each joined one (member, cents, number, failure, document), the own events, the joined jobs' events (five values
--   each),
--   the notices (`blocked` or `resumed`, scope, five values of the event), the jobs that follow (id, lane, account,
--   score, delay ms, life ms, 1 when it watches RADIAN, number of record fields, fields).
-- Reply: {'ok', started, jobs taken (see begin)...} | {'lost'} | {'joined', ids...}: who has joined meanwhile; nothing
--   was written.
local lane, taker = lane_of(KEYS, 1, ARGV, 1), taker_of(ARGV, 10)
local job, results, notices, dead, deadlines, batches_due = KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local document, joined = KEYS[16], KEYS[17]
local id, arq_id, fence, ending = ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local pause_ms, reason, document_state = tonumber(ARGV[18]), ARGV[19], ARGV[20]
local retention_ms, maxlen, goes_on, weather = ARGV[21], ARGV[22], ARGV[23] == '1', ARGV[24]
local n_joined, n_events, n_fields = tonumber(ARGV[25]), tonumber(ARGV[26]), tonumber(ARGV[27])
local n_dead, n_notices, n_following, batch_prefix = tonumber(ARGV[28]), tonumber(ARGV[29]), tonumber(ARGV[30]), ARGV[31]

local held = redis.call('HMGET', job, 'state', 'fence')
if held[1] ~= 'inflight' or held[2] ~= fence then return {'lost'} end
if ending == 'final' and joined then
  local ids = redis.call('LRANGE', joined, 0, -1)
  if #ids ~= n_joined then
    table.insert(ids, 1, 'joined')
    return ids
  end
end

local now = now_ms()
local at = 32
for _ = 1, n_fields do
  redis.call('HSET', job, ARGV[at], ARGV[at + 1])
  at = at + 2
end
if n_dead > 0 then
  local letter = {}
  for i = 1, 2 * n_dead do letter[i] = ARGV[at + i - 1] end
  at = at + 2 * n_dead
  redis.call('XADD', dead, '*', unpack(letter))
end

-- How each job that becomes final counts in its batch: [0] the job itself, then those that joined.
local tallies = {}
if ending == 'final' then
  for n = 0, n_joined do
    tallies[n] = {
      member = ARGV[at], cents = ARGV[at + 1], number = ARGV[at + 2], failure = ARGV[at + 3], document = ARGV[at + 4],
    }
    at = at + 5
  end
end

local function publish(wanted, stream)
  if wanted then
    redis.call('XADD', stream or results, 'MAXLEN', '~', maxlen, '*', 'event', ARGV[at], 'type', ARGV[at + 1],
      'account', ARGV[at + 2], 'job_id', ARGV[at + 3], 'reference_code', ARGV[at + 4])
  end
  at = at + 5
end

local final_event, final_type = '', '' -- what follows a document may end without a word
for n = 1, n_events do
  final_event, final_type = ARGV[at], ARGV[at + 1]
  publish(true)
end

redis.call('ZREM', lane.flight, id)
redis.call('ZREM', lane.queue, arq_id)
redis.call('DEL', lane.arq_job_prefix .. arq_id, taker.mark_prefix .. arq_id)
if ending == 'final' then
  redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', final_type, 'final_at', text(now))
  redis.call('PEXPIRE', job, retention_ms)
  redis.call('ZREM', deadlines, lane.account_name .. '/' .. id)
  tally(batch_prefix, batches_due, tallies[0], final_type, retention_ms)
  if document_state == 'completed' then redis.call('HDEL', job, 'payload') end -- it has done its work
  if document then
    redis.call('HSET', document, 'state', document_state)
    if pause_ms > 0 then redis.call('HSET', document, 'free_at', text(now + pause_ms)) end
    if reason == 'stays' then redis.call('HSET', document, 'stays', '1') end
    if document_state == 'validated' then
      -- From here a repeated push is answered by the document's event; the payload has done its work.
      redis.call('HSET', document, 'event', final_event)
      redis.call('HDEL', job, 'payload')
    end
    redis.call('PEXPIRE', document, retention_ms)
    for n = 1, n_joined do
      local other = KEYS[17 + n]
      local seq = tonumber(redis.call('HGET', other, 'seq') or 0) + 1
      redis.call('HSET', other, 'state', 'final', 'final_type', ARGV[at + 1], 'final_at', text(now), 'seq', seq)
      redis.call('HDEL', other, 'payload')
      redis.call('PEXPIRE', other, retention_ms)
      tally(batch_prefix, batches_due, tallies[n], ARGV[at + 1], retention_ms)
      publish(true)
    end
    redis.call('DEL', joined)
  end
elseif ending == 'job' then
  redis.call('HSET', job, 'state', 'waiting', 'next_at', text(now + pause_ms))
  redis.call('ZADD', lane.later, text(now + pause_ms), id)
else
  redis.call('HSET', job, 'state', 'waiting', 'next_at', text(now + pause_ms))
  redis.call('ZADD', lane.waiting, place(lane, id) or '0', id)
  local where = ending == 'account' and lane.account or lane.hash
  -- Never shorter than a hold that another job of the lane has found.
  if now + pause_ms > math.max(now, tonumber(redis.call('HGET', where, 'hold_until') or 0)) then
    redis.call('HSET', where, 'hold_until', text(now + pause_ms), 'hold_reason', reason)
  end
end

if reason == 'factus.conflict' and ending ~= 'final' then
  redis.call('HSETNX', lane.hash, 'conflict_since', text(now))
elseif weather == 'fair' then
  redis.call('HDEL', lane.hash, 'conflict_since')
end
if weather == 'fair' then
  end_outage(lane, now)
else
  if weather == 'outage' then redis.call('HSET', lane.account, 'outage', '1') end
  redis.call('HDEL', lane.account, 'probe_until') -- this probe is over, whatever it learnt
end
for _ = 1, n_notices do
  local kind, scope = ARGV[at], 'blocked:' .. ARGV[at + 1]
  at = at + 2
  if kind == 'blocked' then
    publish(redis.call('HSETNX', lane.account, scope, text(now)) == 1, notices)
  else
    publish(redis.call('HDEL', lane.account, scope) == 1, notices)
  end
end

-- The document's own followers start with its final event, or not at all. One that is there already stays: it is the
-- same document, asked for again after its end was written and the answer lost.
for n = 1, n_following do
  local k = (joined and 17 or 15) + n_joined + 3 * (n - 1)
  local e = {
    id = ARGV[at], lane = ARGV[at + 1], account = ARGV[at + 2], score = ARGV[at + 3],
    job = KEYS[k + 1], waiting = KEYS[k + 2], later = KEYS[k + 3], fields = {},
  }
  local delay_ms, life_ms, watches = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6] == '1'
  local n_values = 2 * tonumber(ARGV[at + 7])
  for i = 1, n_values do e.fields[i] = ARGV[at + 7 + i] end
  at = at + 8 + n_values
  if redis.call('EXISTS', e.job) == 0 and (not watches or may_watch(document, e.id)) then
    keep_follower(document, e.id, watches)
    admit(lane.lanes, lane.due, deadlines, e, now, now + delay_ms, now + delay_ms + life_ms, now + delay_ms + life_ms)
  end
end

redis.call('SADD', lane.lanes, lane.name)
if goes_on then
  local started = dispatch(lane, taker, now)
  return {'ok', started, unpack(taker.taken)}
end
look_again(lane, now)
return {'ok', 0}
