-- The next entries of a stream, in its order, looked at and left where they are. Included by the scripts that look ahead.

local SMALL = 16384
local AT_ONCE = 8

-- The field `job` of an entry, '' where it is larger than `largest` or there is another number of them; and the bytes of
-- the whole entry.
local function job_of(entry, largest)
  local fields, job, n, bytes = entry[2], '', 0, 0
  for i = 1, #fields, 2 do
    bytes = bytes + #fields[i] + #fields[i + 1]
    if fields[i] == 'job' then job, n = fields[i + 1], n + 1 end
  end
  return n == 1 and #job <= largest and job or '', bytes
end

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
      local job, size = job_of(entry, largest)
      each(entry[1], job)
      n, bytes = n + 1, bytes + size
      start = '(' .. entry[1]
    end
    if #entries < count then break end
    count = bytes - before <= SMALL * count and math.min(2 * count, AT_ONCE) or 1
  end
end
