-- include: lib/types
-- What an entry of an intake stream is worth reading. Included by the scripts that read entries for the intake: nothing
-- of any size goes over the connection, whatever a producer has pushed.

-- `left` bytes of these parts joined by line ends, from the byte `skip` (from 0) on.
local function cut_of(parts, skip, left)
  local found = {}
  for n, part in ipairs(parts) do
    if left <= 0 then break end
    for _, piece in ipairs({ n > 1 and '\n' or '', part }) do
      local text = string.sub(piece, skip + 1, skip + left)
      skip, left = math.max(skip - #piece, 0), left - #text
      if text ~= '' then found[#found + 1] = text end
    end
  end
  return table.concat(found)
end

-- What a letter may keep of an entry: its fields `job`, or its names and values where it has none. Also their number, and
-- the bytes of the whole entry.
local function parts_of(entry)
  local fields, jobs, all = entry[2], {}, 0
  for i = 1, #fields, 2 do
    all = all + #fields[i] + #fields[i + 1]
    if fields[i] == 'job' then jobs[#jobs + 1] = fields[i + 1] end
  end
  return #jobs > 0 and jobs or fields, #jobs, all
end

-- A row for the intake: {stream (its number), entry id, number of fields `job`, bytes of what a letter may keep (joined by
-- line ends), these bytes or their beginning}, and the bytes of the whole entry.
local function row_of(stream, entry, most_bytes, beginning_bytes)
  local parts, n_jobs, all = parts_of(entry)
  if n_jobs == 1 and #parts[1] <= most_bytes then return {stream, entry[1], 1, #parts[1], parts[1]}, all end
  local bytes = #parts - 1
  for _, part in ipairs(parts) do bytes = bytes + #part end
  return {stream, entry[1], n_jobs, bytes, cut_of(parts, 0, beginning_bytes)}, all
end
