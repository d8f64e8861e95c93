-- include: lib/time
-- include: lib/claims
-- include: lib/lanes
-- Start what may start in one lane.
-- KEYS: lane[LANE_KEYS]
-- ARGV: lane[LANE], taker[TAKER]
-- Reply: {number of jobs started, jobs taken (see begin)...}
local taker, lane = taker_of(ARGV.taker), lane_of(KEYS.lane, ARGV.lane)
local wrong = lane_misfit(lane)
if wrong then return wrong end
local started = dispatch(lane, taker, now_ms())
return {started, unpack(taker.taken)}
