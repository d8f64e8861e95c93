-- include: lib/fence
-- Instead of a token: what the leader has seen, told for a moment to all who wait for it, so that they do not each ask
-- again before the account's pause is written.
-- KEYS: lock, seen
-- ARGV: worker, seen, told_ms
-- seen: what was seen instead of a token (JSON). told_ms: for how long it is told.
-- Reply: 1 or 0.
if not holds_lease(KEYS.lock, ARGV.worker) then return 0 end
redis.call('SET', KEYS.seen, ARGV.seen, 'PX', ARGV.told_ms)
return redis.call('DEL', KEYS.lock)
