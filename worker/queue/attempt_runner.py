"""
One run of a job, as arq calls it: take it up, attempt it, write the end, say it in one line of the log.

The last line of defence as well: whatever goes wrong inside an attempt ends as an open job with a pause, never as a
lost one, and never as an exception in arq.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from arq.worker import RetryJob

from jobs.errors import LeaseLost, LedgerUnavailable
from jobs.lesser_ends import defect_end
from jobs.outcomes import AttemptResult, Retry
from jobs.ports import Gateway
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord
from worker.guard import is_server_state, redis_key, redis_word
from worker.queue.attempt_log import log_attempt
from worker.queue.attempt_work import AttemptWork
from worker.queue.claims import ClaimedJob
from worker.queue.end_writer import EndWriter, Tried
from worker.queue.foreign_accounts import ForeignAccounts
from worker.queue.noting_gateway import NotingGateway
from worker.queue.run_policy import RUN, DefectRule, RunPolicy
from worker.traces import OFF, Traces

log = structlog.get_logger()


@dataclass(slots=True)
class AttemptRunner:
    """Runs attempts for all accounts of this process."""

    gateways: Mapping[str, Gateway]
    work: AttemptWork
    ends: EndWriter
    defects: DefectRule
    foreign: ForeignAccounts
    on_lane_idle: Callable[[], None]
    """Called when the end of an attempt has started no other job: the dispatcher reads again which lane is due."""
    policy: RunPolicy = RUN
    traces: Traces = OFF
    n_run: int = field(default=0, init=False)

    async def run_job(self, claimed: ClaimedJob) -> None:
        """
        arq's job: run a claimed job.

        Raises:
            RetryJob: Redis fell silent; the job stays in arq's queue.
        """
        started = time.perf_counter()
        job = claimed.job
        with structlog.contextvars.bound_contextvars(**_context(job)):
            if job.account not in self.gateways:
                # Another worker's configuration has it: back into the queue, from where no more of it is taken. Not at
                # once: a record that names another account than its place in the queue would be taken again.
                if self.foreign.meet(job.account.encode()):
                    log.warning("attempt.account_unknown")
                await asyncio.sleep(self.policy.unknown_account_pause_s)
                raise RetryJob
            try:
                await self._run(claimed, started)
            except LeaseLost:
                log.warning("lease.lost")
            except LedgerUnavailable as exc:
                # The record says what had been sent; whoever runs the job next goes by that.
                log.error("ledger.unavailable", error=str(exc), detail=redis_word(exc.__cause__ or exc))
                await asyncio.sleep(self.policy.ledger_pause_s)
                raise RetryJob from exc

    async def _run(self, claimed: ClaimedJob, started: float) -> None:
        with self.traces.attempt(claimed.job) as ended:
            attempted = await self._run_through(claimed, started)
            ended(attempted, claimed.job.attempts + attempted.n_sent)

    async def _run_through(self, claimed: ClaimedJob, started: float) -> AttemptResult:
        tried = await self._attempt(claimed)
        # What was read and decided may hold megabytes, and so may what is written now: others have their turn between.
        await asyncio.sleep(0)
        attempted, n_started = await self.ends.write(claimed, tried)
        self.n_run += 1
        if n_started:
            # The lane's next job is claimed already: it is sent first, and this attempt is logged meanwhile.
            await asyncio.sleep(0)
        else:
            self.on_lane_idle()
        attempts = claimed.job.attempts + attempted.n_sent
        log_attempt(claimed.job, attempted, attempts, claimed.standing.now_ms, started)
        return attempted

    async def _attempt(self, claimed: ClaimedJob) -> Tried:
        job = claimed.job
        gateway = NotingGateway(self.traces.gateway(self.gateways[job.account]), job.reference_code)
        try:
            return Tried(await self.work.run(claimed, gateway))
        except LeaseLost:
            raise
        except Exception as exc:  # a defect of ours must not lose the job, nor run it hot
            if isinstance(exc, LedgerUnavailable) and is_server_state(exc.__cause__ or exc.__context__ or OSError()):
                raise
            n_defects = job.defects + 1
            log.exception(
                "attempt.defect",
                error=type(exc).__name__,
                detail=redis_word(exc.__cause__ or exc),
                key=redis_key(exc.__cause__ or exc),
                n_defects=n_defects,
            )
            if self.defects.is_spent(claimed, n_defects):
                return Tried(AttemptResult(defect_end(job, gateway.number), 0), n_defects)
            reason = ErrorDetail(code="internal", message=f"Defecto interno: {type(exc).__name__}.")
            return Tried(
                AttemptResult(
                    Retry(
                        "job",
                        self.defects.pause_s(n_defects),
                        reason,
                        is_failure=False,
                        number=gateway.number,
                        health="unknown",
                    ),
                    0,
                ),
                n_defects,
            )


def _context(job: JobRecord) -> dict[str, Any]:
    trace = {"traceparent": job.traceparent} if job.traceparent else {}
    return {"account": job.account, "job_id": job.id, "reference_code": job.reference_code, "fence": job.fence, **trace}
