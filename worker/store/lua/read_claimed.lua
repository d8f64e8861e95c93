-- include: lib/entries
-- Entries that were given to the group before, by their ids: what an earlier leader had read and not written.
-- KEYS: 1 stream. ARGV: 1 most bytes (one entry may go beyond), 2 bytes of the field `job` beyond which only its beginning
--   is read, 3 bytes of that beginning, then the ids.
-- Reply: {number of ids looked at, rows (lib/entries.lua), ids that are not there (any more)}
local most_bytes, largest, beginning_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local rows, gone, bytes, n = {}, {}, 0, 0
for i = 4, #ARGV do
  if bytes >= most_bytes then break end
  n = n + 1
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    local row, size = row_of(1, entry, largest, beginning_bytes)
    rows[#rows + 1] = row
    bytes = bytes + size
  else
    gone[#gone + 1] = ARGV[i]
  end
end
return {n, rows, gone}
