"""
One run of a job, as arq calls it: take it up, attempt it, write the end, say it in one line of the log.

The last line of defence as well: whatever goes wrong inside an attempt ends as an open job with a pause, never as a
lost one, and never as an exception in arq.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog
from arq.worker import RetryJob

from jobs.answers import Answer, DocumentSeen
from jobs.backoff import BackoffPolicy
from jobs.calls import CallContext, CallPolicy, run_call
from jobs.closing.ledger_facts import of_validated
from jobs.errors import LeaseLost, LedgerRefused, LedgerUnavailable
from jobs.events import blocked_event, events_of, resumed_event
from jobs.factus_requests import Request
from jobs.fiscal_day import day_bounds_ms, revalidate_for_today, told_if_moved
from jobs.follow_ups import archived_documents, follow_ups
from jobs.issue import issue
from jobs.issue_policy import IssuePolicy
from jobs.job_type import JobType, LedgerType
from jobs.lesser_ends import defect_end, lesser_ends, plain
from jobs.outcomes import AccountState, AttemptResult, Block, Finished, Retry, scope_of
from jobs.patience import PATIENCE, PatiencePolicy
from jobs.ports import Archive, Canceller, DayBook, Gateway
from jobs.radian.notes import bill_note, guarded, is_guarded
from jobs.radian.policy import RadianPolicy
from jobs.registry import type_of
from schemas import strict_json
from schemas.contract.event import ErrorDetail, Event
from schemas.names import pushable_id
from schemas.records import JobRecord, score_by
from worker.guard import LONGEST_REST_S, is_server_state, redis_key, redis_word
from worker.queue.attempt_log import log_attempt, log_notices
from worker.queue.claims import ClaimedJob, SetAside
from worker.queue.ledger import AttemptWrite, Ledger, Notice
from worker.settings import Account
from worker.store.scripts import Arg
from worker.traces import OFF, Traces

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """
    The pauses of runs that end without an end of their own, and of what follows a defect of ours.

    ``most_defects``: attempts in a row that may end in a defect; the last of them ends the job.
    """

    ledger_pause_s: float = 0.5
    unknown_account_pause_s: float = 1.0
    most_defects: int = 5


RUN: Final = RunPolicy()


@dataclass(slots=True)
class NotingGateway:
    """
    Factus, and what is noted of an attempt on the way: the number of the last document that it showed under the job's
    reference, which is what is known when the attempt ends in a defect, and when it sent.
    """

    gateway: Gateway
    number: str = ""
    began: float = field(default_factory=time.monotonic)
    sent_s: tuple[float, float] | None = None
    """Seconds from the start of the attempt between which its create was sent; None where it has sent none."""

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        asked_s = time.monotonic() - self.began
        seen = await self.gateway.create(job, latest_ms=latest_ms)
        self.sent_s = asked_s, time.monotonic() - self.began
        return self._noted(seen)

    async def find(self, family: str, reference_code: str) -> Answer:
        return self._noted(await self.gateway.find(family, reference_code))

    async def find_unvalidated(self, family: str) -> Answer:
        return await self.gateway.find_unvalidated(family)

    async def delete(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> Answer:
        return await self.gateway.delete(job, reference_code, settle_ms=settle_ms)

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Answer:
        return await self.gateway.call(request, marks=marks)

    def _noted(self, seen: Answer) -> Answer:
        if isinstance(seen, DocumentSeen):
            self.number = seen.document.number or ""
        return seen


@dataclass(frozen=True, slots=True)
class Tried:
    """
    What an attempt came to. ``n_defects``: how many in a row have ended in a defect of ours, this one included; 0 for
    one that has not. What the record says of what was sent is left as it is then: it was written before each call.
    """

    attempted: AttemptResult
    n_defects: int = 0


@dataclass(slots=True)
class AttemptRunner:
    """Runs attempts for all accounts of this process."""

    ledger: Ledger
    accounts: Mapping[str, Account]
    gateways: Mapping[str, Gateway]
    archive: Archive
    backoff: BackoffPolicy
    draining: asyncio.Event
    settle_ms: int
    radian: RadianPolicy
    on_lane_idle: Callable[[], None]
    """Called when an attempt's end started nothing in its place: the lane has said when it is to be polled."""
    patience: PatiencePolicy = PATIENCE
    policy: RunPolicy = RUN
    draw: Callable[[], float] = random.random
    canceller: Canceller | None = None
    day_book: DayBook | None = None
    traces: Traces = OFF
    n_run: int = field(default=0, init=False)

    async def run_job(self, claimed: ClaimedJob) -> None:
        """
        arq's job: run what is in our hands.

        Raises:
            RetryJob: Redis fell silent; the job stays in arq's queue.
        """
        started = time.perf_counter()
        job = claimed.job
        with structlog.contextvars.bound_contextvars(**_context(job)):
            if job.account not in self.gateways:
                # Another worker's configuration has it: back into the queue, without a hurry.
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
        attempted, n_started = await self._write_end(claimed, tried)
        self.n_run += 1
        if n_started:
            # The lane's next document is in our hands: it goes out first, and is waited for while this one is told.
            await asyncio.sleep(0)
        else:
            self.on_lane_idle()
        attempts = claimed.job.attempts + attempted.n_sent
        log_attempt(claimed.job, attempted, attempts, claimed.standing.now_ms, started)
        return attempted

    async def _attempt(self, claimed: ClaimedJob) -> Tried:
        job = claimed.job
        gateway = NotingGateway(self.traces.gateway(self.gateways[job.account]))
        try:
            return Tried(await self._work(claimed, type_of(job.type), gateway))
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
            if self._is_spent(claimed, n_defects):
                return Tried(AttemptResult(defect_end(job, gateway.number), 0), n_defects)
            reason = ErrorDetail(code="internal", message=f"Defecto interno: {type(exc).__name__}.")
            return Tried(
                AttemptResult(
                    Retry(
                        "job",
                        self._defect_pause_s(n_defects),
                        reason,
                        is_failure=False,
                        number=gateway.number,
                        health="unknown",
                    ),
                    0,
                ),
                n_defects,
            )

    def _is_spent(self, claimed: ClaimedJob, n_defects: int) -> bool:
        """Whether a job that ends in defects ends for good: by the deadline, or sooner when it goes on like that."""
        # A watch over RADIAN events has no final event: to end it would be silent.
        is_often = n_defects >= self.policy.most_defects and not claimed.job.is_tracking
        return is_often or claimed.standing.now_ms >= claimed.job.deadline_at

    def _defect_pause_s(self, n_defects: int) -> float:
        return self.backoff.jittered_s(n_defects + 1, self.draw)

    async def _work(self, claimed: ClaimedJob, job_type: LedgerType, gateway: NotingGateway) -> AttemptResult:
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
            issuing = partial(issue, policy, gateway, self.ledger, now_ms=standing.now_ms, day_ends_ms=day_ends_ms)
            result = await (guarded(policy, gateway, self.ledger, issuing) if is_guarded(job) else issuing())
            return replace(result, ending=told_if_moved(job, result.ending, _sent_ms(claimed, gateway), zone))
        assert job_type.work is not None
        deciding = CallPolicy(job, self.backoff, self.draw, standing, self.settle_ms, self.patience)
        context = CallContext(
            deciding,
            gateway,
            self.archive,
            self.ledger,
            self.radian,
            self.accounts[job.account].radian_person,
            canceller=self.canceller,
            day_book=self.day_book,
            zone=zone,
        )
        return await run_call(
            job_type.work, context, now_ms=standing.now_ms, day_ends_ms=day_ends_ms, late=job_type.late
        )

    async def _write_end(self, claimed: ClaimedJob, tried: Tried) -> tuple[AttemptResult, int]:
        """
        Write the end of an attempt: as it is, or with less in it where that cannot be written.

        Returns:
            What was written, and how many jobs of the lane were started.

        Raises:
            LeaseLost, LedgerUnavailable: As the ledger.
            SetAside: It cannot be written now, whatever is in it: the job comes back later.
        """
        attempted, n_defects = tried.attempted, tried.n_defects
        last: tuple[ClaimedJob, AttemptResult] = claimed, attempted
        for job, ending in lesser_ends(claimed.job, attempted.ending):
            last = replace(claimed, job=job), replace(attempted, ending=ending)
            try:
                return last[1], await self._write(*last, n_defects)
            except (LeaseLost, LedgerUnavailable):
                raise
            except LedgerRefused as exc:
                cause = exc.__cause__ or exc
                log.exception("attempt.end_refused", error=str(exc), detail=redis_word(cause), key=redis_key(cause))
                break
            except Exception as exc:  # what an answer held cannot be written: an end without it can
                log.exception("attempt.end_unwritable", error=type(exc).__name__)
        n_defects = claimed.job.defects + 1
        if self._is_spent(claimed, n_defects):
            return await self._last_word(*last), 0
        raise SetAside(claimed, self._defect_pause_s(n_defects), n_defects)

    async def _last_word(self, claimed: ClaimedJob, attempted: AttemptResult) -> AttemptResult:
        """
        The job's end, whatever keys beside it are broken.

        Raises:
            LeaseLost, LedgerUnavailable: As the ledger.
            SetAside: Not even that can be written: its event has nowhere to go.
        """
        job = claimed.job
        final = attempted.ending if isinstance(attempted.ending, Finished) else defect_end(plain(job))
        attempted = replace(attempted, ending=final)
        try:
            await self.ledger.last_word(claimed, final, self._page(claimed, attempted, (), 0))
        except LedgerRefused as exc:
            raise SetAside(claimed, LONGEST_REST_S, job.defects + 1) from exc
        return attempted

    def _page(
        self, claimed: ClaimedJob, attempted: AttemptResult, notices: tuple[Notice, ...], n_defects: int
    ) -> AttemptWrite:
        job, ending = claimed.job, attempted.ending
        now = datetime.now(self.accounts[job.account].zone)
        attempts = job.attempts + attempted.n_sent
        events = events_of(job, ending, attempts=attempts, now_ms=claimed.standing.now_ms, now=now)
        page = AttemptWrite(
            fields=_record_fields(job, ending, events, attempts, claimed.standing.now_ms, n_defects),
            health=attempted.health,
            goes_on=not self.draining.is_set(),
            events=events,
            notices=notices,
            mend=ending.block.mend if ending.block else "",
            bill=bill_note(job, ending),
        )
        if isinstance(ending, Finished) and ending.state in ("failed", "refused") and events:
            return replace(page, dead=dead_letter(job, ending, events[-1]))
        return page

    async def _write(self, claimed: ClaimedJob, attempted: AttemptResult, n_defects: int) -> int:
        job, ending = claimed.job, attempted.ending
        now = datetime.now(self.accounts[job.account].zone)
        notices = await self._notices(claimed, attempted, now)
        page = self._page(claimed, attempted, notices, n_defects)
        if isinstance(ending, Retry):
            n_started = await self.ledger.pause(claimed, ending, page)
        else:
            following: list[JobRecord] = []
            if ending.state == "validated" and ending.data is not None:
                following = follow_ups(job, ending.data, seq=job.seq + 1)
            n_started = await self.ledger.close(claimed, ending, page, following)
        log_notices(job.account, page.notices)
        return n_started

    async def _notices(self, claimed: ClaimedJob, attempted: AttemptResult, now: datetime) -> tuple[Notice, ...]:
        """What the operator must be told: a new block, or that an old one is over."""
        job, standing, block = claimed.job, claimed.standing, attempted.ending.block
        if block:
            known_since_ms = standing.family_blocked_since_ms if block.family else standing.account_blocked_since_ms
            if known_since_ms:
                return ()
            is_waiting = isinstance(attempted.ending, Retry)
            since_ms = blocked_since_ms(standing, block)
            event = blocked_event(
                job.account,
                block,
                n_waiting=is_waiting + await self._n_behind(job, block),
                since=_instant(since_ms, now),
                now=now,
                by=job.id,
            )
            return (Notice("blocked", block.scope, event, since_ms),)
        if attempted.health != "up" or _is_conflict(attempted.ending):
            return ()
        job_type = "" if type_of(job.type).issues else job.type
        # Reading is free of charge: that it works says nothing of a plan that is used up.
        says_nothing = job_type and standing.account_hold_reason == "factus.payment_required"
        is_own_over = _has_worked(job, attempted.ending) if job_type else not _is_held(attempted.ending)
        blocked: dict[str | None, int] = {
            None: 0 if says_nothing else standing.account_blocked_since_ms,
            job.family: standing.family_blocked_since_ms if is_own_over else 0,
        }
        return tuple(
            Notice(
                "resumed",
                scope_of(family, job_type),
                resumed_event(
                    job.account, family, since=_instant(since_ms, now), now=now, by=job.id, job_type=job_type
                ),
                since_ms,
            )
            for family, since_ms in blocked.items()
            if since_ms
        )

    async def _n_behind(self, job: JobRecord, block: Block) -> int:
        """How many other jobs wait behind a block that *job* has found."""
        try:
            if block.job_type:
                return await self.ledger.n_waiting_like(job)
            return await self.ledger.n_waiting(job.account, None if block.family is None else job.lane)
        except LedgerRefused:
            return 0  # a key of a lane is broken: the operator is told of the block all the same


