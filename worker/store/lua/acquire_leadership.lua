-- Take or keep the lead of a task that one worker at a time does.
-- KEYS: 1 leader. ARGV: 1 worker id, 2 lease ms. Reply: 2 newly ours, 1 still ours, 0 somebody else's.
local leader = redis.call('GET', KEYS[1])
if leader == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 2 end
return 0
