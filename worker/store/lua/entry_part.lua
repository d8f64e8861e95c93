-- include: lib/entries
-- A part of what a letter may keep of one entry (lib/entries.lua), which is too large to be read at once.
-- KEYS: stream
-- ARGV: entry, first, n_bytes
-- first: the first byte, from 0.
-- Reply: the bytes; nil when it is gone.
local entry = redis.call('XRANGE', KEYS.stream, ARGV.entry, ARGV.entry)[1]
if not entry then return nil end
return cut_of((parts_of(entry)), tonumber(ARGV.first), tonumber(ARGV.n_bytes))
