-- include: lib/types
-- include: lib/entries
-- The next entries of an intake stream that are not taken in yet, whether or not somebody was given them: looked at, and
-- left where they are. A few at a time, as in read_entries.lua.
-- KEYS: stream
-- ARGV: after, most, most_bytes, largest
-- after: the entry behind which to begin; '' for the first. most: entries. most_bytes: one entry may go beyond.
-- largest: bytes of the field `job`; of a larger one nothing is read.
-- Reply: for each {its id, its field `job`; '' where it is too large, or there is another number of them}
local misfits = misfit(KEYS.stream, 'stream')
if misfits then return misfits end
local most, most_bytes, largest = tonumber(ARGV.most), tonumber(ARGV.most_bytes), tonumber(ARGV.largest)
local start = ARGV.after == '' and '-' or '(' .. ARGV.after
local SMALL = 16384
local AT_ONCE = 8
local rows, bytes, count = {}, 0, 1
while #rows < most and bytes < most_bytes do
  local entries = redis.call('XRANGE', KEYS.stream, start, '+', 'COUNT', count)
  local before = bytes
  for _, entry in ipairs(entries) do
    local row, size = row_of(1, entry, largest, 0)
    rows[#rows + 1] = {entry[1], row[3] == 1 and row[5] or ''}
    bytes = bytes + size
    start = '(' .. entry[1]
  end
  if #entries < count then break end
  count = bytes - before <= SMALL * count and math.min(2 * count, AT_ONCE) or 1
end
return rows
