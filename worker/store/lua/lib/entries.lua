-- include: lib/types
-- What an entry of an intake stream is worth reading. Included by the scripts that read entries for the intake: nothing
-- of any size goes over the connection, whatever a producer has pushed.

-- Of fields that are too many or too long only the beginning is handed on.
local function beginning(parts, bytes)
  local text, left = {}, bytes
  for _, part in ipairs(parts) do
    if left <= 0 then break end
    text[#text + 1] = string.sub(part, 1, left)
    left = left - #part - 1
  end
  return table.concat(text, '\n')
end

-- A row for the intake: {stream (its number), entry id, number of fields `job`, bytes of them, the bytes or their
-- beginning}, and the bytes of the whole entry. An entry without a field `job` shows its names and values.
local function row_of(stream, entry, most_bytes, beginning_bytes)
  local fields, jobs, all = entry[2], {}, 0
  for i = 1, #fields, 2 do
    all = all + #fields[i] + #fields[i + 1]
    if fields[i] == 'job' then jobs[#jobs + 1] = fields[i + 1] end
  end
  if #jobs == 1 and #jobs[1] <= most_bytes then return {stream, entry[1], 1, #jobs[1], jobs[1]}, all end
  local bytes = 0
  for _, job in ipairs(jobs) do bytes = bytes + #job end
  return {stream, entry[1], #jobs, bytes, beginning(#jobs > 0 and jobs or fields, beginning_bytes)}, all
end
