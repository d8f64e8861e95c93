-- include: lib/types
-- Which jobs of an account ended when: a sorted set for each account and day of UTC, by the ms of the end, for whoever
-- closes a day in the account's own zone (jobs/closing). It lives as long as the records that it names.

local MOST_ENDS = 250000 -- of one account and day: Factus takes 115,200 calls a day; beyond it only refusals can be
local DAY_MS = 86400000

-- `prefix`: what stands before the number of the day. `member`: the job's id, or what is told of a refusal that has no
-- record ('!' and JSON); '' for what no closing asks for. A job ends whatever holds that key: nothing here can fail.
local function note_end(prefix, member, now, retention_ms)
  if member == '' then return end
  local key = prefix .. text(math.floor(now / DAY_MS))
  local n = redis.pcall('ZCARD', key)
  if type(n) ~= 'number' or n >= MOST_ENDS then return end
  redis.pcall('ZADD', key, 'NX', text(now), member)
  redis.pcall('PEXPIRE', key, text(tonumber(retention_ms) + DAY_MS))
end
