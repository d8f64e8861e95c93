-- What follows a document: its files are archived, its RADIAN events tracked.

-- A document has one watch over its RADIAN events, whoever asked for it first: each event is published once.
local function may_watch(document, id)
  return redis.call('HSETNX', document, 'watched_by', id) == 1 or redis.call('HGET', document, 'watched_by') == id
end

-- A document keeps the ids of the jobs that archive it: whoever looks at it sees all that follows, whoever asked for it.
local function keep_follow_up(document, id, watches)
  if document and not watches then redis.call('HSET', document, 'archived_by:' .. id, '1') end
end
