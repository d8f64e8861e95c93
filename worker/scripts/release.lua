-- The end of a run in arq's books, by the owner of the lease only: a worker that lost it must not delete the mark of
-- the one that runs the job now.
-- KEYS: 1 arq's queue, 2 in-progress mark, 3 arq's job, 4 arq's count of tries.
-- ARGV: 1 worker id, 2 arq id, 3 `finished`, or `again` (free for the next claim at once).
-- Reply: 1, or 0 when the lease is not ours.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2], KEYS[4])
if ARGV[3] == 'finished' then
  redis.call('ZREM', KEYS[1], ARGV[2])
  redis.call('DEL', KEYS[3])
else
  redis.call('ZADD', KEYS[1], 'XX', '0', ARGV[2])
end
return 1
