-- What an earlier leader had read of a stream and not written becomes this worker's: a page of it, by ids alone, however
-- large the entries are. The fence of the lead stops the earlier one, so that no idle time is asked for.
-- KEYS: 1 stream. ARGV: 1 group, 2 worker id, 3 where the page begins, 4 most ids.
-- Reply: {where the next page begins ('0-0': there is none), ids}
local reply = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], '0', ARGV[3], 'COUNT', ARGV[4], 'JUSTID')
return {reply[1], reply[2]}
