-- include: lib/types
-- include: lib/time
-- include: lib/batches
-- include: lib/ends
-- Some of the jobs that joined a document become final, after its owner: their events, and what follows the document.
-- KEYS: ids, event, ended_due, results, batches_due, lanes_due, lanes, deadlines, document, rest...
-- ARGV: member, lease_ms, retention_ms, maxlen, batch_prefix, n_jobs, n_follow_ups, rest...
-- ids, event: the jobs that joined, and the owner's event. ended_due: the set of what is to be drained; member: of it.
-- rest of KEYS: each job, then FOLLOW_UP_KEYS for each job that follows the document.
-- rest of ARGV: for each job its id, seq, TALLY, EVENT; then the jobs that follow (FOLLOW_UP, lib/ends.lua).
-- Reply: jobs that are left; -1 when others have been at it, and nothing was written.
local ids, due, results, n_jobs = KEYS.ids, KEYS.ended_due, KEYS.results, tonumber(ARGV.n_jobs)
local reader, jobs, follow_ups = reader_of(ARGV.rest), {}, {}
local keys, before = KEYS.rest
for n = 1, n_jobs do
  local one = { id = reader.one(), seq = reader.one(), tally = read_tally(reader) }
  one.event, one.key = reader.some(#EVENT), keys[before + n]
  jobs[n] = one
end
for n = 1, tonumber(ARGV.n_follow_ups) do
  follow_ups[n] = read_follow_up(reader, keys, before + n_jobs + #FOLLOW_UP_KEYS * (n - 1))
end

local wrong = misfit(ids, 'list', KEYS.event, 'string', due, 'zset', results, 'stream', KEYS.lanes_due, 'zset',
  KEYS.lanes, 'set', KEYS.deadlines, 'zset', KEYS.document, 'hash') or follow_ups_misfit(follow_ups)
if wrong then return wrong end
local first = redis.call('LRANGE', ids, 0, n_jobs - 1)
if #first ~= n_jobs then return -1 end
for n = 1, n_jobs do
  if first[n] ~= jobs[n].id then return -1 end
end

local now = now_ms()
for _, one in ipairs(jobs) do
  publish(results, ARGV.maxlen, one.event)
  local known = fields_of(one.key, 'v')
  if known and known[1] then
    local final_type = one.event[EVENT.type]
    redis.call('HSET', one.key, 'state', 'final', 'final_type', final_type, 'final_at', text(now), 'seq', one.seq)
    redis.call('HDEL', one.key, 'payload')
    redis.call('PEXPIRE', one.key, ARGV.retention_ms)
  end
  tally(ARGV.batch_prefix, KEYS.batches_due, one.tally, one.event[EVENT.type], ARGV.retention_ms)
end
follow(follow_ups, KEYS.document, KEYS.lanes, KEYS.lanes_due, KEYS.deadlines, now)
redis.call('LTRIM', ids, n_jobs, -1)
local n_left = redis.call('LLEN', ids)
if n_left > 0 then
  redis.call('ZADD', due, text(now + tonumber(ARGV.lease_ms)), ARGV.member)
else
  redis.call('DEL', ids, KEYS.event)
  redis.call('ZREM', due, ARGV.member)
end
return n_left
