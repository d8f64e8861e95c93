-- Take or keep the lead of a task that one worker at a time does.
-- KEYS: leader
-- ARGV: worker, lease_ms
-- Reply: 2 newly ours, 1 still ours, 0 somebody else's.
local leader = redis.call('GET', KEYS.leader)
if leader == ARGV.worker then
  redis.call('PEXPIRE', KEYS.leader, ARGV.lease_ms)
  return 1
end
if redis.call('SET', KEYS.leader, ARGV.worker, 'NX', 'PX', ARGV.lease_ms) then return 2 end
return 0
