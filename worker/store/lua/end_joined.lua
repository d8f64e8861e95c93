-- include: lib/types
-- include: lib/time
-- include: lib/batches
-- include: lib/ends
-- Some of the jobs that joined a document become final, after its owner: their events, and what follows the document.
-- KEYS: 1 their ids, 2 the owner's event, 3 the set of what is to be drained, 4 results stream, 5 batches due, 6 lanes
--   due, 7 lanes, 8 deadlines, 9 document, then a key for each job, then for each job that follows: job, waiting and
--   later of its lane.
-- ARGV: 1 member of the set, 2 lease ms, 3 retention ms, 4 largest length of the stream, 5 what stands before a batch's
--   key, 6 number of jobs, 7 number of those that follow; then for each job: id, seq, tally, five values of the event;
--   then the jobs that follow (lib/ends.lua).
-- Reply: jobs that are left; -1 when others have been at it, and nothing was written.
local ids, due, results, n_jobs = KEYS[1], KEYS[3], KEYS[4], tonumber(ARGV[6])
local reader, jobs, followers = reader_of(ARGV, 8), {}, {}
for n = 1, n_jobs do
  local one = { id = reader.one(), seq = reader.one(), tally = read_tally(reader) }
  one.event, one.key = reader.some(5), KEYS[9 + n]
  jobs[n] = one
end
for n = 1, tonumber(ARGV[7]) do followers[n] = read_follower(reader, KEYS, 10 + n_jobs + 3 * (n - 1)) end

local wrong = misfit(ids, 'list', KEYS[2], 'string', due, 'zset', results, 'stream', KEYS[6], 'zset', KEYS[7], 'set',
  KEYS[8], 'zset', KEYS[9], 'hash') or followers_misfit(followers)
if wrong then return wrong end
local first = redis.call('LRANGE', ids, 0, n_jobs - 1)
if #first ~= n_jobs then return -1 end
for n = 1, n_jobs do
  if first[n] ~= jobs[n].id then return -1 end
end

local now = now_ms()
for _, one in ipairs(jobs) do
  publish(results, ARGV[4], one.event)
  local known = fields_of(one.key, 'v')
  if known and known[1] then
    redis.call('HSET', one.key, 'state', 'final', 'final_type', one.event[2], 'final_at', text(now), 'seq', one.seq)
    redis.call('HDEL', one.key, 'payload')
    redis.call('PEXPIRE', one.key, ARGV[3])
  end
  tally(ARGV[5], KEYS[5], one.tally, one.event[2], ARGV[3])
end
follow(followers, KEYS[9], KEYS[7], KEYS[6], KEYS[8], now)
redis.call('LTRIM', ids, n_jobs, -1)
local n_left = redis.call('LLEN', ids)
if n_left > 0 then
  redis.call('ZADD', due, text(now + tonumber(ARGV[2])), ARGV[1])
else
  redis.call('DEL', ids, KEYS[2])
  redis.call('ZREM', due, ARGV[1])
end
return n_left
