-- include: lib/fence
-- Give up the lead of a task, if it is ours.
-- KEYS: leader
-- ARGV: worker
-- Reply: 1 or 0.
if holds_lease(KEYS.leader, ARGV.worker) then return redis.call('DEL', KEYS.leader) end
return 0
