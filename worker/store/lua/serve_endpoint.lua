-- include: lib/types
-- include: lib/time
-- include: lib/deliveries
-- include: lib/events
-- include: lib/reader
-- The attempts of an endpoint that have ended are written down, and its next ones are given out under a lease.
-- KEYS: next, results
-- ARGV: prefix, name, room, width, lease_ms, most_bytes, pace_after, pace_ms, quiet_ms, most_failed, failed_ms, maxlen,
--   rest...
-- room: how many the process may take. width: of the endpoint, over all processes. most_bytes: of bodies in one reply.
-- pace_after, pace_ms: one that has failed so often in a row is asked once in so long. quiet_ms: for how long an event of one
-- type is not told again. most_failed, failed_ms: how many deliveries that failed for good are kept, and for how long.
-- rest: for each attempt: {id, fence, outcome (delivered, again, exhausted), delay_ms, status (0 for none), fault, what it
--   disables the endpoint for ('' for nothing), number of events, each an EVENT}; `webhook.disabled` is told when it was on.
-- Reply: {now, since when it only fails (0: it does not), how many wait, ms of the next look ('' for none), attempts that were
--   not ours any more, {id, fence, failures so far, made_at, type, body}...}
local hook = hook_of(ARGV.prefix, ARGV.name)
local wrong = hook_misfit(hook) or misfit(KEYS.next, 'zset', KEYS.results, 'stream')
if wrong then return wrong end
local now, width, lease_ms = now_ms(), tonumber(ARGV.width), tonumber(ARGV.lease_ms)

