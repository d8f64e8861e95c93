-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/allowance
-- include: lib/others
-- One permit of the account's allowance, taken at the moment of sending. With a job it is also the ledger's
-- transition to `sending`: no byte of a document leaves unrecorded, and none is recorded as sent without a permit.
-- For a DELETE it is the instant from which on it may take what bears the reference: who has lost the job sends none, and
-- the reference is not free before it is settled, however the job ends.
-- KEYS: grants, account, job?, document?
-- ARGV: limit, window_ms, fence?, latest_ms?, what?, settle_ms?, is_own?
-- job: absent for look-ups and tokens. document: the one that is removed, where a job has issued it.
-- latest_ms: at which the job may be sent; 0 for any. what: `sending` | `deleting`.
-- settle_ms: for how long the reference of the document is not free. is_own: 0 when the document is another job's.
-- Reply: {'granted', ms, used, 1 where somebody else uses the account too} | {'wait', ms until a place is free} | {'late'} (also
--   where the document is issued again by now) | {'lost'}
local FORGET_MS = 21600000
local wrong = misfit(KEYS.grants, 'list', KEYS.account, 'hash', KEYS.job or false, 'hash', KEYS.document or false, 'hash')
if wrong then return wrong end
local now = now_ms()
if KEYS.job then
  if not owns(KEYS.job, ARGV.fence) then return {'lost'} end
  local latest = number(ARGV.latest_ms)
  if latest > 0 and now >= latest then return {'late'} end
  if KEYS.document and ARGV.is_own == '0' then
    local state = redis.call('HGET', KEYS.document, 'state')
    if state ~= 'rejected' and state ~= 'failed' then return {'late'} end
  end
end
local state = redis.call('HMGET', KEYS.account, 'hold_until', 'margin_ms', 'throttled_at', 'others_until')
local hold = number(state[1])
if hold > now then return {'wait', text(hold - now)} end
local limit, margin = tonumber(ARGV.limit), number(state[2])
local window_ms = tonumber(ARGV.window_ms) + margin
local free_at = permit_at(KEYS.grants, limit, window_ms)
local beside = number(state[4]) > now and places_beside_others(KEYS.account, KEYS.grants, limit, window_ms, now)
if beside and beside[1] == 0 then free_at = math.max(free_at, beside[2]) end
if free_at > now then return {'wait', text(free_at - now)} end
if margin > 0 and now - number(state[3]) > FORGET_MS then
  -- Nothing was refused for long: half of the margin goes.
  redis.call('HSET', KEYS.account, 'margin_ms', text(math.floor(margin / 2)), 'throttled_at', text(now))
end
local is_shared = number(state[4]) > now and note_opening(KEYS.account, window_ms, now)
redis.call('LPUSH', KEYS.grants, text(now))
redis.call('LTRIM', KEYS.grants, 0, limit - 1)
redis.call('PEXPIRE', KEYS.grants, text(window_ms))
if KEYS.document then
  local free_at = math.max(now + tonumber(ARGV.settle_ms), number(redis.call('HGET', KEYS.document, 'free_at')))
  redis.call('HSET', KEYS.document, 'free_at', text(free_at))
end
if KEYS.job and ARGV.what == 'deleting' then
  if ARGV.is_own == '1' then redis.call('HSET', KEYS.job, 'deleting_at', text(now)) end
elseif KEYS.job then
  redis.call('HSET', KEYS.job, 'sent', 'sending', 'sending_at', text(now))
  bump(KEYS.job, 'attempts', 1, '1')
end
return {'granted', text(now), redis.call('LLEN', KEYS.grants), is_shared and 1 or 0}
