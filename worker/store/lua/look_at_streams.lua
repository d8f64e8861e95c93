-- include: lib/types
-- include: lib/time
-- What became of the intake streams beside what the intake took out of them: entries that somebody else removed, and ids
-- that lie in the future. A stream whose last id lies there takes no ids of today any more; once it is empty it is made
-- anew, in the same step, so that nothing that was pushed is lost.
-- KEYS: facts, streams...
-- ARGV: group, ahead_ms
-- facts: of the intake. ahead_ms: by how much an id may be ahead of the clock.
-- Reply: for each stream {entries gone since the last look, ms by which its last id is ahead (0: it is not), 1 when it was
--   made anew}
local bad = misfit(KEYS.facts, 'hash')
if bad then return bad end

local facts, group, now = KEYS.facts, ARGV.group, now_ms()

local function info_of(stream)
  local found, told = {}, redis.call('XINFO', 'STREAM', stream)
  for i = 1, #told, 2 do found[told[i]] = told[i + 1] end
  return found
end

local function ms_of(id)
  return tonumber(string.match(id, '^(%d+)')) or 0
end

-- The intake's group of a stream as XINFO GROUPS tells it; nil where there is none.
local function group_of(stream)
  for _, told in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local fact = {}
    for i = 1, #told, 2 do fact[told[i]] = told[i + 1] end
    if fact.name == group then return fact end
  end
  return nil
end

-- Every entry that was added is there, or was taken in, or has been removed by somebody else. Redis before 7 does not
-- count what was added.
local function n_gone(stream, info)
  local added = tonumber(info['entries-added'] or '')
  if not added then return 0 end
  local missing = added - info.length - number(redis.call('HGET', facts, 'taken:' .. stream))
  local known = redis.call('HGET', facts, 'missing:' .. stream)
  if not known then
    -- The first look. A stream of which nothing was ever read had no reason to lose anything; with one that an earlier
    -- version of this service has emptied the count begins here.
    local reader = group_of(stream)
    local is_new = reader and reader['last-delivered-id'] == '0-0'
    known = is_new and '0' or text(missing)
  end
  redis.call('HSET', facts, 'missing:' .. stream, text(missing))
  local gone = missing - number(known)
  if gone <= 0 then return 0 end
  redis.call('HSET', facts, 'gone:' .. stream, text(number(redis.call('HGET', facts, 'gone:' .. stream)) + gone),
    'gone_at:' .. stream, text(now))
  return gone
end

local found = {}
local streams, before = KEYS.streams
for n = before + 1, #streams do
  local stream = streams[n]
  local row = {0, 0, 0}
  -- A key that holds no stream is told by whoever reads it, and keeps nobody from a look at the others.
  if redis.call('EXISTS', stream) == 1 and not misfit(stream, 'stream') then
    local info = info_of(stream)
    row[1] = n_gone(stream, info)
    local ahead = ms_of(info['last-generated-id']) - now
    if ahead > tonumber(ARGV.ahead_ms) then
      row[2] = text(ahead)
      redis.call('HSET', facts, 'ahead:' .. stream, info['last-generated-id'])
      local reader = group_of(stream)
      if info.length == 0 and (not reader or reader.pending == 0) then
        redis.call('DEL', stream)
        redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
        redis.call('HDEL', facts, 'taken:' .. stream, 'ahead:' .. stream)
        redis.call('HSET', facts, 'missing:' .. stream, '0', 'renewed_at:' .. stream, text(now))
        row[3] = 1
      end
    else
      redis.call('HDEL', facts, 'ahead:' .. stream)
    end
  end
  found[#found + 1] = row
end
return found
