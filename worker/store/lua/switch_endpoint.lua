-- include: lib/types
-- include: lib/time
-- include: lib/deliveries
-- include: lib/events
-- include: lib/reader
-- An operator disables an endpoint, or enables it again: then what waits is tried at once, and its failures are forgotten.
-- KEYS: next, results
-- ARGV: prefix, name, state, maxlen, most, event[EVENT]
-- state: `on` or `disabled`. most: how many waiting deliveries are brought forward.
-- Reply: {1 when it was otherwise (the event is told), 0 when it was so already; how many are still to be brought forward}
local hook = hook_of(ARGV.prefix, ARGV.name)
local wrong = hook_misfit(hook) or misfit(KEYS.next, 'zset', KEYS.results, 'stream')
if wrong then return wrong end
local now, is_on = now_ms(), ARGV.state == 'on'
local event = reader_of(ARGV.event).some(#EVENT)
local was_on = redis.call('HGET', hook.hash, 'state') ~= 'disabled'

if was_on ~= is_on then publish(KEYS.results, ARGV.maxlen, event) end
if not is_on then
  if was_on then
    redis.call('HSET', hook.hash, 'state', 'disabled', 'disabled_at', text(now), 'disabled_why', 'operator')
  end
  redis.call('ZREM', KEYS.next, hook.name)
  return { was_on and 1 or 0, 0 }
end
redis.call('HDEL', hook.hash, 'state', 'disabled_at', 'disabled_why', 'failing_since', 'in_a_row')
local later = redis.call('ZRANGEBYSCORE', hook.due, '(' .. text(now), '+inf', 'LIMIT', 0, ARGV.most)
for _, id in ipairs(later) do redis.call('ZADD', hook.due, text(now), id) end
redis.call('ZADD', KEYS.next, text(now), hook.name)
return { was_on and 0 or 1, redis.call('ZCOUNT', hook.due, '(' .. text(now), '+inf') }
