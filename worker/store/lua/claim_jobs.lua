-- include: lib/types
-- include: lib/time
-- include: lib/claims
-- include: lib/foreign
-- A worker takes dispatched jobs from arq's queue under a lease: what other workers had no room for, and what a dead one
-- left behind. The score of a claimed id is the end of its lease, so that the read finds only what is free, however much
-- is under way elsewhere.
-- KEYS: queue
-- ARGV: claimer[CLAIMER], at_once, patience_ms, arq_prefix, arq_job_prefix, job_prefix, account_prefix, lane_prefix, foreign...
-- foreign: accounts whose jobs are passed over: to take one would cost it a fence, and keep it from its own worker.
-- queue: arq's. The prefixes stand before arq's ids, arq's jobs, the account in the key of a record, an account, a lane.
-- Reply: jobs claimed (see begin)...
local wrong = misfit(KEYS.queue, 'zset')
if wrong then return wrong end
local claimer = claimer_of(ARGV.claimer)
local now = now_ms()
local function forget(arq_id)
  redis.call('ZREM', KEYS.queue, arq_id)
  redis.call('DEL', ARGV.arq_job_prefix .. arq_id, claimer.mark_prefix .. arq_id)
end

local names, before = ARGV.foreign
local foreign = foreign_of(names, before)
local is_foreign = foreign and function(arq_id)
  return foreign[string.match(arq_id, '^[^:]*', #ARGV.arq_prefix + 1)]
end

local function due(until_ms, n)
  return (own_due(KEYS.queue, until_ms, n, is_foreign))
end

local most, at_once = claimer.room, tonumber(ARGV.at_once)
local n_left = #due(now - tonumber(ARGV.patience_ms), most) -- what others have left lying stands before all others
for n, arq_id in ipairs(due(now, math.max(n_left, at_once))) do
  if most - claimer.room >= (n <= n_left and most or at_once) then break end
  local account, id, epoch = string.match(string.sub(arq_id, #ARGV.arq_prefix + 1), '^([^:]+):(.+):(%d+)$')
  local job = ARGV.job_prefix .. (account or '') .. ':' .. (id or '')
  local held = fields_of(job, 'state', 'epoch', 'lane') or {}
  local lane = held[3] or ''
  if held[1] ~= 'inflight' or held[2] ~= epoch then
    forget(arq_id) -- not the current dispatch: nothing is left to do
  elseif redis.call('SET', claimer.mark_prefix .. arq_id, claimer.worker, 'NX', 'PX', claimer.lease_ms) then
    redis.call('ZADD', KEYS.queue, text(now + claimer.lease_ms), arq_id)
    begin(claimer, arq_id, job, ARGV.account_prefix .. account, ARGV.lane_prefix .. lane, string.sub(lane, #account + 2), now)
  else
    -- The mark outlives its score by a moment (a script sees keys expire at the instant it began): look again when it
    -- ends, and not a whole lease later.
    local left_ms = redis.call('PTTL', claimer.mark_prefix .. arq_id)
    redis.call('ZADD', KEYS.queue, text(now + math.max(left_ms, 1)), arq_id)
  end
end
return claimer.claimed
