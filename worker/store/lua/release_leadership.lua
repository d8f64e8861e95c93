-- include: lib/fence
-- Give up the lead of a task, if it is ours.
-- KEYS: 1 leader. ARGV: 1 worker id. Reply: 1 or 0.
if holds_lease(KEYS[1], ARGV[1]) then return redis.call('DEL', KEYS[1]) end
return 0