def _sent_ms(claimed: ClaimedJob, gateway: NotingGateway) -> tuple[int, int]:
    """Between which instants Factus got the document, on the Redis server's clock; 0 where we have sent none."""
    job = claimed.job
    if job.pending_since or gateway.sent_s is None:
        sent_at_ms = job.pending_since or job.sending_at  # what is sent again while DIAN is silent keeps its first date
        return sent_at_ms, sent_at_ms
    asked_s, answered_s = gateway.sent_s
    return claimed.standing.now_ms + round(asked_s * 1000), claimed.standing.now_ms + round(answered_s * 1000)


def _context(job: JobRecord) -> dict[str, Any]:
    trace = {"traceparent": job.traceparent} if job.traceparent else {}
    return {"account": job.account, "job_id": job.id, "reference_code": job.reference_code, "fence": job.fence, **trace}


def dead_letter(job: JobRecord, final: Finished, event: Event) -> dict[str, Arg]:
    """A failed or refused job as a person needs it: why, and an envelope that can be pushed again."""
    payload = _object(job.payload)
    type_ = job.type
    if job.parent:
        # What could not be archived by itself can be asked for by anybody.
        have = {row["kind"] for row in final.archived}
        asked = payload.get("kinds", [])
        kinds = [kind for kind in asked if kind not in have]
        number = payload.get("number", job.number)
        named = {"number": number} if number else {"reference_code": job.reference_code}
        type_, payload = f"{job.family}.download", {**named, "kinds": kinds or asked}
    envelope = {
        "id": pushable_id(job.id),
        "type": type_,
        "account": job.account,
        "payload": payload,
        "options": _object(job.options),
        "metadata": _object(job.metadata),
        **({"batch": job.batch} if job.batch else {}),
    }
    return {
        "reason": final.errors[0].code,
        "errors": event.to_json(),
        "raw": strict_json.dump(envelope),
        "stream": job.source,
        "entry": job.entry,
        "account": job.account,
        "job_id": job.id,
    }


