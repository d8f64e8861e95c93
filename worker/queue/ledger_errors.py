"""
What went wrong at the ledger, in the words of ``jobs.errors``.
"""

from __future__ import annotations

from redis.exceptions import RedisError

from jobs.errors import LeaseLost, LedgerError, LedgerRefused, LedgerUnavailable
from schemas.records import JobRecord
from worker.guard import is_server_state


def ledger_error(exc: RedisError, what: str) -> LedgerError:
    """What a failure of Redis is for an attempt: a pause of the service, or a job that cannot be written."""
    return LedgerUnavailable(what) if is_server_state(exc) else LedgerRefused(what)


def lease_lost(job: JobRecord) -> LeaseLost:
    """A script has found another fence in the record, and has written nothing."""
    return LeaseLost(f"job {job.id} is another worker's by now")
