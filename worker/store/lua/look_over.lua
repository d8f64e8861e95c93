-- include: lib/types
-- include: lib/ahead
-- Which of the next entries of an intake stream that are not taken in yet may have priority `high`. Nothing of them goes
-- over the connection, so that a backlog without sales costs next to nothing.
-- KEYS: stream
-- ARGV: after, most, most_bytes, largest
-- As in in_the_way.lua.
-- Reply: {the last entry looked over ('': none), how many there were, {the ids of those that may be `high`}}
-- One has the word somewhere, or an escape in which its letters may be written: \u0068, \u0069 or \u0067.
local misfits = misfit(KEYS.stream, 'stream')
if misfits then return misfits end
local last, n, found = '', 0, {}
each_ahead(KEYS.stream, ARGV.after, '+', tonumber(ARGV.most), tonumber(ARGV.most_bytes), tonumber(ARGV.largest),
  function(id, job)
    last, n = id, n + 1
    if string.find(job, 'high', 1, true) or string.find(job, '\\u006', 1, true) then found[#found + 1] = id end
  end)
return {last, n, found}
