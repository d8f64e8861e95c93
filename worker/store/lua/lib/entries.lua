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

-- What a letter may keep of an entry: its fields `job`, or its names and values where it has none, but for its tokens.
-- Also the number of the first, the bytes of the whole entry, its fields `token`, and its field `owner`.
local function parts_of(entry)
  local fields, jobs, others, tokens, owner, all = entry[2], {}, {}, {}, '', 0
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    all = all + #name + #value
    if name == 'job' then jobs[#jobs + 1] = value
    elseif name == 'token' then tokens[#tokens + 1] = value
    else
      if name == 'owner' then owner = value end
      others[#others + 1] = name
      others[#others + 1] = value
    end
  end
  return #jobs > 0 and jobs or others, #jobs, all, tokens, owner
end

local LONGEST_FIELD = 8193 -- a byte more than a token may have: so it is seen to be too long

-- A row for the intake: {stream (its number), entry id, number of fields `job`, bytes of what a letter may keep (joined by
-- line ends), these bytes or their beginning, number of fields `token`, the first of them, field `owner`}, and the bytes of
-- the whole entry.
local function row_of(stream, entry, most_bytes, beginning_bytes)
  local parts, n_jobs, all, tokens, owner = parts_of(entry)
  local token, whose = string.sub(tokens[1] or '', 1, LONGEST_FIELD), string.sub(owner, 1, LONGEST_FIELD)
  if n_jobs == 1 and #parts[1] <= most_bytes then
    return {stream, entry[1], 1, #parts[1], parts[1], #tokens, token, whose}, all
  end
  local bytes = math.max(#parts - 1, 0)
  for _, part in ipairs(parts) do bytes = bytes + #part end
  return {stream, entry[1], n_jobs, bytes, cut_of(parts, 0, beginning_bytes), #tokens, token, whose}, all
end
