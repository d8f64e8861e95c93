-- include: lib/types
-- What webhooks keep of an endpoint: `order` (sorted set of the ranks of its deliveries, all of one score: sorted as text),
-- `due` (id -> ms of the next attempt, of those whose turn it is), `leased` (id -> ms at which an attempt is given up),
-- `failed` (id -> ms, deliveries that have had their last attempt), a record for each delivery, and bodies that
-- deliveries of one event share. A rank is JOB:SEQ:ID: the deliveries of one job stand together, in the order of seq, and
-- only the first of them is due.

local function hook_of(prefix, name)
  local base = prefix .. 'endpoint:' .. name
  return {
    name = name, hash = base, due = base .. ':due', leased = base .. ':leased', order = base .. ':order',
    failed = base .. ':failed', records = prefix .. 'delivery:' .. name .. ':', bodies = prefix .. 'body:',
  }
end

local function hook_misfit(hook)
  return misfit(hook.hash, 'hash', hook.due, 'zset', hook.leased, 'zset', hook.order, 'zset', hook.failed, 'zset')
end

-- The error when a delivery's own keys hold another type.
local function delivery_misfit(hook, id, body)
  return misfit(hook.records .. id, 'hash', body ~= '' and hook.bodies .. body, 'hash')
end

-- The rank of the delivery of a job whose turn it is.
local function head_of(hook, rank)
  local job = string.match(rank, '^([^:]*):') or rank
  return redis.call('ZRANGE', hook.order, '[' .. job .. ':', '(' .. job .. ';', 'BYLEX', 'LIMIT', 0, 1)[1]
end

local function id_of(rank)
  return string.match(rank, '([^:]*)$')
end

-- Have the first delivery of a job tried: at its own time, at `soonest` when it has none.
local function wake_head(hook, rank, soonest)
  local head = head_of(hook, rank)
  if not head then return end
  local id = id_of(head)
  if redis.call('ZSCORE', hook.leased, id) or redis.call('ZSCORE', hook.due, id) then return end
  local at = math.max(number(redis.call('HGET', hook.records .. id, 'next_at')), soonest)
  redis.call('ZADD', hook.due, string.format('%.3f', at), id)
end

local function drop_body(hook, body)
  local key = hook.bodies .. (body or '')
  if body and bump(key, 'n', -1, '0') <= 0 then redis.call('DEL', key) end
end

-- When an endpoint is next worth a look; left out of `next` while nothing of it is to be done. A full one waits for the end
-- of an attempt, and a lease that ends is looked at, for its process may be dead.
local function note_next(next_looks, hook, width, paced_until)
  local lease = redis.call('ZRANGE', hook.leased, 0, 0, 'WITHSCORES')[2]
  local at = lease and tonumber(lease)
  local is_on = redis.call('HGET', hook.hash, 'state') ~= 'disabled'
  if is_on and redis.call('ZCARD', hook.leased) < width then
    local due = redis.call('ZRANGE', hook.due, 0, 0, 'WITHSCORES')[2]
    local from = due and math.max(tonumber(due), paced_until)
    if from and (not at or from < at) then at = from end
  end
  if at then redis.call('ZADD', next_looks, text(at), hook.name) else redis.call('ZREM', next_looks, hook.name) end
  return at
end
