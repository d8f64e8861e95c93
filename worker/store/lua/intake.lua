-- include: lib/types
-- include: lib/time
-- include: lib/claims
-- include: lib/admit
-- include: lib/follow_ups
-- include: lib/events
-- include: lib/lanes
-- include: lib/batches
-- include: lib/days
-- include: lib/day_index
-- A slice of the intake stream becomes ledger records in their lanes, in the order of the stream. Stops at the first
-- entry that needs another word (a conflict, a replay), says so, and is called again from there: order is kept. What is
-- known already of the entries behind it is said along: a day that is pushed twice is one call for a slice, not one for
-- each of its entries.
-- Does all of its work up to there or nothing: arguments and keys are checked before the first write.
-- KEYS: leader, due, lanes, dead, denied, deadlines, batches_due, facts, days, rest...
-- ARGV: group, worker, lease_ms, maxlen, retention_ms, n_entries, n_lanes, claimer[CLAIMER], batch_prefix, rest...
-- ENTRY_KEYS: stream, results, job, document, joined, waiting, later
-- ENTRY: kind, entry, id, lane, content, fingerprint, start_ms, end_ms, score, deadline_ms, size, day,
--   day_ends_ms, ends_prefix, ends_member
-- facts: of the intake. rest of KEYS: ENTRY_KEYS for each entry (the stream's key where there is no job or document), then
--   LANE_KEYS for each lane.
-- rest of ARGV: LANE for each lane; then for each entry ENTRY, TALLY (how a closed one counts), and in numbers that stand
--   before them: record fields (name, value), event values (none or EVENT), the dead letter (name, value).
-- kind: `accept`; `follow` and `watch` (jobs that follow a document, made by a replay); `close` (final at once: refused, or
--   answered from the ledger; a fingerprint asks that the document is still validated with it); `refuse` (the same, unless
--   the document is validated with its fingerprint: then it is a replay, whatever the rules of today say).
-- start_ms, end_ms: when it may be begun, 0 for unbounded. size: of the batch, as stated; 0 for none. day: that it must go
--   out on, '' for none, and when that is over. days: which days of which accounts there are.
-- ends_prefix, ends_member: of what is final at once, see lib/day_index.lua; '' for none.
-- Reply: {entries done, code, words, jobs started in those lanes, jobs claimed (see begin)...}: code `done`, `leader`
--   (not ours: nothing was written), or `stopped`, with three words for the first entry that was not done and for each
--   behind it of which as much is known: its place among those not done (from 0), why (`id.conflict`,
--   `reference.conflict`, `replay`), and for a replay the document's event.
local bad = misfit(KEYS.leader, 'string')
if bad then return bad end
if redis.call('GET', KEYS.leader) ~= ARGV.worker then return {0, 'leader', {}, 0} end
local LONGEST_WORDS = 1048576 -- bytes of events in one reply; the first goes along whatever it takes
local group, maxlen, retention_ms, n_entries = ARGV.group, ARGV.maxlen, ARGV.retention_ms, tonumber(ARGV.n_entries)
local n_lanes, claimer, batch_prefix = tonumber(ARGV.n_lanes), claimer_of(ARGV.claimer), ARGV.batch_prefix
local facts = KEYS.facts
local keys, k = KEYS.rest
local argv, at = ARGV.rest
local now = now_ms()

-- -- what is asked for, read whole before anything is done ---------------------------------------------------------
local lanes = {}
for n = 1, n_lanes do
  lanes[n] = lane_of(keys, k + #ENTRY_KEYS * n_entries + #LANE_KEYS * (n - 1), argv, at + #LANE * (n - 1))
end
at = at + #LANE * n_lanes

-- As many values as the next one says, of such a width.
local function counted(width)
  local first = at + 2
  at = at + 1 + width * tonumber(argv[at + 1])
  return { unpack(argv, first, at) }
end

local function has_value(pairs, name, value)
  for n = 1, #pairs, 2 do
    if pairs[n] == name then return pairs[n + 1] == value end
  end
  return false
end

local function next_entry()
  local lane = argv[at + ENTRY.lane]
  local e = {
    kind = argv[at + ENTRY.kind], entry = argv[at + ENTRY.entry], id = argv[at + ENTRY.id], lane = lane,
    account = string.match(lane, '^[^/]*'), content = argv[at + ENTRY.content], fingerprint = argv[at + ENTRY.fingerprint],
    start_at = tonumber(argv[at + ENTRY.start_ms]), end_at = tonumber(argv[at + ENTRY.end_ms]),
    score = argv[at + ENTRY.score], deadline_ms = tonumber(argv[at + ENTRY.deadline_ms]),
    size = tonumber(argv[at + ENTRY.size]), day = argv[at + ENTRY.day],
    day_ends_at = tonumber(argv[at + ENTRY.day_ends_ms]), tally = tally_of(argv, at + #ENTRY),
    ends_prefix = argv[at + ENTRY.ends_prefix], ends_member = argv[at + ENTRY.ends_member],
    stream = keys[k + ENTRY_KEYS.stream], results = keys[k + ENTRY_KEYS.results], job = keys[k + ENTRY_KEYS.job],
    document = keys[k + ENTRY_KEYS.document], joined = keys[k + ENTRY_KEYS.joined],
    waiting = keys[k + ENTRY_KEYS.waiting], later = keys[k + ENTRY_KEYS.later],
  }
  k, at = k + #ENTRY_KEYS, at + #ENTRY + #TALLY
  e.fields = counted(2)
  e.event = counted(1)
  e.dead = counted(2)
  e.closes = e.kind == 'close' or e.kind == 'refuse'
  e.is_refused = e.event[EVENT.type] == 'job.refused'
  e.is_denied = has_value(e.dead, 'reason', 'auth.denied')
  return e
end

local entries = {}
for n = 1, n_entries do entries[n] = next_entry() end

local function unless_absent(e, key)
  return key ~= e.stream and key
end

-- Only what an entry needs: what is wrong elsewhere costs it nothing. Batches check their own (lib/batches.lua).
bad = misfit(facts, 'hash')
for _, e in ipairs(entries) do
  bad = bad or misfit(e.stream, 'stream', e.results, 'stream', unless_absent(e, e.job), 'hash',
    unless_absent(e, e.document), 'hash', unless_absent(e, e.joined), 'list', #e.dead > 0 and KEYS.dead, 'stream')
  if not e.closes then
    bad = bad or misfit(KEYS.due, 'zset', KEYS.lanes, 'set', KEYS.deadlines, 'zset', e.waiting, 'zset', e.later, 'zset')
  end
end
for _, lane in ipairs(lanes) do bad = bad or lane_misfit(lane) end
if bad then return bad end

-- -- from here on everything is written ----------------------------------------------------------------------------
redis.call('PEXPIRE', KEYS.leader, ARGV.lease_ms)
local taken = {} -- how many entries were taken out of each stream
local finished = {} -- ids of those that are still to be taken out, of each stream
local told = {} -- lanes that are known to be due

-- An entry that was taken in before those ahead of it (worker/intake/lookout.py) may not have been given to the group yet: it can be
-- removed only. One that has been is acknowledged, and may have been removed by somebody else.
local function take_out(stream, ...)
  local n_acknowledged = redis.call('XACK', stream, group, ...)
  local n = math.max(n_acknowledged, redis.call('XDEL', stream, ...))
  if n > 0 then taken[stream] = (taken[stream] or 0) + n end
  return n
end

local function done(e)
  local ids = finished[e.stream] or {}
  ids[#ids + 1] = e.entry
  finished[e.stream] = ids
end

local function count_taken()
  for stream, ids in pairs(finished) do take_out(stream, unpack(ids)) end
  for stream, n in pairs(taken) do
    redis.call('HSET', facts, 'taken:' .. stream, text(number(redis.call('HGET', facts, 'taken:' .. stream)) + n))
  end
end

-- What the ledger holds against an entry, and with what; nil when nothing does. Third what it has of the document.
local function obstacle(e)
  local known = #e.fields > 0 and redis.call('HGET', e.job, 'content')
  if known then
    if known ~= e.content then return 'id.conflict', '' end
    return 'known', ''
  end
  if e.document == e.stream or (e.kind ~= 'accept' and e.fingerprint == '') then return nil end
  local document = redis.call('HMGET', e.document, 'state', 'fingerprint', 'event', 'free_at', 'stays')
  local state, is_same = document[1], document[2] == e.fingerprint
  if e.kind == 'accept' then
    if (state == 'open' or state == 'validated') and not is_same then return 'reference.conflict', '' end
    if state == 'validated' then return 'replay', document[3] or '' end
  elseif e.kind == 'refuse' then
    if state == 'validated' and is_same then return 'replay', document[3] or '' end
  elseif e.kind == 'close' and not (state == 'validated' and is_same) then
    return 'reference.conflict', ''
  end
  return nil, nil, document
end

local function accept(e, document)
  if document then
    if document[1] == 'open' then
      redis.call('HSET', e.job, unpack(e.fields))
      redis.call('HSET', e.job, 'state', 'joined', 'accepted_at', text(now))
      redis.call('RPUSH', e.joined, e.id)
      return
    end
    redis.call('HSET', e.document, 'v', '1', 'state', 'open', 'job', e.id, 'fingerprint', e.fingerprint)
    redis.call('HDEL', e.document, 'event', 'stays')
    redis.call('PERSIST', e.document)
  end
  -- A DELETE of the job before that had no answer could take what is issued under the reference now. The instant stays with
  -- the document: this job may end before it, and another one come.
  local begins = math.max(now, e.start_at, number(document and document[4]))
  local deadline_at = begins + e.deadline_ms
  admit(KEYS.lanes, KEYS.due, KEYS.deadlines, e, now, begins, deadline_at,
    e.end_at > 0 and math.min(e.end_at, deadline_at) or deadline_at, told)
  local batch = string.sub(e.tally.member, #e.account + 2)
  enter_day(string.sub(e.waiting, 1, -9), string.sub(e.lane, #e.account + 2), KEYS.days, e.account, e.day, e.day_ends_at,
    batch, batch_prefix .. e.tally.member, e.id, e.score, now)
  -- The reference was tried before and ended rejected or failed, or is being removed at Factus: look there first.
  if document and (document[1] or redis.call('EXISTS', e.document .. ':removals') == 1) then
    redis.call('HSET', e.job, 'sent', 'unknown')
  end
  -- The job before left a document at Factus that bars the whole family: this job settles it, so it heads the lane.
  if document and document[5] and begins <= now then redis.call('ZADD', e.waiting, '-1', e.id) end
end

-- What a push that was answered from the ledger has asked to follow its document.
local function follow(e)
  if e.kind == 'watch' and not may_watch(e.document, e.id) then return end
  keep_follow_up(e.document, e.id, e.kind == 'watch')
  local begins = math.max(now, e.start_at)
  admit(KEYS.lanes, KEYS.due, KEYS.deadlines, e, now, begins, begins + e.deadline_ms, begins + e.deadline_ms, told)
end

local function close(e)
  -- Done before: a script that ran and whose answer was lost is sent again.
  if take_out(e.stream, e.entry) == 0 then return end
  if #e.fields > 0 then
    redis.call('HSET', e.job, unpack(e.fields))
    redis.call('HSET', e.job, 'accepted_at', text(now), 'final_at', text(now))
    redis.call('PEXPIRE', e.job, retention_ms)
  end
  if #e.event > 0 then publish(e.results, maxlen, e.event) end
  if #e.dead > 0 then
    local letter = redis.call('XADD', KEYS.dead, '*', unpack(e.dead))
    -- Where the list is no list the letter is one like all others.
    if e.is_denied then redis.pcall('RPUSH', KEYS.denied, letter) end
  end
  tally(batch_prefix, KEYS.batches_due, e.tally, e.event[EVENT.type], retention_ms)
  note_end(e.ends_prefix, e.ends_member, now, retention_ms)
end

-- What is known of the entries from *first* on, which begins with an obstacle.
local function words_from(first)
  local words, size = {}, 0
  for n = first, #entries do
    local why, extra = obstacle(entries[n])
    if why and why ~= 'known' then
      size = size + #extra
      if n > first and size > LONGEST_WORDS then break end
      words[#words + 1], words[#words + 2], words[#words + 3] = n - first, why, extra
    end
  end
  return words
end

for n, e in ipairs(entries) do
  local why, _, document = obstacle(e)
  if why and why ~= 'known' then
    count_taken()
    return {n - 1, 'stopped', words_from(n), 0}
  end
  if not why then
    if e.kind == 'accept' then accept(e, document)
    elseif e.closes then close(e)
    else follow(e) end
    if e.size > 0 then
      state_size(batch_prefix .. e.tally.member, KEYS.batches_due, e.tally.member, e.size, e.is_refused)
    end
  end
  -- What was closed is taken out.
  if why or not e.closes then done(e) end
end
count_taken()
local started = 0
for _, lane in ipairs(lanes) do started = started + dispatch(lane, claimer, now) end
return {n_entries, 'done', {}, started, unpack(claimer.claimed)}
