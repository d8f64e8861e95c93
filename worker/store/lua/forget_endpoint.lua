-- include: lib/types
-- include: lib/deliveries
-- An endpoint that has left the file long ago goes, a slice of its deliveries at a time.
-- KEYS: places, next, seen
-- ARGV: prefix, name, most
-- seen: endpoints -> ms at which one stood in a file last. most: deliveries in one slice.
-- Reply: 1 when nothing of it is left, 0 when there is more.
local hook = hook_of(ARGV.prefix, ARGV.name)
local wrong = hook_misfit(hook) or misfit(KEYS.places, 'hash', KEYS.next, 'zset', KEYS.seen, 'zset')
if wrong then return wrong end

local ids = {}
for _, rank in ipairs(redis.call('ZRANGE', hook.order, 0, tonumber(ARGV.most) - 1)) do ids[id_of(rank)] = rank end
for _, id in ipairs(redis.call('ZRANGE', hook.failed, 0, tonumber(ARGV.most) - 1)) do ids[id] = ids[id] or '' end
local bodies = {}
for id in pairs(ids) do
  local held = fields_of(hook.records .. id, 'body')
  bodies[id] = held and held[1]
  wrong = bodies[id] and misfit(hook.bodies .. bodies[id], 'hash')
  if wrong then return wrong end
end

redis.call('ZREM', KEYS.next, hook.name)
for id, rank in pairs(ids) do
  redis.call('ZREM', hook.order, rank)
  redis.call('ZREM', hook.failed, id)
  redis.call('ZREM', hook.due, id)
  redis.call('ZREM', hook.leased, id)
  redis.call('DEL', hook.records .. id)
  if bodies[id] then drop_body(hook, bodies[id]) end
end
if redis.call('ZCARD', hook.order) + redis.call('ZCARD', hook.failed) > 0 then return 0 end
redis.call('DEL', hook.hash, hook.due, hook.leased)
redis.call('HDEL', KEYS.places, hook.name)
redis.call('ZREM', KEYS.seen, hook.name)
return 1
