-- include: lib_lanes
-- Start what may start in one lane.
-- KEYS, ARGV: the lane (worker/lanes.py). Reply: number of jobs started.
return dispatch(lane_of(KEYS, ARGV), now_ms())
