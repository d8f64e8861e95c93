-- include: lib/types
-- include: lib/time
-- include: lib/fence
-- A run was cut off or could not be written: the job goes back into arq's queue, free for anybody when its pause is
-- over. By the owner of the lease only: a worker that lost it must not free the mark of the one that runs the job now, nor a
-- run that of a newer one in the same process.
-- KEYS: queue, mark, job?
-- ARGV: worker, arq_id, pause_ms, fence?, defects?
-- job: its record; absent where that could not be read. fence, defects: of the run; the job's defects so far, '' where
--   they stay.
-- Reply: 1, or 0 when the lease is
--   not ours.
local wrong = misfit(KEYS.queue, 'zset', KEYS.mark, 'string', KEYS.job or false, 'hash')
if wrong then return wrong end
if not holds_lease(KEYS.mark, ARGV.worker) then return 0 end
if KEYS.job then
  if is_taken_again(KEYS.job, ARGV.fence) then return 0 end
  if ARGV.defects ~= '' and owns(KEYS.job, ARGV.fence) then redis.call('HSET', KEYS.job, 'defects', ARGV.defects) end
end
redis.call('DEL', KEYS.mark)
local pause_ms = number(ARGV.pause_ms)
redis.call('ZADD', KEYS.queue, 'XX', pause_ms > 0 and text(now_ms() + pause_ms) or '0', ARGV.arq_id)
return 1
