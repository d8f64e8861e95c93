-- include: lib/types
-- include: lib/ahead
-- The next entries of an intake stream that are not taken in yet, whether or not somebody was given them: looked at, and
-- left where they are.
-- KEYS: stream
-- ARGV: after, up_to, most, most_bytes, largest
-- after: the entry behind which to begin; '' for the first. up_to: the last that is wanted. most: entries. most_bytes:
-- one entry may go beyond. largest: bytes of the field `job`; of a larger one nothing is read.
-- Reply: for each {its id, its field `job`; '' where it is too large, or there is another number of them}
local misfits = misfit(KEYS.stream, 'stream')
if misfits then return misfits end
local rows = {}
each_ahead(KEYS.stream, ARGV.after, ARGV.up_to, tonumber(ARGV.most), tonumber(ARGV.most_bytes), tonumber(ARGV.largest),
  function(id, job) rows[#rows + 1] = {id, job} end)
return rows
