-- include: lib/types
-- include: lib/time
-- include: lib/events
-- include: lib/reader
-- What will become of an account's day is told: once for each time, whoever looks at it and however often.
-- KEYS: state, results
-- ARGV: n_told, is_at_risk, will_miss, maxlen, keep_ms, event[EVENT]
-- state: of the day. n_told: how often it was told, as it was read. is_at_risk: 1, or 0 when it is safe.
-- Reply: 1 when it was published, 0 when somebody else has told meanwhile.
local wrong = misfit(KEYS.state, 'hash', KEYS.results, 'stream')
if wrong then return wrong end
local n_told = number(redis.call('HGET', KEYS.state, 'n_told'))
if n_told ~= number(ARGV.n_told) then return 0 end
-- First, because a stream can refuse an entry for reasons that no look at it tells beforehand.
publish(KEYS.results, ARGV.maxlen, reader_of(ARGV.event).some(#EVENT))
redis.call('HSET', KEYS.state, 'n_told', text(n_told + 1), 'is_at_risk', ARGV.is_at_risk, 'will_miss', ARGV.will_miss,
  'told_at', text(now_ms()))
redis.call('PEXPIRE', KEYS.state, ARGV.keep_ms)
return 1
