-- include: lib/types
-- include: lib/entries
-- The next entries of the intake streams, given to this worker. A few at a time, so that what is read is bounded by its
-- bytes as well as its number: one of a stream that has shown large ones, more where all were small.
-- KEYS: the streams, in the order in which they are asked.
-- ARGV: 1 group, 2 worker id, 3 most entries of each stream, 4 most bytes (one entry may go beyond), 5 bytes of the field
--   `job` beyond which only its beginning is read, 6 bytes of that beginning.
-- Reply: rows (lib/entries.lua).
local group, worker = ARGV[1], ARGV[2]
local most, most_bytes, largest, beginning_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
for _, stream in ipairs(KEYS) do
  local wrong = misfit(stream, 'stream')
  if wrong then return wrong end
end
local SMALL = 16384
local AT_ONCE = 8
local rows, bytes = {}, 0
for n, stream in ipairs(KEYS) do
  local i, count = 0, 1
  while i < most and bytes < most_bytes do
    local reply = redis.call('XREADGROUP', 'GROUP', group, worker, 'COUNT', count, 'STREAMS', stream, '>')
    local entries = reply and reply[1] and reply[1][2] or {}
    local before = bytes
    for _, entry in ipairs(entries) do
      local row, size = row_of(n, entry, largest, beginning_bytes)
      rows[#rows + 1] = row
      bytes = bytes + size
      i = i + 1
    end
    if #entries < count then break end
    count = bytes - before <= SMALL * count and math.min(2 * count, AT_ONCE) or 1
  end
end
return rows
