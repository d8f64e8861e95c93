-- include: lib/types
-- What is remembered of bills beside their jobs. Both are a help and no truth: where a key is of another kind nothing is
-- written there, and the job ends all the same.

-- Facts (name, value ...) of one bill, by its number.
local function remember_bill(key, facts, retention_ms)
  if #facts == 0 or misfit(key, 'hash') then return end
  redis.call('HSET', key, unpack(facts))
  redis.call('PEXPIRE', key, retention_ms)
end

-- From when the bill of a watch is due ('0': nothing waits for that, '': as it is). What is older than any record goes.
local function remember_term(terms, member, term, now, retention_ms)
  if term == '' or misfit(terms, 'zset') then return end
  if term == '0' then redis.call('ZREM', terms, member) else redis.call('ZADD', terms, term, member) end
  redis.call('ZREMRANGEBYSCORE', terms, '-inf', text(now - tonumber(retention_ms)))
end
