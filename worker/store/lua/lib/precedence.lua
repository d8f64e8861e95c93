-- include: lib/types
-- include: lib/allowance
-- Which job of a lane starts next: by priority, and calls after what waits to be issued.
--
-- Numbers that are longer than 14 digits (scores) stay text: Lua would print them rounded.

local BAND = 1000000000000000 -- one priority's share of the scores (schemas/records.py)

-- The id that starts next, of rank `lowest` or better (0 high, 1 normal, 2 low). Every tenth start skips the best
-- priority present, every hundredth the second best too, so that a flood of one never starves another.
local function pick(lane, lowest)
  local head, score = unpack(redis.call('ZRANGE', lane.waiting, 0, 0, 'WITHSCORES'))
  if not head or tonumber(score) < 0 then return head end
  if tonumber(score) >= (lowest + 1) * BAND then return nil end
  local turn = number(redis.call('HGET', lane.hash, 'starts')) + 1
  if turn % 10 ~= 0 then return head end
  local heads = {}
  for rank = 0, lowest do
    local found = redis.call('ZRANGEBYSCORE', lane.waiting, text(rank * BAND), '(' .. text((rank + 1) * BAND),
      'LIMIT', 0, 1)
    if found[1] then heads[#heads + 1] = found[1] end
  end
  local chosen = 1
  while chosen < #heads and turn % 10 == 0 do
    chosen = chosen + 1
    turn = turn / 10
  end
  return heads[chosen]
end

-- How many documents of the account wait to be issued, in lanes that nothing holds.
local function documents_waiting(lane, now)
  local n = 0
  for family in string.gmatch(lane.behind, '[^,]+') do
    local other = lane.siblings .. family
    local held = fields_of(other, 'hold_until')
    if held and number(held[1]) <= now then
      local n_waiting = redis.pcall('ZCARD', other .. ':waiting')
      n = n + (type(n_waiting) == 'number' and n_waiting or 0)
    end
  end
  return n
end

-- Whether `n` more calls, those under way and this one find a place in the allowance at once.
local function has_room_beside(lane, n, now)
  local spare = lane.limit - n - redis.call('ZCARD', lane.flight)
  if spare <= 0 then return false end
  local window_ms = window_of(lane.account, lane.window_ms)
  local used_at = number(redis.call('LINDEX', lane.grants, spare - 1))
  return used_at + window_ms <= now or is_of_another_clock(used_at, window_ms, now)
end

-- Calls stand behind issuing: they share its allowance, and a document that waits for a download is a sale that waits.
-- The lowest rank that may start: 2 all, 1 normal, 0 high only. Low calls (archive, RADIAN) go when no document waits,
-- and leave a quarter of the allowance free for what may come. Normal ones go while documents wait only when there is
-- room for all of these as well, or when nine documents have gone since the last call.
local RESERVED = 4 -- one place in so many stays free of low calls
local MOST_PASSED = 9 -- documents that go before a call that waits
local function lowest_rank(lane, now)
  if lane.behind == '' then return 2 end
  local n_documents = documents_waiting(lane, now)
  if n_documents == 0 then
    return has_room_beside(lane, math.floor(lane.limit / RESERVED), now) and 2 or 1
  end
  if has_room_beside(lane, n_documents, now) then return 1 end
  return number(redis.call('HGET', lane.hash, 'passed')) >= MOST_PASSED and 1 or 0
end
