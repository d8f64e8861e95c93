-- include: lib/time
-- include: lib/claims
-- include: lib/lanes
-- Start what may start in one lane.
-- KEYS: 1-9 the lane. ARGV: 1-9 the lane, 10-13 the taker (worker/queue/dispatcher.py).
-- Reply: {number of jobs started, jobs taken (see begin)...}
local taker, lane = taker_of(ARGV, 10), lane_of(KEYS, 1, ARGV, 1)
local wrong = lane_misfit(lane)
if wrong then return wrong end
local started = dispatch(lane, taker, now_ms())
return {started, unpack(taker.taken)}
