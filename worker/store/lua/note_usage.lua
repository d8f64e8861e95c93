-- include: lib/types
-- include: lib/time
-- include: lib/allowance
-- include: lib/others
-- How much of the allowance Factus counts as used, said with the answer to one of our requests (see lib/others).
-- KEYS: grants, account
-- ARGV: limit, window_ms, used, granted_at
-- used: this request included. granted_at: of this request, ms.
-- Reply: how many of them others have made, as far as is known.
local wrong = misfit(KEYS.grants, 'list', KEYS.account, 'hash')
if wrong then return wrong end
local now, limit = now_ms(), tonumber(ARGV.limit)
local window_ms = window_of(KEYS.account, tonumber(ARGV.window_ms))
local used, at = math.min(number(ARGV.used), limit), number(ARGV.granted_at)
local seen = redis.call('HMGET', KEYS.account, 'others_until', 'opened_at', 'seen_at', 'seen_used', 'n_others')
local opened_at, seen_at, n_others = number(seen[2]), number(seen[3]), number(seen[5])
local UNDER_WAY_MS = 5000 -- ours of that long before may have been counted in the new window too
local SLACK = 3 -- requests under way that Factus may count in another order than they were sent

-- Ours among those that were counted: from the opening (or a window ago) to this one.
local function own_since(instant)
  return grants_since(KEYS.grants, limit, instant - 1) - grants_since(KEYS.grants, limit, at)
end

if number(seen[1]) <= now then
  -- Nobody else is known of: what says so is an allowance that is used up, though we have used less of it.
  local own = own_since(at - window_ms)
  if used < limit or own >= limit then return 0 end
  redis.call('HSET', KEYS.account, 'others_until', text(now + OTHERS_MS), 'opened_at', text(at), 'seen_at', text(at),
    'seen_used', text(used), 'n_others', text(used - own), 'n_others_before', '0')
  return used - own
end
if at < opened_at then return n_others end -- it was counted in a window that is over
if opened_at == 0 or (at > seen_at and used + SLACK < number(seen[4])) then
  -- Less is used than before: another window is open, since this request at the latest.
  redis.call('HSET', KEYS.account, 'opened_at', text(at), 'seen_at', text(at), 'seen_used', text(used), 'n_others',
    text(math.max(used - own_since(at - UNDER_WAY_MS), 0)), 'n_others_before', text(n_others))
  return 0
end
local of_others = math.max(used - own_since(opened_at), n_others)
redis.call('HSET', KEYS.account, 'n_others', text(of_others))
if at >= seen_at then
  redis.call('HSET', KEYS.account, 'seen_at', text(at), 'seen_used', text(math.max(used, number(seen[4]))))
end
if of_others > 0 then redis.call('HSET', KEYS.account, 'others_until', text(now + OTHERS_MS)) end
return of_others
