-- include: lib/types
-- include: lib/ahead
-- Which of the next entries of an intake stream may be in the way of jobs that want to pass them: they have one of these
-- texts as an `id` or a `reference_code`, wherever in the job it stands. Nothing else goes over the connection, and no more
-- is decided: who reads them whole knows (jobs/overtaking.py).
-- KEYS: stream
-- ARGV: after, up_to, most, most_bytes, largest, texts...
-- after: the entry behind which to begin; '' for the first. up_to: the last that is wanted. most: entries. most_bytes:
-- one entry may go beyond. largest: bytes of the field `job`; of a larger one nothing is read.
-- Reply: {the last entry looked at ('': none), for each that may be in the way {its id, its field `job`; '' where it is too
--   large, or there is another number of them}}
-- Among them is what cannot be seen through from here: another form of entry, no object, a letter of ASCII that is written
-- as an escape (\u0000 to \u007f: a key or a type is not what it looks like); and what cancels.
local misfits = misfit(KEYS.stream, 'stream')
if misfits then return misfits end
local find, match, byte = string.find, string.match, string.byte
local QUOTE, ZERO, SEVEN = byte('"'), byte('0'), byte('7')
local LAST = { [byte('}')] = true, [9] = true, [10] = true, [13] = true, [32] = true }
local texts, before = ARGV.texts
local wanted = {}
for i = before + 1, #texts do wanted[texts[i]] = true end

local function is_no_object(job)
  return byte(job, 1) ~= 123 or not LAST[byte(job, -1)]
end

local function hides_a_letter(job)
  local at = find(job, '\\u00', 1, true)
  while at do
    local digit = byte(job, at + 4)
    if digit and digit >= ZERO and digit <= SEVEN then return true end
    at = find(job, '\\u00', at + 4, true)
  end
  return false
end

-- Whether a value of this key may be one of the texts: it is, or it is written in a way that has to be read. A number is its
-- digits. The key is given with its last quote: of first ones there are too many to look for.
local function may_have(job, key)
  local first, last = find(job, key, 1, true)
  while first do
    local value = byte(job, first - 1) == QUOTE and match(job, '^%s*:%s*([^%s,}%]]*)', last + 1)
    if value and value ~= 'null' then
      local text = match(job, '^%s*:%s*"([^"\\]*)"', last + 1) or match(value, '^[1-9]%d*$')
      if not text or wanted[text] then return true end
    end
    first, last = find(job, key, last + 1, true)
  end
  return false
end

local last, rows = '', {}
each_ahead(KEYS.stream, ARGV.after, ARGV.up_to, tonumber(ARGV.most), tonumber(ARGV.most_bytes), tonumber(ARGV.largest),
  function(id, job)
    last = id
    if is_no_object(job) or find(job, 'job.cancel', 1, true) or hides_a_letter(job) or may_have(job, 'id"')
      or may_have(job, 'reference_code"') then
      rows[#rows + 1] = {id, job}
    end
  end)
return {last, rows}
