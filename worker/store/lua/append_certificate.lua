-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A certificate comes into the chain of its account, if the chain still ends where it was made for; in one step with the
-- job's progress: from here on the job ends with that certificate, whatever happens, and cannot be cancelled.
-- KEYS: job, chain, pages
-- ARGV: id, fence, previous, sha256, progress
-- previous: of the certificate that is the last of the chain, '' for none. pages: what the job has put aside; it goes.
-- Reply: 'ok' | 'moved' (another one came first: nothing was written) | 'lost'
local wrong = misfit(KEYS.job, 'hash', KEYS.chain, 'hash', KEYS.pages, 'hash')
if wrong then return wrong end
if not owns(KEYS.job, ARGV.fence) then return 'lost' end
-- Done before: a script that ran and whose answer was lost is sent again, and others may have come behind it by then.
if redis.call('HGET', KEYS.job, 'progress') == ARGV.progress then return 'ok' end
if (redis.call('HGET', KEYS.chain, 'sha256') or '') ~= ARGV.previous then return 'moved' end
redis.call('HSET', KEYS.chain, 'sha256', ARGV.sha256, 'job', ARGV.id)
redis.call('HSET', KEYS.job, 'progress', ARGV.progress, 'sent', 'sending', 'sending_at', text(now_ms()))
redis.call('DEL', KEYS.pages)
return 'ok'
