-- include: lib/types
-- How long each document took its lane up, without what it waited for the allowance. The newest few
-- hundred are kept, for whoever reckons when the lane will be done (jobs/estimate).

local MOST_SEEN = 300
local SEEN_FOR_MS = 604800000
local LONGEST_PAUSE_MS = 60000 -- a longer one is a hold, and no pace

-- An attempt ends. `started_at`: when the lane started it; `pause_ms`: for which the lane pauses after it.
local function note_attempt(lane, job, started_at, is_final, pause_ms, now)
  if lane.behind ~= '' or lane.is_control or started_at == 0 then return end
  local sent_at = number((fields_of(job, 'sending_at') or {})[1])
  local is_sent_now = sent_at >= started_at
  local took_ms = math.max(now - (is_sent_now and sent_at or started_at), 0)
  if not is_final then
    bump(lane.hash, 'busy_ms', text(took_ms + math.min(pause_ms, LONGEST_PAUSE_MS)), '0')
    return
  end
  local seen = lane.hash .. ':seen'
  if sent_at == 0 or misfit(seen, 'list') then return end
  local before_ms = number(redis.call('HGET', lane.hash, 'busy_ms'))
  local gap_ms = is_sent_now and sent_at - started_at or 0
  redis.call('LPUSH', seen, text(sent_at) .. ':' .. text(took_ms + before_ms) .. ':' .. text(gap_ms))
  redis.call('LTRIM', seen, 0, MOST_SEEN - 1)
  redis.call('PEXPIRE', seen, text(SEEN_FOR_MS))
  redis.call('HDEL', lane.hash, 'busy_ms')
end
