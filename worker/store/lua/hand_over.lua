-- include: lib/fence
-- Give the lead of a task to another worker, if it is ours.
-- KEYS: 1 leader. ARGV: 1 worker id, 2 the other's, 3 lease ms. Reply: 1 or 0.
if not holds_lease(KEYS[1], ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
