-- Write into a job under way that its document is being removed: what must survive a crash before the DELETE.
-- KEYS: 1 job. ARGV: 1 fence, 2 verdict, 3 number of the document or ''. Reply: 1, or 0 when the job is no longer ours.
local held = redis.call('HMGET', KEYS[1], 'state', 'fence')
if held[1] ~= 'inflight' or held[2] ~= ARGV[1] then return 0 end
local t = redis.call('TIME')
local now = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
redis.call('HSET', KEYS[1], 'sent', 'deleting', 'deleting_at', now, 'verdict', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'number', ARGV[3]) end
return 1
