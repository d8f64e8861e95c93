-- include: lib/types
-- include: lib/entries
-- The next entries of the intake streams, given to this worker. A few at a time, so that what is read is bounded by its
-- bytes as well as its number: one of a stream that has shown large ones, more where all were small.
-- KEYS: streams...
-- ARGV: group, worker, most, most_bytes, largest, beginning
-- streams: in the order in which they are asked. most: entries of each stream. most_bytes, largest, beginning: as in
--   read_claimed.lua.
-- Reply: rows (lib/entries.lua).
local group, worker = ARGV.group, ARGV.worker
local most, most_bytes = tonumber(ARGV.most), tonumber(ARGV.most_bytes)
local largest, beginning_bytes = tonumber(ARGV.largest), tonumber(ARGV.beginning)
local streams = KEYS.streams
for _, stream in ipairs(streams) do
  local wrong = misfit(stream, 'stream')
  if wrong then return wrong end
end
local SMALL = 16384
local AT_ONCE = 8
local rows, bytes = {}, 0
for n, stream in ipairs(streams) do
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
    count = bytes - before <= SMALL * count and math.min(2 * count, AT_ONCE, most - i) or 1
  end
end
return rows
