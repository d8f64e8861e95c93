-- include: lib_lanes
-- The end of an attempt: ledger, events and lane in one step, and the lane's next job started with it.
-- KEYS: 1-9 the lane, 10 job, 11 results stream, 12 document, 13 joined jobs of the document (12 and 13 absent for jobs
--   that issue nothing), then one key for each joined job.
-- ARGV: 1-8 the lane, then in order: job id, fence, ending (`final`, or what waits: `lane`, `account`, `job`),
--   pause ms, reason of the pause, document state (final), retention ms (final), largest length of the stream,
--   1 to start the lane's next job, number of joined jobs, number of own events, number of record fields;
--   then the record fields (name, value), the own events, the joined jobs' events (five values each).
-- Reply: {'ok', started} | {'lost'} | {'joined', ids...}: who has joined meanwhile; nothing was written.
local lane = lane_of(KEYS, ARGV)
local job, results, document, joined = KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local id, fence, ending = ARGV[9], ARGV[10], ARGV[11]
local pause_ms, reason, document_state = tonumber(ARGV[12]), ARGV[13], ARGV[14]
local retention_ms, maxlen, goes_on = ARGV[15], ARGV[16], ARGV[17] == '1'
local n_joined, n_events, n_fields = tonumber(ARGV[18]), tonumber(ARGV[19]), tonumber(ARGV[20])

local held = redis.call('HMGET', job, 'state', 'fence', 'score')
if held[1] ~= 'inflight' or held[2] ~= fence then return {'lost'} end
if ending == 'final' and joined then
  local ids = redis.call('LRANGE', joined, 0, -1)
  if #ids ~= n_joined then
    table.insert(ids, 1, 'joined')
    return ids
  end
end

local now = now_ms()
local at = 21
for _ = 1, n_fields do
  redis.call('HSET', job, ARGV[at], ARGV[at + 1])
  at = at + 2
end

local function publish()
  redis.call('XADD', results, 'MAXLEN', '~', maxlen, '*', 'event', ARGV[at], 'type', ARGV[at + 1],
    'account', ARGV[at + 2], 'job_id', ARGV[at + 3], 'reference_code', ARGV[at + 4])
  at = at + 5
end

local final_event, final_type
for n = 1, n_events do
  final_event, final_type = ARGV[at], ARGV[at + 1]
  publish()
end

redis.call('ZREM', lane.flight, id)
if ending == 'final' then
  redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', final_type, 'final_at', text(now))
  redis.call('PEXPIRE', job, retention_ms)
  if document then
    redis.call('HSET', document, 'state', document_state)
    if document_state == 'validated' then
      -- From here a repeated push is answered by the document's event; the payload has done its work.
      redis.call('HSET', document, 'event', final_event)
      redis.call('HDEL', job, 'payload')
    end
    redis.call('PEXPIRE', document, retention_ms)
    for n = 1, n_joined do
      local other = KEYS[13 + n]
      local seq = tonumber(redis.call('HGET', other, 'seq') or 0) + 1
      redis.call('HSET', other, 'state', 'final', 'final_type', ARGV[at + 1], 'final_at', text(now), 'seq', seq)
      redis.call('HDEL', other, 'payload')
      redis.call('PEXPIRE', other, retention_ms)
      publish()
    end
    redis.call('DEL', joined)
  end
elseif ending == 'job' then
  redis.call('HSET', job, 'state', 'waiting', 'next_at', text(now + pause_ms))
  redis.call('ZADD', lane.later, text(now + pause_ms), id)
else
  redis.call('HSET', job, 'state', 'waiting', 'next_at', text(now + pause_ms))
  redis.call('ZADD', lane.waiting, held[3] or '0', id)
  local where = ending == 'account' and lane.account or lane.hash
  redis.call('HSET', where, 'hold_until', text(now + pause_ms), 'hold_reason', reason)
end

redis.call('SADD', lane.lanes, lane.name)
if goes_on then return {'ok', dispatch(lane, now)} end
look_again(lane, now)
return {'ok', 0}
