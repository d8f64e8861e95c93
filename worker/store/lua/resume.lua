-- include: lib/types
-- include: lib/time
-- include: lib/lanes
-- An account that is held, or one of whose lanes is, is asked again now: by an operator's word, or because a worker has
-- started with other credentials for it. What Factus itself asked to wait (429) stays.
-- KEYS: 1 account, 2 lanes, 3 lanes due, 4 token (absent for an operator's word). ARGV: 1 account's name, 2 what stands
--   before a lane in its key, 3 what stands before an id in the key of a record, 4 mark of the credentials ('' for an
--   operator's word), 5 mark that was read before it.
-- Reply: how many holds were lifted (lanes, and the account); -1 when another worker's mark came first.
local wrong = misfit(KEYS[1], 'hash', KEYS[2], 'set', KEYS[3], 'zset')
if wrong then return wrong end
local now = now_ms()
if ARGV[4] ~= '' then
  local known = redis.call('HGET', KEYS[1], 'credentials') or ''
  if known ~= ARGV[5] then return -1 end
  redis.call('HSET', KEYS[1], 'credentials', ARGV[4])
  if known == '' then return 0 end
  redis.call('DEL', KEYS[4]) -- it belongs to the other credentials
end

local function lift(hash)
  local held = fields_of(hash, 'hold_until', 'hold_reason') or {}
  if number(held[1]) <= now or held[2] == 'factus.throttled' then return 0 end
  redis.call('HDEL', hash, 'hold_until', 'hold_reason')
  return 1
end

local lifted = lift(KEYS[1])
local is_blocked = redis.call('HDEL', KEYS[1], 'outage', 'probe_until', 'outage_since', 'outage_steps') > 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  is_blocked = is_blocked or string.sub(field, 1, 8) == 'blocked:' -- stays until a call has come through
end

local prefix = ARGV[1] .. '/'
for _, lane in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if string.sub(lane, 1, #prefix) == prefix then
    local hash = ARGV[2] .. lane
    lifted = lifted + lift(hash)
    local later = redis.pcall('ZRANGE', hash .. ':later', 0, 999)
    for _, id in ipairs(later.err and {} or later) do
      -- A job that pauses after a failure, not one whose time has not come.
      if number((fields_of(ARGV[3] .. id, 'failures') or {})[1]) > 0 then
        redis.call('ZADD', hash .. ':later', text(now), id)
        redis.call('HSET', ARGV[3] .. id, 'next_at', text(now))
      end
    end
    look_again({due = KEYS[3], name = lane}, now)
  end
end
return lifted == 0 and is_blocked and 1 or lifted
