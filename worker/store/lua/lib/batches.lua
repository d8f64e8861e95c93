-- include: lib/types
-- TALLY: member, cents, number, failure, document
-- Counting final jobs in their batch. Included by every script that makes a job final, so that a count and the event
-- that it counts are one step. Nothing here can fail: a job's end does not depend on the keys of its batch.

local MOST_FAILURES = 1000 -- kept by name; the counts are complete all the same

local function note_if_complete(batch, due, member)
  local held = redis.call('HMGET', batch, 'size', 'n_final', 'closed')
  local size = number(held[1])
  if size > 0 and number(held[2]) >= size and not held[3] and not misfit(due, 'set') then
    redis.call('SADD', due, member)
  end
end

-- The largest size counts that an accepted job has stated; what refused ones state only where no accepted one has stated
-- any. `is_refused`: the job that states it was.
local function state_size(batch, due, member, size, is_refused)
  if misfit(batch, 'hash') or size <= 0 or size > MOST then return end
  local held = redis.call('HMGET', batch, 'size', 'stated')
  local known, by_refused = number(held[1]), held[2] == 'refused'
  if is_refused and known > 0 and not by_refused then return end
  local replaces = by_refused and not is_refused
  if size > known or replaces then
    redis.call('HSET', batch, 'size', text(size), 'stated', is_refused and 'refused' or 'accepted')
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

-- A sum that would no longer be exact stays as it is.
local function add_cents(batch, cents)
  if not string.find(cents, '^%d+$') or #cents > 18 then return end
  local found = redis.pcall('HINCRBY', batch, 'cents', cents)
  if type(found) ~= 'table' then return end
  local held = redis.call('HGET', batch, 'cents')
  if not (held and string.find(held, '^%d+$')) then redis.call('HSET', batch, 'cents', cents) end
end

-- How a job counts in its batch, from the values after the place `at`: member (`account/batch`, '' for none), cents
-- (validated), number, failure (JSON or ''), document (`family/reference`, '' when it has none).
local function tally_of(argv, at)
  return {
    member = argv[at + TALLY.member], cents = argv[at + TALLY.cents], number = argv[at + TALLY.number],
    failure = argv[at + TALLY.failure], document = argv[at + TALLY.document],
  }
end

local function read_tally(reader)
  reader.at = reader.at + #TALLY
  return tally_of(reader.argv, reader.at - #TALLY)
end

-- One more final job.
local function tally(prefix, due, t, final_type, retention_ms)
  if t.member == '' then return end
  -- As worker/store/keys.py has them.
  local batch, failures = prefix .. t.member, prefix .. ':failures:' .. t.member
  local documents = prefix .. ':documents:' .. t.member
  if misfit(batch, 'hash', failures, 'list', documents, 'set') then
    -- It cannot be counted. Whoever closes batches stumbles over it and says so.
    if not misfit(due, 'set') then redis.call('SADD', due, t.member) end
    return
  end
  bump(batch, 'n_final', 1, '1')
  bump(batch, 'type:' .. final_type, 1, '1')
  if t.document ~= '' and is_new_in(documents, t.document, retention_ms) then add_cents(batch, t.cents) end
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
