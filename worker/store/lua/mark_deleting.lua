-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- Write into a job under way that its document is being removed: what must survive a crash before the DELETE.
-- KEYS: 1 job. ARGV: 1 fence, 2 verdict, 3 number of the document or ''. Reply: 1, or 0 when the job is no longer ours.
local wrong = misfit(KEYS[1], 'hash')
if wrong then return wrong end
if not owns(KEYS[1], ARGV[1]) then return 0 end
local now = text(now_ms())
redis.call('HSET', KEYS[1], 'sent', 'deleting', 'deleting_at', now, 'verdict', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'number', ARGV[3]) end
return 1
