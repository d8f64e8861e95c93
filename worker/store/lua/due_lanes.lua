-- include: lib/types
-- include: lib/time
-- Which lanes are worth a look, the longest due first.
-- KEYS: due
-- ARGV: most
-- Reply: {ms now, ms at which the next one is due that is not named here ('' when there is none), lanes...}
local wrong = misfit(KEYS.due, 'zset')
if wrong then return wrong end
local now = now_ms()
local lanes = redis.call('ZRANGEBYSCORE', KEYS.due, '-inf', text(now), 'LIMIT', 0, tonumber(ARGV.most))
local following = redis.call('ZRANGE', KEYS.due, #lanes, #lanes, 'WITHSCORES')
return { text(now), following[2] and text(tonumber(following[2])) or '', unpack(lanes) }
