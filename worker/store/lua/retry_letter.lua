-- include: lib/types
-- A dead letter's job goes into the operator's intake stream under a new id, and the letter goes with it: one step, so that two
-- operators cannot push it twice.
-- KEYS: dead, stream, record, document
-- ARGV: letter, envelope, owner, job_id, retention_ms
-- record: of a job of the new id. document: the dead letters again when it is not known.
-- envelope: JSON. owner: the account by whose own stream it came first; empty for none. job_id: of the letter's job.
-- Reply: {'pushed', entry} | {'gone'}: no such letter | {'taken'}: the new id is another job's. Only the first has done
--   anything.
local dead, stream, record, document = KEYS.dead, KEYS.stream, KEYS.record, KEYS.document
local knows_document = document ~= dead
local wrong = misfit(dead, 'stream', stream, 'stream', knows_document and document, 'hash')
if wrong then return wrong end
if #redis.call('XRANGE', dead, ARGV.letter, ARGV.letter) == 0 then return {'gone'} end
if redis.call('EXISTS', record) == 1 then return {'taken'} end
-- First, because a stream can refuse an entry for reasons that no look at it tells beforehand.
local entry = redis.call('XADD', stream, '*', 'job', ARGV.envelope, 'owner', ARGV.owner)
if knows_document and redis.call('EXISTS', document) == 0 then
  -- Letters outlive the ledger: what it has forgotten may still be at Factus, so the new attempt has to look first.
  redis.call('HSET', document, 'v', '1', 'state', 'failed', 'job', ARGV.job_id, 'fingerprint', '')
  redis.call('PEXPIRE', document, ARGV.retention_ms)
end
redis.call('XDEL', dead, ARGV.letter)
return {'pushed', entry}
