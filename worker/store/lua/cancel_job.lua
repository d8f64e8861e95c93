-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/outage
-- include: lib/batches
-- include: lib/day_index
-- include: lib/ends
-- include: lib/days
-- An open job of which Factus has nothing ends as cancelled: ledger, event, batch, document and lane in one step. Whoever has
-- it in hand loses it with its fence: no permit is given to an older one, so nothing of it is sent from here on.
-- KEYS: job, results, deadlines, batches_due, lane, waiting, later, flight, account, queue, lanes_due, cancelled, document,
--   joined, heir, days
-- ARGV: id, seq, retention_ms, maxlen, batch_prefix, arq_prefix, arq_job_prefix, mark_prefix, lane, member, error,
--   heir, heir_starts_ms, heir_ends_ms, heir_day_ends_ms, deadline_ms, heir_member, ends_prefix,
--   ends_member, tally[TALLY], event[EVENT]
-- document, joined: the job's key for jobs that issue nothing. heir: the job that takes the document over, its key and id;
--   the job's key and '' when nobody does.
-- seq: as it was read. arq_prefix: what stands before arq's id of the job. member, heir_member: of the deadlines.
-- error: JSON. heir_ends_ms: 0 for unbounded.
-- deadline_ms: how long the heir is tried. ends_prefix, ends_member: see lib/day_index.lua.
-- Reply: 'cancelled' | 'unknown' | 'final' | 'sent' (Factus may have it) | 'changed' (read again): nothing was written.
local job, results, deadlines, batches_due = KEYS.job, KEYS.results, KEYS.deadlines, KEYS.batches_due
local lane_hash, waiting, later, flight = KEYS.lane, KEYS.waiting, KEYS.later, KEYS.flight
local account, queue, lanes_due, list = KEYS.account, KEYS.queue, KEYS.lanes_due, KEYS.cancelled
local document, joined = KEYS.document ~= job and KEYS.document or false, KEYS.joined
local id, retention_ms, heir = ARGV.id, ARGV.retention_ms, ARGV.heir
local own_tally, event = tally_of(ARGV.tally), reader_of(ARGV.event).some(#EVENT)
local wrong = misfit(job, 'hash', results, 'stream', deadlines, 'zset', lane_hash, 'hash', waiting, 'zset', later, 'zset',
  flight, 'zset', account, 'hash', queue, 'zset', lanes_due, 'zset', list, 'list', document, 'hash',
  document and joined, 'list', heir ~= '' and KEYS.heir, 'hash')
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
if (held[3] or '0') ~= ARGV.seq then return 'changed' end
local owns = document and state ~= 'joined' and redis.call('HGET', document, 'job') == id
  and redis.call('HGET', document, 'state') == 'open'
if owns and (redis.call('LINDEX', joined, 0) or '') ~= heir then return 'changed' end
if state == 'joined' and redis.call('LREM', joined, 1, id) == 0 then return 'changed' end

publish(results, ARGV.maxlen, event)
redis.call('ZREM', waiting, id)
redis.call('ZREM', later, id)
redis.call('ZREM', flight, id)
redis.call('ZREM', deadlines, ARGV.member)
leave_day(lane_hash, job, id)
if state == 'inflight' then
  local arq_id = ARGV.arq_prefix .. (held[7] or '0')
  redis.call('ZREM', queue, arq_id)
  redis.call('DEL', ARGV.arq_job_prefix .. arq_id, ARGV.mark_prefix .. arq_id)
  redis.call('HDEL', account, 'probe_until') -- it may have been the one that asks
end
raise_fence(job, now)
redis.call('HSET', job, 'state', 'final', 'sent', '', 'final_type', event[EVENT.type], 'final_at', text(now),
  'last_error', ARGV.error, 'seq', text(number(held[3]) + 1))
redis.call('PEXPIRE', job, retention_ms)
tally(ARGV.batch_prefix, batches_due, own_tally, event[EVENT.type], retention_ms)
note_end(ARGV.ends_prefix, ARGV.ends_member, now, ARGV.retention_ms)

if owns and heir ~= '' then
  -- Another job asked for the same document, and nobody has cancelled that one.
  redis.call('LPOP', joined)
  redis.call('HSET', document, 'job', heir)
  -- What kept this one waiting keeps the heir too: a DELETE of an earlier job that had no answer.
  local begins = math.max(now, number(ARGV.heir_starts_ms), number(redis.call('HGET', document, 'free_at')))
  local deadline_at = begins + number(ARGV.deadline_ms)
  local ends_at = number(ARGV.heir_ends_ms)
  redis.call('HSET', KEYS.heir, 'state', 'waiting', 'deadline_at', text(deadline_at), 'sent', sent)
  redis.call('ZADD', deadlines, text(ends_at > 0 and math.min(ends_at, deadline_at) or deadline_at), ARGV.heir_member)
  redis.call('HSET', KEYS.heir, 'next_at', text(begins))
  redis.call('ZADD', later, text(begins), heir)
  local its = redis.call('HMGET', KEYS.heir, 'issue_on', 'batch', 'score')
  local name, batch = string.match(ARGV.lane, '^[^/]*'), its[2] or ''
  enter_day(lane_hash, string.sub(ARGV.lane, #name + 2), KEYS.days, name, its[1] or '', number(ARGV.heir_day_ends_ms),
    batch, ARGV.batch_prefix .. name .. '/' .. batch, heir, its[3] or '0', now)
elseif owns then
  redis.call('HSET', document, 'state', 'failed')
  redis.call('PEXPIRE', document, retention_ms)
end
if redis.call('HGET', lane_hash, 'held_by') == id then
  redis.call('HDEL', lane_hash, 'hold_until', 'hold_reason')
  forget_hold(lane_hash)
end
redis.call('ZADD', lanes_due, text(now), ARGV.lane)
redis.call('RPUSH', list, id)
redis.call('PEXPIRE', list, retention_ms)
return 'cancelled'
