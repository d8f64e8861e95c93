-- A dead letter's job goes back into an intake stream under a new id, and the letter goes with it: one step, so that two
-- operators cannot push it twice.
-- KEYS: 1 dead letters, 2 intake stream, 3 record of a job of the new id, 4 document (not known: the dead letters again).
-- ARGV: 1 letter, 2 envelope (JSON), 3 id of the letter's job, 4 retention ms.
-- Reply: {'pushed', entry} | {'gone'}: no such letter | {'taken'}: the new id is another job's. Only the first has done
--   anything.
local dead, stream, record, document = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if #redis.call('XRANGE', dead, ARGV[1], ARGV[1]) == 0 then return {'gone'} end
if redis.call('EXISTS', record) == 1 then return {'taken'} end
if document ~= dead and redis.call('EXISTS', document) == 0 then
  -- Letters outlive the ledger: what it has forgotten may still be at Factus, so the new attempt has to look first.
  redis.call('HSET', document, 'v', '1', 'state', 'failed', 'job', ARGV[3], 'fingerprint', '')
  redis.call('PEXPIRE', document, ARGV[4])
end
local entry = redis.call('XADD', stream, '*', 'job', ARGV[2])
redis.call('XDEL', dead, ARGV[1])
return {'pushed', entry}
