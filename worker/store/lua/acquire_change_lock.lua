-- include: lib/types
-- include: lib/fence
-- The lock on changing one thing at Factus (a range, the company, what bears a reference). Jobs get it in the order in
-- which they asked, each when those before it are final. A job that died, or pauses with its outcome unknown, keeps it.
-- Nobody has to give it back: a final job has lost it.
-- KEYS: waiters, job, document?
-- ARGV: fence, id, job_prefix, keep_ms
-- document: the one that is to be removed; absent for anything else.
-- job_prefix: what stands before an id in the key of a record. keep_ms: for how long the list is kept.
-- Reply: 'held' | 'queued' | 'issuing' (an attempt to issue the document is under way) | 'lost'
local wrong = misfit(KEYS.waiters, 'list', KEYS.job, 'hash', KEYS.document or false, 'hash')
if wrong then return wrong end
if not owns(KEYS.job, ARGV.fence) then return 'lost' end
local stands = false
for _, id in ipairs(redis.call('LRANGE', KEYS.waiters, 0, -1)) do stands = stands or id == ARGV.id end
if not stands then redis.call('RPUSH', KEYS.waiters, ARGV.id) end
redis.call('PEXPIRE', KEYS.waiters, ARGV.keep_ms)
local first = redis.call('LINDEX', KEYS.waiters, 0)
while first ~= ARGV.id do
  local before = fields_of(ARGV.job_prefix .. first, 'state') or {} -- what is no record has no turn
  if before[1] and before[1] ~= 'final' then return 'queued' end
  redis.call('LPOP', KEYS.waiters)
  first = redis.call('LINDEX', KEYS.waiters, 0)
end
if KEYS.document then
  local document = redis.call('HMGET', KEYS.document, 'state', 'job')
  if document[1] == 'open' then
    local issuing = ARGV.job_prefix .. (document[2] or '')
    local found = fields_of(issuing, 'state', 'sent', 'v') or {}
    if found[1] == 'inflight' then return 'issuing' end
    -- It waits. When it begins it looks before it sends, and so sees that the document is being removed.
    if found[3] and (found[2] or '') == '' then redis.call('HSET', issuing, 'sent', 'unknown') end
  end
end
return 'held'
