-- EVENT: event, type, account, job_id, reference_code, counts
-- An event goes into its stream. `event`: the whole of it, as JSON; the others are found without reading it. `counts`: how
-- a final one is counted (jobs/event_counts.py), '' for every other.

local function publish(stream, maxlen, event)
  redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'event', event[EVENT.event], 'type', event[EVENT.type],
    'account', event[EVENT.account], 'job_id', event[EVENT.job_id], 'reference_code', event[EVENT.reference_code])
  -- Beside the streams, as worker/store/keys.py has it: no namespace holds a colon. It cannot fail: an end does not depend
  -- on what somebody has written there by hand.
  if event[EVENT.counts] ~= '' then
    redis.pcall('HINCRBY', string.match(stream, '^[^:]*') .. ':counts', event[EVENT.counts], 1)
  end
end
