-- include: lib_lanes
-- Start what may start in one lane.
-- KEYS: 1-9 the lane. ARGV: 1-9 the lane, 10-13 the taker (worker/lanes.py).
-- Reply: {number of jobs started, jobs taken (see begin)...}
local taker = taker_of(ARGV, 10)
local started = dispatch(lane_of(KEYS, 1, ARGV, 1), taker, now_ms())
return {started, unpack(taker.taken)}
