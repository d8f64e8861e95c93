-- include: lib/fence
-- Instead of a token: what the leader has seen, told for a moment to all who wait for it, so that they do not each ask
-- again before the account's pause is written.
-- KEYS: 1 lock, 2 what was seen. ARGV: 1 worker id, 2 what was seen (JSON), 3 ms for which it is told. Reply: 1 or 0.
if not holds_lease(KEYS[1], ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return redis.call('DEL', KEYS[1])
