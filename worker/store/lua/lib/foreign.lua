-- Reading what is due of a sorted set and passing over what is another worker's: accounts that are not configured where
-- the script is called from. What is passed over keeps its place and its score.

local FOREIGN_PAGE = 100

-- Names after the place `before`, as a set; nil when there are none, as nearly always.
local function foreign_of(argv, before)
  if #argv == before then return nil end
  local found = {}
  for at = before + 1, #argv do found[argv[at]] = true end
  return found
end

-- Members that are due, the longest due first, at most n; and the place behind the last that was looked at.
-- is_foreign: says it of a member; nil when nothing is passed over.
local function own_due(key, until_ms, n, is_foreign)
  if not is_foreign then
    local found = redis.call('ZRANGEBYSCORE', key, '-inf', text(until_ms), 'LIMIT', 0, n)
    return found, #found
  end
  local found, place = {}, 0
  while #found < n do
    local page = redis.call('ZRANGEBYSCORE', key, '-inf', text(until_ms), 'LIMIT', place, FOREIGN_PAGE)
    for _, member in ipairs(page) do
      if #found == n then break end
      place = place + 1
      if not is_foreign(member) then found[#found + 1] = member end
    end
    if #page < FOREIGN_PAGE then break end
  end
  return found, place
end

-- The score of the first that stands at a place or behind it and is not passed over; nil when there is none.
local function own_score_from(key, place, is_foreign)
  local n = is_foreign and FOREIGN_PAGE or 1
  while true do
    local page = redis.call('ZRANGE', key, place, place + n - 1, 'WITHSCORES')
    for at = 1, #page, 2 do
      if not (is_foreign and is_foreign(page[at])) then return tonumber(page[at + 1]) end
    end
    if #page < 2 * n then return nil end
    place = place + n
  end
end
