-- include: lib/types
-- include: lib/time
-- The leases of the jobs that a worker is running.
-- KEYS: 1 arq's queue. ARGV: 1 worker id, 2 lease ms, 3 prefix of the in-progress marks, then ids.
-- Reply: the ids whose lease is no longer ours.
local wrong = misfit(KEYS[1], 'zset')
if wrong then return wrong end
local ends = text(now_ms() + tonumber(ARGV[2]))
local lost = {}
for i = 4, #ARGV do
  local mark = ARGV[3] .. ARGV[i]
  if redis.pcall('GET', mark) == ARGV[1] then
    redis.call('PEXPIRE', mark, ARGV[2])
    redis.call('ZADD', KEYS[1], 'XX', ends, ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
