-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A job under way claims the removal of a document that bars its family, and that another job of ours, which is final, has
-- left at Factus. The DELETE may arrive late: nothing is issued under the reference before that is settled.
-- KEYS: 1 job, 2 document, 3 line of those that remove it. ARGV: 1 fence, 2 ms for which the reference is not free, 3 what
--   stands before an id in the key of a record.
-- Reply: 'held' | 'taken' (somebody issues or removes it) | 'lost'
local wrong = misfit(KEYS[1], 'hash', KEYS[2], 'hash', KEYS[3], 'list')
if wrong then return wrong end
if not owns(KEYS[1], ARGV[1]) then return 'lost' end
local state = redis.call('HGET', KEYS[2], 'state')
if state ~= 'rejected' and state ~= 'failed' then return 'taken' end
for _, id in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
  local other = (fields_of(ARGV[3] .. id, 'state') or {})[1]
  if other and other ~= 'final' then return 'taken' end
end
local free_at = math.max(now_ms() + tonumber(ARGV[2]), number(redis.call('HGET', KEYS[2], 'free_at')))
redis.call('HSET', KEYS[2], 'free_at', text(free_at))
return 'held'
