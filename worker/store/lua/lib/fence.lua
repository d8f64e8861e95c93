-- include: lib/types
-- Who may write: the job's owner, by its fence; the holder of a lease, by its worker id.

-- Whether the attempt with this fence still owns the job. A key that holds no record is nobody's.
local function owns(job, fence)
  local held = fields_of(job, 'state', 'fence') or {}
  return held[1] == 'inflight' and held[2] == fence
end

-- Whether somebody has taken the job up after the attempt with this fence; the same process may have.
local function is_taken_again(job, fence)
  local held = fields_of(job, 'fence') or {}
  return number(held[1]) > number(fence)
end

-- The fence rises, so that whoever held the job before can write nothing more. It goes by the clock as well: a number that is
-- only counted would be given twice where a failover has lost the claim that had it, and both would own the job.
local function raise_fence(job, now)
  local held = fields_of(job, 'fence') or {}
  redis.call('HSET', job, 'fence', text(math.max(number(held[1]) + 1, now)))
end

-- Whether the lease is this worker's.
local function holds_lease(key, worker)
  return redis.call('GET', key) == worker
end
