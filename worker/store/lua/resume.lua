-- include: lib/types
-- include: lib/time
-- include: lib/lanes
-- An account that is held, or one of whose lanes is, is asked again now: by an operator's word, or because a worker has
-- started with other credentials for it. What Factus itself asked to wait (429) stays.
-- KEYS: account, lanes, lanes_due, token?
-- ARGV: account, lane_prefix, job_prefix, mark, known
-- token: absent for an operator's word. The prefixes stand before a lane in its key, and an id in the key of a record.
-- mark: of the credentials, '' for an operator's word. known: the mark that was read before it.
-- Reply: how many holds were lifted (lanes, and the account); -1 when another worker's mark came first.
local wrong = misfit(KEYS.account, 'hash', KEYS.lanes, 'set', KEYS.lanes_due, 'zset')
if wrong then return wrong end
local now = now_ms()
if ARGV.mark ~= '' then
  local known = redis.call('HGET', KEYS.account, 'credentials') or ''
  if known ~= ARGV.known then return -1 end
  redis.call('HSET', KEYS.account, 'credentials', ARGV.mark)
  if known == '' then return 0 end
  redis.call('DEL', KEYS.token) -- it belongs to the other credentials
end

local function lift(hash)
  local held = fields_of(hash, 'hold_until', 'hold_reason') or {}
  if number(held[1]) <= now or held[2] == 'factus.throttled' then return 0 end
  redis.call('HDEL', hash, 'hold_until', 'hold_reason')
  return 1
end

local lifted = lift(KEYS.account)
local is_blocked = redis.call('HDEL', KEYS.account, 'outage', 'probe_until', 'outage_since', 'outage_steps') > 0
for _, field in ipairs(redis.call('HKEYS', KEYS.account)) do
  is_blocked = is_blocked or string.sub(field, 1, 8) == 'blocked:' -- stays until a call has come through
end

local prefix = ARGV.account .. '/'
for _, lane in ipairs(redis.call('SMEMBERS', KEYS.lanes)) do
  if string.sub(lane, 1, #prefix) == prefix then
    local hash = ARGV.lane_prefix .. lane
    lifted = lifted + lift(hash)
    local later = redis.pcall('ZRANGE', hash .. ':later', 0, 999)
    for _, id in ipairs(later.err and {} or later) do
      -- A job that pauses after a failure, not one whose time has not come.
      if number((fields_of(ARGV.job_prefix .. id, 'failures') or {})[1]) > 0 then
        redis.call('ZADD', hash .. ':later', text(now), id)
        redis.call('HSET', ARGV.job_prefix .. id, 'next_at', text(now))
      end
    end
    look_again({due = KEYS.lanes_due, name = lane}, now)
  end
end
return lifted == 0 and is_blocked and 1 or lifted
