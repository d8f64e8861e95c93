-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- include: lib/allowance
-- One permit of the account's allowance, taken at the moment of sending. With a job it is also the ledger's
-- transition to `sending`: no byte of a document leaves unrecorded, and none is recorded as sent without a permit.
-- For a DELETE it is the instant from which on it may take what bears the reference: who has lost the job sends none.
-- KEYS: 1 grants, 2 account, 3 job (absent for look-ups and tokens), 4 document that is removed (where it is another's).
-- ARGV: 1 limit, 2 window ms, 3 fence of the job, 4 latest ms at which the job may be sent (0: any),
--   5 what is sent: `sending` | `deleting`, 6 ms for which the reference of KEYS[4] is not free.
-- Reply: {'granted', ms, used} | {'wait', ms until a place is free} | {'late'} | {'lost'}
local wrong = misfit(KEYS[1], 'list', KEYS[2], 'hash', KEYS[3] or false, 'hash', KEYS[4] or false, 'hash')
if wrong then return wrong end
local now = now_ms()
if KEYS[3] then
  if not owns(KEYS[3], ARGV[3]) then return {'lost'} end
  local latest = number(ARGV[4])
  if latest > 0 and now >= latest then return {'late'} end
end
local hold = number(redis.call('HGET', KEYS[2], 'hold_until'))
if hold > now then return {'wait', text(hold - now)} end
local limit, window_ms = tonumber(ARGV[1]), window_of(KEYS[2], tonumber(ARGV[2]))
local free_at = permit_at(KEYS[1], limit, window_ms)
if free_at > now then return {'wait', text(free_at - now)} end
redis.call('LPUSH', KEYS[1], text(now))
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], text(window_ms))
if KEYS[4] then
  local free_at = math.max(now + tonumber(ARGV[6]), number(redis.call('HGET', KEYS[4], 'free_at')))
  redis.call('HSET', KEYS[4], 'free_at', text(free_at))
elseif KEYS[3] and ARGV[5] == 'deleting' then
  redis.call('HSET', KEYS[3], 'deleting_at', text(now))
elseif KEYS[3] then
  redis.call('HSET', KEYS[3], 'sent', 'sending', 'sending_at', text(now))
  bump(KEYS[3], 'attempts', 1, '1')
end
return {'granted', text(now), redis.call('LLEN', KEYS[1])}
