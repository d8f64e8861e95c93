-- Keys and numbers as a script finds them. Whatever may be wrong with them is known before the first write: a script
-- does all of its work or nothing.

-- The error for the first of the keys that holds another type, nil when all fit. Takes key, kind, key, kind ...; a
-- key that is absent (false) fits. Worded as worker/guard.py reads it: Redis's own error does not name the key.
local SIZE = { hash = 'HLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD', stream = 'XLEN', string = 'STRLEN' }
-- What fitted once fits to the end of the script: nobody else writes, and what it makes itself is of that kind.
local fitting = {}
local function misfit(...)
  local asked = { ... }
  for n = 1, #asked, 2 do
    local key, kind = asked[n], asked[n + 1]
    if key and fitting[key] ~= kind then
      -- Cheaper than TYPE, which makes a table of its answer: an error is the only table here.
      if type(redis.pcall(SIZE[kind], key)) == 'table' then
        return redis.error_reply('WRONGTYPE the key ' .. key .. ' holds no ' .. kind)
      end
      fitting[key] = kind
    end
  end
  return nil
end

local MOST = 9007199254740992 -- beyond it a double is not exact

-- A number as stored; 0 for what is none, or more than is exact.
local function number(stored)
  local found = tonumber(stored or '')
  if found and found >= -MOST and found <= MOST then return found end
  return 0
end

-- A whole number as text: Lua would print one of more than 14 digits rounded.
local function text(n)
  return string.format('%.0f', n)
end

-- HINCRBY that cannot fail: a field that is no whole number, or would overflow, becomes `otherwise`.
local function bump(key, field, by, otherwise)
  local found = redis.pcall('HINCRBY', key, field, by)
  if type(found) ~= 'table' then return found end
  redis.call('HSET', key, field, otherwise)
  return tonumber(otherwise)
end

-- Fields of a hash; nil when the key holds something else.
local function fields_of(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  if found.err then return nil end
  return found
end
