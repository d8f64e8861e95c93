-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A job under way claims the removal of a document that bars its family, and that another job of ours, which is final, has
-- left at Factus. The DELETE may arrive late: nothing is issued under the reference before that is settled.
-- KEYS: job, document, waiters
-- ARGV: fence, settle_ms, job_prefix
-- waiters: those that remove the document. settle_ms: for how long the reference is not free.
-- job_prefix: what stands before an id in the key of a record.
-- Reply: 'held' | 'taken' (somebody issues or removes it) | 'lost'
local wrong = misfit(KEYS.job, 'hash', KEYS.document, 'hash', KEYS.waiters, 'list')
if wrong then return wrong end
if not owns(KEYS.job, ARGV.fence) then return 'lost' end
local state = redis.call('HGET', KEYS.document, 'state')
if state ~= 'rejected' and state ~= 'failed' then return 'taken' end
for _, id in ipairs(redis.call('LRANGE', KEYS.waiters, 0, -1)) do
  local other = (fields_of(ARGV.job_prefix .. id, 'state') or {})[1]
  if other and other ~= 'final' then return 'taken' end
end
local free_at = math.max(now_ms() + tonumber(ARGV.settle_ms), number(redis.call('HGET', KEYS.document, 'free_at')))
redis.call('HSET', KEYS.document, 'free_at', text(free_at))
return 'held'