-- -- what has ended ---------------------------------------------------------------------------------------------------
local reader, ended, n_void = reader_of(ARGV.rest), {}, 0
while reader.argv[reader.at + 1] do
  local e = {
    id = reader.one(), fence = reader.one(), outcome = reader.one(), delay_ms = tonumber(reader.one()),
    status = reader.one(), fault = reader.one(), disables = reader.one(), events = {},
  }
  for _ = 1, tonumber(reader.one()) do e.events[#e.events + 1] = reader.some(#EVENT) end
  e.record = hook.records .. e.id
  wrong = misfit(e.record, 'hash')
  if wrong then return wrong end
  local held = redis.call('HMGET', e.record, 'fence', 'rank', 'body', 'n', 'size')
  e.rank, e.body, e.n, e.size = held[2], held[3], number(held[4]), number(held[5])
  wrong = e.body and misfit(hook.bodies .. e.body, 'hash')
  if wrong then return wrong end
  -- Whose lease ended, and was given out again, has nothing to say any more.
  if e.rank and held[1] == e.fence and redis.call('ZSCORE', hook.leased, e.id) then
    ended[#ended + 1] = e
  else
    n_void = n_void + 1
  end
end

local function tell(e)
  for _, event in ipairs(e.events) do
    local type_ = event[EVENT.type]
    local is_told = true
    if type_ == 'webhook.disabled' then
      is_told = e.disables ~= '' and redis.call('HGET', hook.hash, 'state') ~= 'disabled'
    else
      is_told = number(redis.call('HGET', hook.hash, 'told:' .. type_)) + tonumber(ARGV.quiet_ms) <= now
    end
    if is_told then
      publish(KEYS.results, ARGV.maxlen, event)
      if type_ ~= 'webhook.disabled' then redis.call('HSET', hook.hash, 'told:' .. type_, text(now)) end
    end
  end
end

local function forget(id, record, body)
  redis.call('DEL', record)
  drop_body(hook, body)
end

-- The oldest go when there are too many, or when their time is up; a few at each turn.
local function trim_failed()
  local old = redis.call('ZRANGEBYSCORE', hook.failed, '-inf', text(now - tonumber(ARGV.failed_ms)), 'LIMIT', 0, 20)
  local n_over = redis.call('ZCARD', hook.failed) - tonumber(ARGV.most_failed)
  if n_over > 0 then old = redis.call('ZRANGE', hook.failed, 0, math.min(n_over, 20) - 1) end
  for _, id in ipairs(old) do
    local record = hook.records .. id
    local held = fields_of(record, 'body')
    redis.call('ZREM', hook.failed, id)
    if held and not (held[1] and misfit(hook.bodies .. held[1], 'hash')) then forget(id, record, held[1]) end
  end
end

local function leave(e)
  redis.call('ZREM', hook.order, e.rank)
  bump(hook.hash, 'bytes', -e.size, '0')
end

for _, e in ipairs(ended) do
  tell(e)
  redis.call('ZREM', hook.leased, e.id)
  redis.call('HSET', hook.hash, 'last_status', e.status, 'last_fault', e.fault)
  if e.outcome == 'delivered' then
    leave(e)
    forget(e.id, e.record, e.body)
    redis.call('HSET', hook.hash, 'last_success_at', text(now))
    redis.call('HDEL', hook.hash, 'failing_since', 'in_a_row')
    bump(hook.hash, 'n_delivered', 1, '1')
  else
    redis.call('HSETNX', hook.hash, 'failing_since', text(now))
    redis.call('HSET', hook.hash, 'last_failure_at', text(now))
    bump(hook.hash, 'in_a_row', 1, '1')
    redis.call('HSET', e.record, 'n', text(e.n + 1), 'next_at', text(now + e.delay_ms), 'last_status', e.status,
      'last_fault', e.fault)
    if e.outcome == 'again' then
      redis.call('ZADD', hook.due, text(now + e.delay_ms), e.id)
    else
      leave(e)
      redis.call('ZADD', hook.failed, text(now), e.id)
      bump(hook.hash, 'n_exhausted', 1, '1')
    end
    if e.disables ~= '' and redis.call('HGET', hook.hash, 'state') ~= 'disabled' then
      redis.call('HSET', hook.hash, 'state', 'disabled', 'disabled_at', text(now), 'disabled_why', e.disables)
    end
  end
  wake_head(hook, e.rank, now)
end
trim_failed()

-- -- what comes next --------------------------------------------------------------------------------------------------
for _, id in ipairs(redis.call('ZRANGEBYSCORE', hook.leased, '-inf', text(now), 'LIMIT', 0, 100)) do
  redis.call('ZREM', hook.leased, id) -- its process is dead, or stood still: once more
  redis.call('ZADD', hook.due, text(now), id)
end

local paced_until = 0
if number(redis.call('HGET', hook.hash, 'in_a_row')) >= tonumber(ARGV.pace_after) then
  paced_until = number(redis.call('HGET', hook.hash, 'given_at')) + tonumber(ARGV.pace_ms)
end
local room = math.min(tonumber(ARGV.room), width - redis.call('ZCARD', hook.leased))
if redis.call('HGET', hook.hash, 'state') == 'disabled' or paced_until > now then room = 0 end
if paced_until > 0 then room = math.min(room, 1) end

local taken, n_bytes, most_bytes, looks = {}, 0, tonumber(ARGV.most_bytes), 0
while #taken < room and n_bytes < most_bytes and looks < 200 do
  looks = looks + 1
  local id = redis.call('ZRANGEBYSCORE', hook.due, '-inf', text(now), 'LIMIT', 0, 1)[1]
  if not id then break end
  local record = hook.records .. id
  redis.call('ZREM', hook.due, id)
  local held = fields_of(record, 'rank', 'body', 'n', 'made_at', 'type')
  local body = held and held[2] and fields_of(hook.bodies .. held[2], 'bytes')
  -- Not its turn: an earlier one of the job has come since, which wakes it when it ends. Without a record nobody knows it.
  if body and body[1] and held[1] and head_of(hook, held[1]) == held[1] then
    local fence = text(bump(record, 'fence', 1, '1'))
    redis.call('ZADD', hook.leased, text(now + lease_ms), id)
    n_bytes = n_bytes + #body[1]
    taken[#taken + 1] = { id, fence, text(number(held[3])), held[4] or '0', held[5] or '', body[1] }
  end
end
if #taken > 0 then
  redis.call('HSET', hook.hash, 'given_at', text(now))
  if paced_until > 0 then paced_until = now + tonumber(ARGV.pace_ms) end
end
local at = note_next(KEYS.next, hook, width, paced_until)
local failing_since = text(number(redis.call('HGET', hook.hash, 'failing_since')))
return { text(now), failing_since, redis.call('ZCARD', hook.order), at and text(at) or '', n_void, taken }
