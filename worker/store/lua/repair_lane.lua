-- include: lib/types
-- include: lib/time
-- include: lib/lanes
-- Repair one lane: what a crash between two scripts, or a hand in Redis, may have left behind. Where
-- nothing went wrong it finds nothing.
-- KEYS: lane[LANE_KEYS]
-- ARGV: lane[LANE], lost_after_ms
-- lost_after_ms: after which a dispatched job without arq's entry counts as lost.
-- Reply: {jobs enqueued again, places freed, lanes woken}
local lane = lane_of(KEYS.lane, ARGV.lane)
local wrong = lane_misfit(lane)
if wrong then return wrong end
local now = now_ms()
local again, freed, woken = 0, 0, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', lane.flight, '-inf', text(now - tonumber(ARGV.lost_after_ms)))) do
  -- What is no record holds no place.
  local held = fields_of(lane.job_prefix .. id, 'state', 'epoch') or {}
  if held[1] ~= 'inflight' then
    redis.call('ZREM', lane.flight, id)
    if held[1] == 'waiting' and not redis.call('ZSCORE', lane.later, id) then
      redis.call('ZADD', lane.waiting, place(lane, id) or '0', id)
    end
    freed = freed + 1
  else
    local epoch = held[2] or '0'
    local arq_id = lane.arq_prefix .. id .. ':' .. epoch
    local is_queued = redis.call('ZSCORE', lane.queue, arq_id)
    if not is_queued or redis.call('EXISTS', lane.arq_job_prefix .. arq_id) == 0 then
      if not string.find(epoch, '^%d+$') then
        epoch = text(now) -- as `start` has it: a dispatch of its own
        redis.call('HSET', lane.job_prefix .. id, 'epoch', epoch)
      end
      enqueue(lane, id, epoch, now)
      again = again + 1
    end
  end
end
local has_work = redis.call('ZCARD', lane.waiting) + redis.call('ZCARD', lane.later) > 0
if has_work and not is_closed(lane, now) and not redis.call('ZSCORE', lane.due, lane.name) then
  look_again(lane, now)
  woken = 1
end
return {again, freed, woken}
