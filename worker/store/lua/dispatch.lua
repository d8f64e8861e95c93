-- include: lib/time
-- include: lib/claims
-- include: lib/lanes
-- Start what may start in one lane.
-- KEYS: lane[LANE_KEYS]
-- ARGV: lane[LANE], claimer[CLAIMER]
-- Reply: {number of jobs started, jobs claimed (see begin)...}
local claimer, lane = claimer_of(ARGV.claimer), lane_of(KEYS.lane, ARGV.lane)
local wrong = lane_misfit(lane)
if wrong then return wrong end
local started = dispatch(lane, claimer, now_ms())
return {started, unpack(claimer.claimed)}
