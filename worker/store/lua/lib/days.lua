-- include: lib/types
-- Which open jobs must go out on which day, and which belong to which batch: of those of which nothing was sent yet, in the
-- order of their lane. So what will miss its day is counted, not searched. Nothing here can fail: a job's way does not
-- depend on these keys.

local KEPT_AFTER_MS = 172800000 -- how long after its end a day is kept, should somebody forget to take a job out

-- As worker/store/keys.py has them.
local function day_key(lane_hash, day) return lane_hash .. ':day:' .. day end
local function part_key(lane_hash, day, batch) return lane_hash .. ':batch:' .. day .. ':' .. batch end

local function put(key, score, id, ends_in)
  if misfit(key, 'zset') then return end
  redis.call('ZADD', key, string.find(score, '^%-?%d+$') and score or '0', id)
  if ends_in > 0 then redis.call('PEXPIRE', key, text(ends_in + KEPT_AFTER_MS)) end
end

-- A job comes into its lane. `queue`: the lane's name within its account; `day`: '' for none, `ends_at`: when it is over;
-- `batch`: '' for none, `batch_hash`: the batch's counts.
local function enter_day(lane_hash, queue, days, account, day, ends_at, batch, batch_hash, id, score, now)
  local ends_in = day ~= '' and math.max(ends_at - now, 1) or 0
  if day ~= '' then
    put(day_key(lane_hash, day), score, id, ends_in)
    if not misfit(days, 'zset') then redis.call('ZADD', days, text(ends_at), account .. '/' .. day) end
  end
  if batch ~= '' then
    put(part_key(lane_hash, day, batch), score, id, ends_in)
    if not misfit(batch_hash, 'hash') then redis.call('HSET', batch_hash, 'part:' .. queue .. ':' .. day, '1') end
  end
end

-- A job is final, or something of it was sent.
local function leave_day(lane_hash, job, id)
  local held = fields_of(job, 'issue_on', 'batch') or {}
  local day, batch = held[1] or '', held[2] or ''
  local of_day, of_part = day_key(lane_hash, day), part_key(lane_hash, day, batch)
  if day ~= '' and not misfit(of_day, 'zset') then redis.call('ZREM', of_day, id) end
  if batch ~= '' and not misfit(of_part, 'zset') then redis.call('ZREM', of_part, id) end
end
