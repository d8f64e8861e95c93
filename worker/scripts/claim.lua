-- A worker takes dispatched jobs from arq's queue under a lease. The score of a claimed id is the end of its lease, so
-- that the read finds only what is free, however much is under way elsewhere.
-- KEYS: 1 arq's queue. ARGV: 1 worker id, 2 lease ms, 3 largest number, 4 prefix of the in-progress marks.
-- Reply: ids.
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local ends = string.format('%.0f', now + tonumber(ARGV[2]))
local claimed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[3])) do
  local is_free = redis.call('SET', ARGV[4] .. id, ARGV[1], 'NX', 'PX', ARGV[2])
  if is_free then claimed[#claimed + 1] = id end
  redis.call('ZADD', KEYS[1], ends, id)
end
return claimed
