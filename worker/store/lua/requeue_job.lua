-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A run was cut off or could not be written: the job goes back into arq's queue, free for anybody when its pause is
-- over. By the owner of the lease only: a worker that lost it must not free the mark of the one that runs the job now.
-- KEYS: 1 arq's queue, 2 in-progress mark, 3 job (absent: its record stays as it is).
-- ARGV: 1 worker id, 2 arq id, 3 pause ms, 4 fence of the job, 5 its defects so far. Reply: 1, or 0 when the lease is
--   not ours.
local wrong = misfit(KEYS[1], 'zset', KEYS[2], 'string', KEYS[3] or false, 'hash')
if wrong then return wrong end
if not holds_lease(KEYS[2], ARGV[1]) then return 0 end
if KEYS[3] then
  if owns(KEYS[3], ARGV[4]) then redis.call('HSET', KEYS[3], 'defects', ARGV[5]) end
end
redis.call('DEL', KEYS[2])
local pause_ms = number(ARGV[3])
redis.call('ZADD', KEYS[1], 'XX', pause_ms > 0 and text(now_ms() + pause_ms) or '0', ARGV[2])
return 1
