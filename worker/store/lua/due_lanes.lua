-- include: lib/types
-- include: lib/time
-- include: lib/foreign
-- Which lanes are worth a look, the longest due first.
-- KEYS: due
-- ARGV: most, foreign...
-- foreign: accounts whose lanes are passed over.
-- Reply: {ms now, ms at which the next one is due that is not named here ('' when there is none), lanes...}
local wrong = misfit(KEYS.due, 'zset')
if wrong then return wrong end
local now = now_ms()
local names, before = ARGV.foreign
local foreign = foreign_of(names, before)
local is_foreign = foreign and function(lane) return foreign[string.match(lane, '^[^/]*')] end
local lanes, place = own_due(KEYS.due, now, tonumber(ARGV.most), is_foreign)
local following = own_score_from(KEYS.due, place, is_foreign)
return { text(now), following and text(following) or '', unpack(lanes) }
