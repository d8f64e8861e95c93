-- A worker takes up a dispatched job: the fence rises, so that whoever held the job before can write nothing more.
-- KEYS: 1 job. ARGV: 1 epoch, 2 worker id.
-- Reply: the record (HGETALL) and the server's ms; empty when that dispatch is not the current one.
local held = redis.call('HMGET', KEYS[1], 'state', 'epoch')
if held[1] ~= 'inflight' or held[2] ~= ARGV[1] then return {} end
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'worker', ARGV[2])
local t = redis.call('TIME')
return {redis.call('HGETALL', KEYS[1]), t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000))}
