-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- Write into a job under way that its document is being removed: what must survive a crash before the DELETE.
-- KEYS: job
-- ARGV: fence, verdict, number
-- number: of the document, or ''.
-- Reply: 1, or 0 when the job is no longer ours.
local wrong = misfit(KEYS.job, 'hash')
if wrong then return wrong end
if not owns(KEYS.job, ARGV.fence) then return 0 end
local now = text(now_ms())
redis.call('HSET', KEYS.job, 'sent', 'deleting', 'deleting_at', now, 'verdict', ARGV.verdict)
if ARGV.number ~= '' then redis.call('HSET', KEYS.job, 'number', ARGV.number) end
return 1
