-- include: lib/types
-- A dead letter's job goes back into an intake stream under a new id, and the letter goes with it: one step, so that two
-- operators cannot push it twice.
-- KEYS: 1 dead letters, 2 intake stream, 3 record of a job of the new id, 4 document (not known: the dead letters again).
-- ARGV: 1 letter, 2 envelope (JSON), 3 id of the letter's job, 4 retention ms.
-- Reply: {'pushed', entry} | {'gone'}: no such letter | {'taken'}: the new id is another job's. Only the first has done
--   anything.
local dead, stream, record, document = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local knows_document = document ~= dead
local wrong = misfit(dead, 'stream', stream, 'stream', knows_document and document, 'hash')
if wrong then return wrong end
if #redis.call('XRANGE', dead, ARGV[1], ARGV[1]) == 0 then return {'gone'} end
if redis.call('EXISTS', record) == 1 then return {'taken'} end
-- First, because a stream can refuse an entry for reasons that no look at it tells beforehand.
local entry = redis.call('XADD', stream, '*', 'job', ARGV[2])
if knows_document and redis.call('EXISTS', document) == 0 then
  -- Letters outlive the ledger: what it has forgotten may still be at Factus, so the new attempt has to look first.
  redis.call('HSET', document, 'v', '1', 'state', 'failed', 'job', ARGV[3], 'fingerprint', '')
  redis.call('PEXPIRE', document, ARGV[4])
end
redis.call('XDEL', dead, ARGV[1])
return {'pushed', entry}
