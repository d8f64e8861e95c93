-- include: lib/types
-- The closing event of a batch whose jobs are all final; once.
-- KEYS: 1 batch, 2 batches due, 3 results stream, 4 documents of the batch.
-- ARGV: 1 member of the batches due, 2 number of final jobs that the event was built from, 3 largest length of the
--   stream, 4-8 the event's five values. Reply: 1 when it was published, 0 when it had been or the count has changed.
local wrong = misfit(KEYS[1], 'hash', KEYS[2], 'set', KEYS[3], 'stream')
if wrong then return wrong end
local held = redis.call('HMGET', KEYS[1], 'n_final', 'closed')
if held[2] or not held[1] then
  redis.call('SREM', KEYS[2], ARGV[1])
  return 0
end
if held[1] ~= ARGV[2] then return 0 end
-- First, because a stream can refuse an entry for reasons that no look at it tells beforehand.
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'event', ARGV[4], 'type', ARGV[5],
  'account', ARGV[6], 'job_id', ARGV[7], 'reference_code', ARGV[8])
redis.call('HSET', KEYS[1], 'closed', '1')
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[4]) -- the total is told once; nobody asks for it later
return 1
