-- include: lib/fence
-- Give the lead of a task to another worker, if it is ours.
-- KEYS: leader
-- ARGV: worker, other, lease_ms
-- Reply: 1 or 0.
if not holds_lease(KEYS.leader, ARGV.worker) then return 0 end
redis.call('SET', KEYS.leader, ARGV.other, 'PX', ARGV.lease_ms)
return 1
