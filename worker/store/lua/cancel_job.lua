-- include: lib/types
-- include: lib/time
-- include: lib/outage
-- include: lib/batches
-- include: lib/ends
-- An open job of which Factus has nothing ends as cancelled: ledger, event, batch, document and lane in one step. Whoever has
-- it in hand loses it with its fence: no permit is given to an older one, so nothing of it is sent from here on.
-- KEYS: 1 job, 2 its results stream, 3 deadlines, 4 batches due, 5 lane's hash, 6 waiting, 7 later, 8 flight, 9 account,
--   10 arq's queue, 11 lanes due, 12 list of what was cancelled, 13 document, 14 joined jobs of the document (13 and 14: the
--   job's key for jobs that issue nothing), 15 job that takes the document over (the job's key when nobody does).
-- ARGV: 1 job id, 2 seq that was read, 3 retention ms, 4 largest length of the stream, 5 what stands before a batch's key,
--   6 what stands before arq's id of the job, 7 before arq's job, 8 before its mark, 9 lane, 10 member of the deadlines,
--   11 error (JSON), 12 ms for which a DELETE may arrive late; of who takes the document over: 13 id ('': nobody does),
--   14 start ms, 15 end ms (0: unbounded), 16 how long it is tried, ms, 17 member of the deadlines;
--   then the tally, five values of the event.
-- Reply: 'cancelled' | 'unknown' | 'final' | 'sent' (Factus may have it) | 'changed' (read again): nothing was written.
local job, results, deadlines, batches_due = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local lane_hash, waiting, later, flight = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local account, queue, lanes_due, list = KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local document, joined = KEYS[13] ~= job and KEYS[13] or false, KEYS[14]
local id, retention_ms, heir = ARGV[1], ARGV[3], ARGV[13]
local reader = reader_of(ARGV, 18)
local own_tally, event = read_tally(reader), reader.some(5)
local wrong = misfit(job, 'hash', results, 'stream', deadlines, 'zset', lane_hash, 'hash', waiting, 'zset', later, 'zset',
  flight, 'zset', account, 'hash', queue, 'zset', lanes_due, 'zset', list, 'list', document, 'hash',
  document and joined, 'list', heir ~= '' and KEYS[15], 'hash')
if wrong then return wrong end

local now = now_ms()
local held = redis.call('HMGET', job, 'v', 'state', 'seq', 'sent', 'sending_at', 'pending_since', 'epoch')
local state, sent = held[2] or 'waiting', held[4] or '' -- a record's defaults are not stored
if not held[1] then return 'unknown' end
if state == 'final' then return 'final' end
-- `unknown` without a sending of its own: the reference was tried before, or is being removed; this job has sent nothing.
local may_be_there = number(held[6]) > 0 or sent == 'sending' or sent == 'deleting'
  or (sent == 'unknown' and number(held[5]) > 0)
if may_be_there then return 'sent' end
if (held[3] or '0') ~= ARGV[2] then return 'changed' end
local owns = document and state ~= 'joined' and redis.call('HGET', document, 'job') == id
  and redis.call('HGET', document, 'state') == 'open'
if owns and (redis.call('LINDEX', joined, 0) or '') ~= heir then return 'changed' end
if state == 'joined' and redis.call('LREM', joined, 1, id) == 0 then return 'changed' end

local starts_at = number(redis.call('ZSCORE', later, id))
publish(results, ARGV[4], event)
redis.call('ZREM', waiting, id)
redis.call('ZREM', later, id)
redis.call('ZREM', flight, id)
redis.call('ZREM', deadlines, ARGV[10])
if state == 'inflight' then
  local arq_id = ARGV[6] .. (held[7] or '0')
  redis.call('ZREM', queue, arq_id)
  redis.call('DEL', ARGV[7] .. arq_id, ARGV[8] .. arq_id)
  redis.call('HDEL', account, 'probe_until') -- it may have been the one that asks
end
bump(job, 'fence', 1, text(now))
redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', event[2], 'final_at', text(now), 'last_error', ARGV[11],
  'seq', text(number(held[3]) + 1))
redis.call('PEXPIRE', job, retention_ms)
tally(ARGV[5], batches_due, own_tally, event[2], retention_ms)

if owns and heir ~= '' then
  -- Another job asked for the same document, and nobody has cancelled that one.
  redis.call('LPOP', joined)
  redis.call('HSET', document, 'job', heir)
  local begins = math.max(now, number(ARGV[14]))
  local deadline_at = begins + number(ARGV[16])
  local ends_at = number(ARGV[15])
  redis.call('HSET', KEYS[15], 'state', 'waiting', 'deadline_at', text(deadline_at), 'sent', sent)
  redis.call('ZADD', deadlines, text(ends_at > 0 and math.min(ends_at, deadline_at) or deadline_at), ARGV[17])
  redis.call('HSET', KEYS[15], 'next_at', text(begins))
  redis.call('ZADD', later, text(begins), heir)
elseif owns then
  redis.call('HSET', document, 'state', 'failed')
  -- What kept this one waiting may keep the next one: a DELETE of an earlier job that had no answer.
  if starts_at > now then
    local free_at = math.min(starts_at, now + number(ARGV[12]))
    redis.call('HSET', document, 'free_at', text(math.max(free_at, number(redis.call('HGET', document, 'free_at')))))
  end
  redis.call('PEXPIRE', document, retention_ms)
end
if redis.call('HGET', lane_hash, 'held_by') == id then
  redis.call('HDEL', lane_hash, 'hold_until', 'hold_reason')
  forget_hold(lane_hash)
end
redis.call('ZADD', lanes_due, text(now), ARGV[9])
redis.call('RPUSH', list, id)
redis.call('PEXPIRE', list, retention_ms)
return 'cancelled'
