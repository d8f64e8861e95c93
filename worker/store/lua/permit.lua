-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/allowance
-- One permit of the account's allowance, taken at the moment of sending. With a job it is also the ledger's
-- transition to `sending`: no byte of a document leaves unrecorded, and none is recorded as sent without a permit.
-- For a DELETE it is the instant from which on it may take what bears the reference: who has lost the job sends none.
-- KEYS: grants, account, job?, document?
-- ARGV: limit, window_ms, fence?, latest_ms?, what?, settle_ms?
-- job: absent for look-ups and tokens. document: the one that is removed, where it is another job's.
-- latest_ms: at which the job may be sent; 0 for any. what: `sending` | `deleting`.
-- settle_ms: for how long the reference of the document is not free.
-- Reply: {'granted', ms, used} | {'wait', ms until a place is free} | {'late'} | {'lost'}
local wrong = misfit(KEYS.grants, 'list', KEYS.account, 'hash', KEYS.job or false, 'hash', KEYS.document or false, 'hash')
if wrong then return wrong end
local now = now_ms()
if KEYS.job then
  if not owns(KEYS.job, ARGV.fence) then return {'lost'} end
  local latest = number(ARGV.latest_ms)
  if latest > 0 and now >= latest then return {'late'} end
end
local hold = number(redis.call('HGET', KEYS.account, 'hold_until'))
if hold > now then return {'wait', text(hold - now)} end
local limit, window_ms = tonumber(ARGV.limit), window_of(KEYS.account, tonumber(ARGV.window_ms))
local free_at = permit_at(KEYS.grants, limit, window_ms)
if free_at > now then return {'wait', text(free_at - now)} end
redis.call('LPUSH', KEYS.grants, text(now))
redis.call('LTRIM', KEYS.grants, 0, limit - 1)
redis.call('PEXPIRE', KEYS.grants, text(window_ms))
if KEYS.document then
  local free_at = math.max(now + tonumber(ARGV.settle_ms), number(redis.call('HGET', KEYS.document, 'free_at')))
  redis.call('HSET', KEYS.document, 'free_at', text(free_at))
elseif KEYS.job and ARGV.what == 'deleting' then
  redis.call('HSET', KEYS.job, 'deleting_at', text(now))
elseif KEYS.job then
  redis.call('HSET', KEYS.job, 'sent', 'sending', 'sending_at', text(now))
  bump(KEYS.job, 'attempts', 1, '1')
end
return {'granted', text(now), redis.call('LLEN', KEYS.grants)}
