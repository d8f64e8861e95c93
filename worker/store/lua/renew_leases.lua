-- include: lib/types
-- include: lib/time
-- The leases of the jobs that a worker is running.
-- KEYS: queue
-- ARGV: worker, lease_ms, mark_prefix, ids...
-- queue: arq's.
-- Reply: the ids whose lease is no longer ours.
local wrong = misfit(KEYS.queue, 'zset')
if wrong then return wrong end
local ends = text(now_ms() + tonumber(ARGV.lease_ms))
local lost = {}
local ids, before = ARGV.ids
for i = before + 1, #ids do
  local mark = ARGV.mark_prefix .. ids[i]
  if redis.pcall('GET', mark) == ARGV.worker then
    redis.call('PEXPIRE', mark, ARGV.lease_ms)
    redis.call('ZADD', KEYS.queue, 'XX', ends, ids[i])
  else
    lost[#lost + 1] = ids[i]
  end
end
return lost
