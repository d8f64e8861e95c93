-- include: lib/types
-- include: lib/time
-- include: lib/allowance
-- Factus's headers say that more of the allowance is used than we sent: somebody else uses the same account. Their
-- calls are entered as grants, so that ours stay within what is left.
-- KEYS: 1 grants, 2 account. ARGV: 1 limit, 2 window ms, 3 used as Factus counts.
-- Reply: number of grants entered.
local wrong = misfit(KEYS[1], 'list', KEYS[2], 'hash')
if wrong then return wrong end
local now = now_ms()
local limit = tonumber(ARGV[1])
local since = now - window_of(KEYS[2], tonumber(ARGV[2]))
local own = 0
for _, at in ipairs(redis.call('LRANGE', KEYS[1], 0, limit - 1)) do
  if number(at) > since then own = own + 1 end
end
local foreign = math.min(number(ARGV[3]), limit) - own
for _ = 1, foreign do redis.call('LPUSH', KEYS[1], text(now)) end
if foreign > 0 then
  redis.call('LTRIM', KEYS[1], 0, limit - 1)
  redis.call('PEXPIRE', KEYS[1], text(now - since))
end
return math.max(foreign, 0)
