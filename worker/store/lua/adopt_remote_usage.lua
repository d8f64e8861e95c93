-- include: lib/types
-- include: lib/time
-- include: lib/allowance
-- Factus's headers say that more of the allowance is used than we sent: somebody else uses the same account. Their
-- calls are entered as grants, so that ours stay within what is left.
-- KEYS: grants, account
-- ARGV: limit, window_ms, used
-- used: as Factus counts.
-- Reply: number of grants entered.
local wrong = misfit(KEYS.grants, 'list', KEYS.account, 'hash')
if wrong then return wrong end
local now = now_ms()
local limit = tonumber(ARGV.limit)
local since = now - window_of(KEYS.account, tonumber(ARGV.window_ms))
local own = 0
for _, at in ipairs(redis.call('LRANGE', KEYS.grants, 0, limit - 1)) do
  if number(at) > since then own = own + 1 end
end
local foreign = math.min(number(ARGV.used), limit) - own
for _ = 1, foreign do redis.call('LPUSH', KEYS.grants, text(now)) end
if foreign > 0 then
  redis.call('LTRIM', KEYS.grants, 0, limit - 1)
  redis.call('PEXPIRE', KEYS.grants, text(now - since))
end
return math.max(foreign, 0)