def _object(text: str) -> dict[str, Any]:
    """A stored JSON object; an empty one where the record is damaged: the letter is written all the same."""
    try:
        found = strict_json.parse(text) if text else {}
    except strict_json.JsonRefused:
        return {}
    return found if isinstance(found, dict) else {}


def _has_worked(job: JobRecord, ending: Finished | Retry) -> bool:
    """
    Whether a job that issues nothing has done all that it does: then its type is not denied (any more).

    One call of several that came through does not show it: the PDF may be allowed and the XML not.
    """
    if isinstance(ending, Finished):
        return ending.state == "completed"
    return job.is_tracking and ending.progress is not None  # a watch goes on after a look that found what there is


def blocked_since_ms(standing: AccountState, block: Block) -> int:
    """Since when what is blocked stands still: a person is told of some blocks only when they have lasted."""
    since_ms = 0
    if block.error.code == "factus.conflict":
        since_ms = standing.conflict_since_ms
    elif block.error.code == "factus.unavailable":
        since_ms = standing.outage_since_ms
    return since_ms or standing.now_ms


def _is_held(ending: Finished | Retry) -> bool:
    """Whether a job that issues ended by what holds its family: a look-up that came through does not end that."""
    reason = ending.errors[0].code if isinstance(ending, Finished) and ending.errors else ""
    return reason in ("factus.denied", "factus.payment_required", "factus.credentials")


