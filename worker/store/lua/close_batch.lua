-- include: lib/types
-- include: lib/events
-- include: lib/reader
-- The closing event of a batch whose jobs are all final; once.
-- KEYS: batch, batches_due, results, documents
-- ARGV: member, n_final, maxlen, event[EVENT]
-- documents: of the batch. member: of the batches due. n_final: the final jobs that the event was built from.
-- Reply: 1 when it was published, 0 when it had been or the count has changed.
local wrong = misfit(KEYS.batch, 'hash', KEYS.batches_due, 'set', KEYS.results, 'stream')
if wrong then return wrong end
local held = redis.call('HMGET', KEYS.batch, 'n_final', 'closed')
if held[2] or not held[1] then
  redis.call('SREM', KEYS.batches_due, ARGV.member)
  return 0
end
if held[1] ~= ARGV.n_final then return 0 end
-- First, because a stream can refuse an entry for reasons that no look at it tells beforehand.
publish(KEYS.results, ARGV.maxlen, reader_of(ARGV.event).some(#EVENT))
redis.call('HSET', KEYS.batch, 'closed', '1')
redis.call('SREM', KEYS.batches_due, ARGV.member)
redis.call('DEL', KEYS.documents) -- the total is told once; nobody asks for it later
return 1
