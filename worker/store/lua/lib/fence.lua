-- include: lib/types
-- Who may write: the job's owner, by its fence; the holder of a lease, by its worker id.

-- Whether the attempt with this fence still owns the job. A key that holds no record is nobody's.
local function owns(job, fence)
  local held = fields_of(job, 'state', 'fence') or {}
  return held[1] == 'inflight' and held[2] == fence
end

-- Whether the lease is this worker's.
local function holds_lease(key, worker)
  return redis.call('GET', key) == worker
end
