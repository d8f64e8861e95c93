-- include: lib/entries
-- Entries that were given to the group before, by their ids: what an earlier leader had read and not written.
-- KEYS: stream
-- ARGV: most_bytes, largest, beginning, ids...
-- most_bytes: one entry may go beyond. largest: bytes of the field `job`; of a larger one only its beginning is read, so
--   many bytes.
-- Reply: {number of ids looked at, rows (lib/entries.lua), ids that are not there (any more)}
local most_bytes, largest, beginning_bytes = tonumber(ARGV.most_bytes), tonumber(ARGV.largest), tonumber(ARGV.beginning)
local rows, gone, bytes, n = {}, {}, 0, 0
local ids, before = ARGV.ids
for i = before + 1, #ids do
  if bytes >= most_bytes then break end
  n = n + 1
  local entry = redis.call('XRANGE', KEYS.stream, ids[i], ids[i])[1]
  if entry then
    local row, size = row_of(1, entry, largest, beginning_bytes)
    rows[#rows + 1] = row
    bytes = bytes + size
  else
    gone[#gone + 1] = ids[i]
  end
end
return {n, rows, gone}
