-- include: lib/types
-- include: lib/time
-- include: lib/deliveries
-- include: lib/reader
-- A slice of the result streams becomes deliveries, and the places of the endpoints move behind it, in one step: what is
-- behind a place has its deliveries, or nobody wanted it.
-- DELIVERY: endpoint, id, body, rank, made_at, type, account, reference, size
-- KEYS: places, next
-- ARGV: prefix, rest...
-- places: hash, endpoint -> where it stands in each stream. next: endpoints by their next look. prefix: of the webhooks.
-- rest: the number of moves, each {endpoint, place as it was read ('' for none), place}; the number of bodies, each {name,
--   bytes}; the number of deliveries, each a DELIVERY (body '' for one that has had its last attempt, and is tried anew).
-- Reply: how many deliveries were made; -1: a place is not as it was read, nothing was written.
local wrong = misfit(KEYS.places, 'hash', KEYS.next, 'zset')
if wrong then return wrong end
local prefix, now = ARGV.prefix, now_ms()
local reader = reader_of(ARGV.rest)

local moves, bodies, deliveries, hooks = {}, {}, {}, {}
for _ = 1, tonumber(reader.one()) do
  local move = reader.some(3)
  if (redis.call('HGET', KEYS.places, move[1]) or '') ~= move[2] then return -1 end
  moves[#moves + 1] = move
end
for _ = 1, tonumber(reader.one()) do
  local name, bytes = reader.one(), reader.one()
  bodies[name] = bytes
end
for _ = 1, tonumber(reader.one()) do
  local d = reader.some(#DELIVERY)
  local name = d[DELIVERY.endpoint]
  local hook = hooks[name] or hook_of(prefix, name)
  hooks[name] = hook
  wrong = hook_misfit(hook) or delivery_misfit(hook, d[DELIVERY.id], d[DELIVERY.body])
  if wrong then return wrong end
  deliveries[#deliveries + 1] = d
end

local made, touched = 0, {}
for _, d in ipairs(deliveries) do
  local hook, id = hooks[d[DELIVERY.endpoint]], d[DELIVERY.id]
  local record, body, size = hook.records .. id, d[DELIVERY.body], number(d[DELIVERY.size])
  local is_there = redis.call('EXISTS', record) == 1
  local has_failed = is_there and redis.call('ZREM', hook.failed, id) == 1
  if has_failed then
    redis.call('HDEL', record, 'n', 'next_at')
    size = number(redis.call('HGET', record, 'size'))
  elseif not is_there and body ~= '' then
    redis.call('HSETNX', hook.bodies .. body, 'bytes', bodies[body])
    bump(hook.bodies .. body, 'n', 1, '1')
    redis.call('HSET', record, 'body', body, 'rank', d[DELIVERY.rank], 'made_at', d[DELIVERY.made_at], 'size', text(size),
      'type', d[DELIVERY.type], 'account', d[DELIVERY.account], 'reference', d[DELIVERY.reference])
  end
  -- One that is under way already, or waits, stays as it is.
  if has_failed or (not is_there and body ~= '') then
    redis.call('ZADD', hook.order, 0, d[DELIVERY.rank])
    bump(hook.hash, 'bytes', size, text(size))
    -- Those of one millisecond go in the order in which they were published, not in that of their ids.
    wake_head(hook, d[DELIVERY.rank], now - 1 + math.min(made, 999) / 1000)
    made, touched[hook.name] = made + 1, hook
  end
end
for _, hook in pairs(touched) do
  if redis.call('HGET', hook.hash, 'state') ~= 'disabled' then redis.call('ZADD', KEYS.next, text(now), hook.name) end
end
for _, move in ipairs(moves) do redis.call('HSET', KEYS.places, move[1], move[3]) end
return made
