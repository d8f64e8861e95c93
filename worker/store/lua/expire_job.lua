-- include: lib/types
-- include: lib/time
-- include: lib/claims
-- include: lib/lanes
-- A waiting job whose time is up is started past its lane's order, width and holds, only to be ended: the attempt finds
-- that it is too late before it makes any call.
-- KEYS: lane[LANE_KEYS], job, deadlines
-- ARGV: lane[LANE], claimer[CLAIMER], id, member
-- member: of the deadlines.
-- Reply: {number of jobs started, jobs claimed (see begin)...}
local lane, claimer = lane_of(KEYS.lane, ARGV.lane), claimer_of(ARGV.claimer)
local wrong = misfit(KEYS.job, 'hash', KEYS.deadlines, 'zset') or lane_misfit(lane)
if wrong then return wrong end
local id, member, now = ARGV.id, ARGV.member, now_ms()
local held = redis.call('HMGET', KEYS.job, 'state', 'attempts', 'deadline_at', 'v')
local state = held[1] or 'waiting' -- a record's defaults are not stored
if not held[4] or state == 'final' or state == 'joined' then
  redis.call('ZREM', KEYS.deadlines, member)
  return {0}
end
local deadline_at = number(held[3])
if number(held[2]) > 0 and now < deadline_at then
  redis.call('ZADD', KEYS.deadlines, text(deadline_at), member) -- begun: it no longer expires
  return {0}
end
redis.call('ZADD', KEYS.deadlines, text(now + 15000), member)
if state ~= 'waiting' then return {0} end
redis.call('ZREM', lane.waiting, id)
redis.call('ZREM', lane.later, id)
start(lane, claimer, id, now)
return {1, unpack(claimer.claimed)}
