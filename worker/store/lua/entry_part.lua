-- A part of the field `job` of one entry, which is too large to be read at once.
-- KEYS: stream
-- ARGV: entry, first, n_bytes
-- first: the first byte, from 0.
-- Reply: the bytes; nil when it is gone.
local entry = redis.call('XRANGE', KEYS.stream, ARGV.entry, ARGV.entry)[1]
if not entry then return nil end
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'job' then
    return string.sub(entry[2][i + 1], tonumber(ARGV.first) + 1, tonumber(ARGV.first) + tonumber(ARGV.n_bytes))
  end
end
return nil
