-- include: lib/types
-- include: lib/fence
-- Whose turn it is to change one thing at Factus (a range, the company, what bears a reference): the jobs that want to
-- stand in a line, and each waits until those before it are final. A job that died, or pauses with its outcome unknown,
-- keeps its turn. Nobody has to give it back: a final job's turn is over.
-- KEYS: 1 line, 2 job, 3 document that is to be removed (absent for anything else).
-- ARGV: 1 fence of the job, 2 its id, 3 what stands before an id in the key of a record, 4 ms for which a line is kept.
-- Reply: 'held' | 'queued' | 'issuing' (an attempt to issue the document is under way) | 'lost'
local wrong = misfit(KEYS[1], 'list', KEYS[2], 'hash', KEYS[3] or false, 'hash')
if wrong then return wrong end
if not owns(KEYS[2], ARGV[1]) then return 'lost' end
local stands = false
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do stands = stands or id == ARGV[2] end
if not stands then redis.call('RPUSH', KEYS[1], ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local first = redis.call('LINDEX', KEYS[1], 0)
while first ~= ARGV[2] do
  local before = fields_of(ARGV[3] .. first, 'state') or {} -- what is no record has no turn
  if before[1] and before[1] ~= 'final' then return 'queued' end
  redis.call('LPOP', KEYS[1])
  first = redis.call('LINDEX', KEYS[1], 0)
end
if KEYS[3] then
  local document = redis.call('HMGET', KEYS[3], 'state', 'job')
  if document[1] == 'open' then
    local issuing = ARGV[3] .. (document[2] or '')
    local found = fields_of(issuing, 'state', 'sent', 'v') or {}
    if found[1] == 'inflight' then return 'issuing' end
    -- It waits. When it begins it looks before it sends, and so sees that the document is being removed.
    if found[3] and (found[2] or '') == '' then redis.call('HSET', issuing, 'sent', 'unknown') end
  end
end
return 'held'
