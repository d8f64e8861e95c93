-- include: lib/entries
-- The next entries of a stream, in its order, looked at and left where they are. Included by the scripts that look ahead.

local SMALL = 16384
local AT_ONCE = 8

-- `each` is called with the id and the field `job` of every entry behind `after` ('': from the first) and up to `up_to`
-- ('+': the last), until there are `most` of them or `most_bytes` together: one entry may go beyond. A few at a time, as in
-- read_entries.lua. The field is '' where it is larger than `largest`, or there is another number of them.
local function each_ahead(stream, after, up_to, most, most_bytes, largest, each)
  local start = after == '' and '-' or '(' .. after
  local n, bytes, count = 0, 0, 1
  while n < most and bytes < most_bytes do
    local entries = redis.call('XRANGE', stream, start, up_to, 'COUNT', count)
    local before = bytes
    for _, entry in ipairs(entries) do
      local row, size = row_of(1, entry, largest, 0)
      each(entry[1], row[3] == 1 and row[5] or '')
      n, bytes = n + 1, bytes + size
      start = '(' .. entry[1]
    end
    if #entries < count then break end
    count = bytes - before <= SMALL * count and math.min(2 * count, AT_ONCE) or 1
  end
end
