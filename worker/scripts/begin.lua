-- A worker takes up a dispatched job: the fence rises, so that whoever held the job before can write nothing more.
-- KEYS: 1 job, 2 account, 3 lane. ARGV: 1 epoch, 2 worker id, 3 family.
-- Reply: the record (HGETALL), the server's ms, and how the account stands (ms each, or nil): the lane's conflict
--   since, the account blocked since, the family blocked since. Empty when that dispatch is not the current one.
local held = redis.call('HMGET', KEYS[1], 'state', 'epoch')
if held[1] ~= 'inflight' or held[2] ~= ARGV[1] then return {} end
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'worker', ARGV[2])
local t = redis.call('TIME')
local now = t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000))
local conflict_since = redis.call('HGET', KEYS[3], 'conflict_since')
local blocked = redis.call('HMGET', KEYS[2], 'blocked:*', 'blocked:' .. ARGV[3])
return {redis.call('HGETALL', KEYS[1]), now, conflict_since or '0', blocked[1] or '0', blocked[2] or '0'}