def _is_conflict(ending: Finished | Retry) -> bool:
    return isinstance(ending, Retry) and ending.reason.code == "factus.conflict"


def _instant(ms: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(ms / 1000, like.tzinfo or UTC)


def _record_fields(
    job: JobRecord, ending: Finished | Retry, events: Sequence[Event], attempts: int, now_ms: int, n_defects: int
) -> dict[str, Arg]:
    """What the end of an attempt changes in the record."""
    fields: dict[str, Arg] = {"seq": events[-1].place if events else job.seq}
    if n_defects != job.defects:
        fields["defects"] = n_defects
    if n_defects and isinstance(ending, Retry):
        # What had been sent when the defect struck stands in the record already, and is true.
        fields |= {"number": ending.number or job.number}
        return fields | _error_field(ending.reason)
    fields["attempts"] = attempts
    if isinstance(ending, Finished):
        if not job.is_tracking:  # what a watch knew last is told to whoever asks
            fields["progress"] = archived_documents(job, ending)
        fields |= {"number": ending.number or job.number, **of_validated(ending)}
        return fields | (_error_field(ending.errors[0]) if ending.errors else {"last_error": ""})
    fields |= {"sent": ending.sent, "failures": job.failures + 1 if ending.is_failure else job.failures}
    if ending.latest_ms:
        fields["score"] = score_by(ending.latest_ms, job.priority)
    if ending.progress is not None:
        # A step forward begins the count of failures anew; a failure that notes something goes on with it.
        fields |= {"progress": ending.progress} if ending.is_failure else {"progress": ending.progress, "failures": 0}
    if ending.pending:
        fields |= {"pending_since": job.pending_since or now_ms, "number": ending.number or job.number}
    return fields | _error_field(ending.reason)


def _error_field(error: ErrorDetail) -> dict[str, Arg]:
    return {"last_error": error.model_dump_json()}
