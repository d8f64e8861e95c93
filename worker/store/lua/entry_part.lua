-- include: lib/entries
-- A part of what a letter may keep of one entry (lib/entries.lua), which is too large to be read at once.
-- KEYS: 1 stream. ARGV: 1 entry id, 2 first byte (from 0), 3 number of bytes. Reply: the bytes; nil when it is gone.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return nil end
return cut_of((parts_of(entry)), tonumber(ARGV[2]), tonumber(ARGV[3]))
