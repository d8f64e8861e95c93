-- EVENT: event, type, account, job_id, reference_code
-- An event goes into its stream. `event`: the whole of it, as JSON; the others are found without reading it.

local function publish(stream, maxlen, event)
  redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'event', event[EVENT.event], 'type', event[EVENT.type],
    'account', event[EVENT.account], 'job_id', event[EVENT.job_id], 'reference_code', event[EVENT.reference_code])
end
