-- A run was cut off or could not be written: the job goes back into arq's queue, free for anybody at once. By the owner
-- of the lease only: a worker that lost it must not free the mark of the one that runs the job now.
-- KEYS: 1 arq's queue, 2 in-progress mark. ARGV: 1 worker id, 2 arq id. Reply: 1, or 0 when the lease is not ours.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[1], 'XX', '0', ARGV[2])
return 1
