-- Counting final jobs in their batch. Included by every script that makes a job final, so that a count and the event
-- that it counts are one step.

local MOST_FAILURES = 1000 -- kept by name; the counts are complete all the same

local function note_if_complete(batch, due, member)
  local held = redis.call('HMGET', batch, 'size', 'n_final', 'closed')
  local size = tonumber(held[1] or 0)
  if size > 0 and tonumber(held[2] or 0) >= size and not held[3] then redis.call('SADD', due, member) end
end

-- The largest stated size counts.
local function state_size(batch, due, member, size)
  if size > tonumber(redis.call('HGET', batch, 'size') or 0) then
    redis.call('HSET', batch, 'size', size)
    note_if_complete(batch, due, member)
  end
end

-- The money of a document counts once in a batch, however many of its jobs have that document: joined, or answered from
-- the ledger, in this script or in another one weeks later. Its documents are kept by name until the batch is closed.
local function is_new_in(documents, document, retention_ms)
  local is_new = redis.call('SADD', documents, document) == 1
  redis.call('PEXPIRE', documents, retention_ms)
  return is_new
end

-- One more final job. t: member (`account/batch`, '' for none), cents (validated), number, failure (JSON or ''),
-- document (`family/reference`, '' when it has none).
local function tally(prefix, due, t, final_type, retention_ms)
  if t.member == '' then return end
  -- As worker/keys.py has them.
  local batch, failures = prefix .. t.member, prefix .. ':failures:' .. t.member
  redis.call('HINCRBY', batch, 'n_final', 1)
  redis.call('HINCRBY', batch, 'type:' .. final_type, 1)
  if t.document ~= '' and is_new_in(prefix .. ':documents:' .. t.member, t.document, retention_ms) then
    redis.call('HINCRBY', batch, 'cents', t.cents)
  end
  if t.number ~= '' then
    redis.call('HSETNX', batch, 'first_number', t.number)
    redis.call('HSET', batch, 'last_number', t.number)
  end
  if t.failure ~= '' then
    redis.call('RPUSH', failures, t.failure)
    redis.call('LTRIM', failures, 0, MOST_FAILURES - 1)
    redis.call('PEXPIRE', failures, retention_ms)
  end
  redis.call('PEXPIRE', batch, retention_ms)
  note_if_complete(batch, due, t.member)
end
