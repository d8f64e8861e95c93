-- Write into a job under way what must survive a crash before the next call.
-- KEYS: 1 job. ARGV: 1 fence, then fields (name, value). Reply: 1, or 0 when the job is no longer ours.
local held = redis.call('HMGET', KEYS[1], 'state', 'fence')
if held[1] ~= 'inflight' or held[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
