-- include: lib/types
-- An accepted job comes into its lane.

-- Put an accepted job into its lane, to begin at `begins` (now or earlier: at once). e: id, job, lane, account, waiting,
-- later, score, fields (name, value; `fields` grows); it must end by `ends_at`, or by its deadline. `told`: lanes of which
-- this script has said before that they are due now; who gives it looks at no lane in between.
local function admit(lanes, due, deadlines, e, now, begins, deadline_at, ends_at, told)
  local fields, n = e.fields, #e.fields
  fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'accepted_at', text(now), 'deadline_at', text(deadline_at)
  if begins > now then fields[n + 5], fields[n + 6] = 'next_at', text(begins) end
  redis.call('HSET', e.job, unpack(fields))
  redis.call('ZADD', deadlines, text(ends_at), e.account .. '/' .. e.id)
  local is_told = told and told[e.lane]
  if not is_told then redis.call('SADD', lanes, e.lane) end
  if begins > now then
    redis.call('ZADD', e.later, text(begins), e.id)
    redis.call('ZADD', due, 'LT', text(begins), e.lane)
  else
    redis.call('ZADD', e.waiting, e.score, e.id)
    if not is_told then redis.call('ZADD', due, 'LT', text(now), e.lane) end
    if told then told[e.lane] = true end
  end
end
