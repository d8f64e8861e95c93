-- A part of the field `job` of one entry, which is too large to be read at once.
-- KEYS: 1 stream. ARGV: 1 entry id, 2 first byte (from 0), 3 number of bytes. Reply: the bytes; nil when it is gone.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return nil end
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'job' then
    return string.sub(entry[2][i + 1], tonumber(ARGV[2]) + 1, tonumber(ARGV[2]) + tonumber(ARGV[3]))
  end
end
return nil
