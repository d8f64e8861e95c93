-- What an earlier leader had read of a stream and not written becomes this worker's: a page of it, by ids alone, however
-- large the entries are. The fence of the lead stops the earlier one, so that no idle time is asked for.
-- KEYS: stream
-- ARGV: group, worker, start, most
-- start: where the page begins. most: ids.
-- Reply: {where the next page begins ('0-0': there is none), ids}
local reply = redis.call('XAUTOCLAIM', KEYS.stream, ARGV.group, ARGV.worker, '0', ARGV.start, 'COUNT', ARGV.most, 'JUSTID')
return {reply[1], reply[2]}
