"""
What an attempt does: a document is issued, or a call has its turn. Decided in ``jobs``, with the ports they ask for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from jobs.backoff import BackoffPolicy
from jobs.calls import CallContext, CallPolicy, run_call
from jobs.fiscal_day import day_bounds_ms, revalidate_for_today, told_if_moved
from jobs.issue import issue
from jobs.issue_policy import IssuePolicy
from jobs.job_type import JobType
from jobs.outcomes import AttemptResult, Finished
from jobs.patience import PATIENCE, PatiencePolicy
from jobs.ports import Archive, Bills, Canceller, ChangeLock, DayBook, Journal
from jobs.radian.notes import guarded, is_guarded
from jobs.radian_policy import RadianPolicy
from jobs.registry import type_of
from worker.queue.claims import ClaimedJob
from worker.queue.noting_gateway import NotingGateway, sent_ms
from worker.settings.account import Account


@dataclass(frozen=True, slots=True)
class AttemptWork:
    """Runs a job's type on it, for all accounts of this process."""

    accounts: Mapping[str, Account]
    archive: Archive
    backoff: BackoffPolicy
    settle_ms: int
    radian: RadianPolicy
    journal: Journal
    bills: Bills
    change_lock: ChangeLock
    canceller: Canceller
    day_book: DayBook
    patience: PatiencePolicy = PATIENCE
    draw: Callable[[], float] = random.random

    async def run(self, claimed: ClaimedJob, gateway: NotingGateway) -> AttemptResult:
        """
        Run a claimed job's type on it.

        Raises:
            LeaseLost, LedgerUnavailable: As the ledger.
            Exception: A defect of ours.
        """
        job_type = type_of(claimed.job.type)
        job, standing = claimed.job, claimed.standing
        zone = self.accounts[job.account].zone
        day_ends_ms = day_bounds_ms(job.issue_on, zone)[1] if job.issue_on else 0
        if job_type.issues:
            assert isinstance(job_type, JobType)  # the service starts nothing that issues
            today = revalidate_for_today(job, job_type.payload, standing.now_ms)
            if isinstance(today, Finished):
                return AttemptResult(today, 0)
            policy = IssuePolicy(
                today,
                self.backoff,
                self.draw,
                standing,
                self.settle_ms,
                self.patience,
                delete_rejected=job.deletes_rejected,
                environment=self.accounts[job.account].environment,
                lane_width=self.accounts[job.account].lane_width,
            )
            issuing = partial(issue, policy, gateway, self.journal, now_ms=standing.now_ms, day_ends_ms=day_ends_ms)
            if is_guarded(job):
                result = await guarded(policy, gateway, self.bills, lambda ask: issuing(before_send=ask))
            else:
                result = await issuing()
            return replace(result, ending=told_if_moved(job, result.ending, sent_ms(claimed, gateway), zone))
        assert job_type.work is not None
        context = CallContext(
            CallPolicy(job, self.backoff, self.draw, standing, self.settle_ms, self.patience),
            gateway,
            self.archive,
            self.change_lock,
            self.radian,
            self.accounts[job.account].radian_person,
            canceller=self.canceller,
            day_book=self.day_book,
            zone=zone,
        )
        return await run_call(
            job_type.work, context, now_ms=standing.now_ms, day_ends_ms=day_ends_ms, late=job_type.late
        )
