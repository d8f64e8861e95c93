"""
An example of every event, made by the service's own code from the example jobs and invented answers of Factus: so an
example cannot say what the service would not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from jobs import answers, events, example_data, follow_ups
from jobs.archive_names import Stored
from jobs.attempt_policy import error
from jobs.backoff import BackoffPolicy
from jobs.batches import completed_event
from jobs.calls import CallContext, CallPolicy, Work, run_call
from jobs.closing.certificate import chained
from jobs.closing.rows import packed, row_of
from jobs.day_facts import Day, KnownDocument, LedgerDay, Row
from jobs.day_notices import DayOutlook, Told, day_event
from jobs.factus_requests import Request
from jobs.families import FAMILIES
from jobs.fiscal_day import day_bounds_ms
from jobs.intake import conflict_errors
from jobs.issue_policy import IssuePolicy, rejection_errors
from jobs.job_type import JobType
from jobs.outcomes import AccountState, AttemptResult, Block, Ending, Finished
from jobs.ports import Cancellation, KeptJob, LockState
from jobs.radian.clock import Clock
from jobs.radian.seen_events import SeenEvent, read_events
from jobs.radian.state import ClockState
from jobs.radian_policy import HOUR_MS, RadianPolicy
from jobs.registry import JOB_TYPES
from jobs.webhooks import notices
from jobs.webhooks.notices import About
from jobs.webhooks.signing import message_id
from jobs.webhooks.verdict import Answer
from schemas import strict_json
from schemas.contract.envelope import PartialEnvelope
from schemas.contract.event import Event
from schemas.factus import DocumentView
from schemas.names import ISSUE, in_account, job_type_of, verb_of
from schemas.records import JobRecord
from worker.cli.contract.example_jobs import ACCOUNT, NOW, envelope, record

_NOW_MS: Final = int(NOW.timestamp() * 1000)
_BACKOFF: Final = BackoffPolicy(5.0, 300.0)
_NAMES_ONE: Final = ("number", "reference_code", "numbering_range_id")


def events_of_family(family: str) -> dict[str, Event]:
    """Every event of the jobs that issue a family's documents, by type."""
    job = record(
        envelope(job_type_of(family, ISSUE), options={"archive": [*FAMILIES[family].kinds]}, metadata={"till": 7})
    )
    policy = IssuePolicy(job, _BACKOFF, _no_luck)
    validated = policy.after_create(answers.DocumentSeen(_document(job)))
    refused = DocumentView(example_data.rejected_document(family, job.reference_code))
    rejection = rejection_errors(refused.remarks)
    rejected = policy.after_delete(answers.Done(), rejection, has_sent=True, number=refused.number or "")
    failed = policy.time_is_up(error("factus.unavailable", "Factus no está disponible: 503."))
    assert isinstance(validated, Finished)
    assert isinstance(rejected, Finished)
    assert validated.data is not None
    (follower,) = follow_ups.follow_ups(job, validated.data, seq=1)
    ends = [events.final_event(job, end, attempts=1, now=NOW) for end in (validated, rejected, failed)]
    pending = events.pending_event(job, attempts=1, number="", since=NOW, now=NOW)
    archived = events.final_event(follower, _last_turn(follower, follow_ups.archive, ()), attempts=0, now=NOW)
    return {event.type: event for event in (*ends, pending, archived)}


def events_of_call(job_type: str) -> dict[str, Event]:
    """The two ends of a job that does not issue, by type."""
    job = record(envelope(job_type))
    row = JOB_TYPES[job_type]
    assert row.work is not None
    done = _last_turn(job, row.work, row.factus_answers)
    sent = 1 if row.description.asks_factus else 0
    ends = (events.final_event(job, end, attempts=sent, now=NOW) for end in (done, _failure(job, row)))
    return {event.type: event for event in ends}


def other_events() -> dict[str, Event]:
    """What is no end of an accepted job, by type."""
    pushed = envelope("invoice.issue", metadata={"till": 7})
    refused = events.refused_event(
        PartialEnvelope(pushed, entry_id="1795612910512-0"),
        conflict_errors("reference.conflict"),
        job_id=pushed["id"],
        now=NOW,
    )
    block = Block("invoice", error("factus.denied", "Factus negó el acceso: el producto no está habilitado"))
    blocked = events.blocked_event(ACCOUNT, block, n_waiting=12, since=NOW, now=NOW, by="job-1")
    resumed = events.resumed_event(ACCOUNT, "invoice", since=NOW, now=NOW, by="job-2")
    every = (refused, *_radian(), blocked, resumed, *_days(), _batch(), *_webhooks())
    return {event.type: event for event in every}


def _radian() -> tuple[Event, ...]:
    """The events of watches over bills: received, due and accepted; claimed; silent; and one that shows no 034."""
    options = {"track_radian": True, "tacit_acceptance": True}
    job = record(envelope("invoice.issue.credit", options=options))
    data = {"number": example_data.NUMBERS["invoice"], "reference_code": job.reference_code, "factus": {}}
    (follower,) = follow_ups.follow_ups(job, data, seq=1)
    clock = Clock(RadianPolicy(), _NOW_MS, emits=True)
    new = ClockState(example_data.NUMBERS["invoice"])
    state, received = clock.after_look(new, _seen("032"), _NOW_MS)
    due_ms = clock.accepts_from_ms(state) + 6 * HOUR_MS
    state, due = clock.after_look(state, _seen("032"), due_ms)
    sent = clock.after_send(state, due_ms, "Factus la recibió.")
    _, accepted = clock.after_look(sent, _seen("032", "034"), due_ms + HOUR_MS)
    _, lost = clock.after_look(sent, _seen("032"), due_ms + 24 * HOUR_MS)
    _, claimed = clock.after_look(state, _seen("032", "031"), due_ms)
    _, silent = clock.after_look(new, (), _NOW_MS + 10 * 24 * HOUR_MS)
    every = (*received, *due, *accepted[1:], *claimed[1:], *silent, *lost)
    return tuple(events.radian_event(follower, news, seq=n, now=NOW) for n, news in enumerate(every, 2))


def _seen(*codes: str) -> tuple[SeenEvent, ...]:
    return read_events({**example_data.RADIAN_ROW, **example_data.RADIAN_ROWS[code]} for code in codes)


def _days() -> tuple[Event, Event]:
    """Of an evening: what will miss its day, and that it will not."""
    zone, day = ZoneInfo("America/Bogota"), NOW.date().isoformat()
    ends_ms = day_bounds_ms(day, zone)[1]
    late = DayOutlook(ACCOUNT, day, ends_ms, 1240, 2, ends_ms + 90_000, 79.7, ("FV-1239", "FV-1240"), ("cierre",))
    good = replace(late, waiting=310, will_miss=0, references=(), batches=(), expected_ms=float(ends_ms - 600_000))
    return day_event("at_risk", late, Told(), zone, NOW), day_event("safe", good, Told(n_told=1), zone, NOW)


def _webhooks() -> list[Event]:
    about, answer = About("erp", _NOW_MS - 2_135_000, 12, 503), Answer(503)
    message = message_id("acme/erp-invoice.issue-1/1")
    return [
        notices.failing_event(about, answer, message=message, attempts=4, now=NOW),
        notices.exhausted_event(about, answer, message=message, attempts=10, now=NOW),
        notices.disabled_event(about, "failing", now=NOW),
        notices.enabled_event(about, now=NOW),
        notices.test_event("erp", now=NOW),
    ]


def _batch() -> Event:
    failure = {
        "job_id": "erp-invoice.issue-2",
        "reference_code": "FV-2026-0002",
        "type": "invoice.rejected",
        "code": "dian.rejected",
        "message": "El DV del NIT del adquiriente no está correctamente calculado",
    }
    held = {
        "size": "2",
        "type:invoice.validated": "1",
        "type:invoice.rejected": "1",
        "cents": "11900000",
        "first_number": example_data.NUMBERS["invoice"],
        "last_number": example_data.NUMBERS["invoice"],
    }
    return completed_event(in_account(ACCOUNT, "2026-11-25"), held, [strict_json.dump(failure)], now=NOW)


# -- running a verb ----------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Scripted:
    """A Factus, an archive and a line that answer as they were told; the answer to a write may be lost."""

    job: JobRecord
    answered: list[Any]
    loses_writes: bool = False

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> answers.Answer:
        if marks and self.loses_writes:
            return answers.Unknown("503")
        if "/download-" in request.path:
            return answers.Replied({"data": example_data.FILE})
        data = self.answered.pop(0) if len(self.answered) > 1 else self.answered[0]
        return answers.Replied({"status": "OK", "message": "Solicitud exitosa", "data": data})

    async def find(self, family: str, reference_code: str) -> answers.Answer:
        if verb_of(self.job.type) == "delete":
            return answers.DocumentSeen(DocumentView(example_data.rejected_document(family, reference_code)))
        return answers.DocumentSeen(_document(self.job))

    async def acquire_change_lock(self, job: JobRecord, thing: str) -> LockState:
        return "held"

    async def acquire_removal_lock(self, job: JobRecord, reference_code: str) -> LockState:
        return "held"

    async def cancel(self, job: JobRecord, wanted: Mapping[str, Any]) -> Cancellation:
        kept = KeptJob("erp-invoice.issue-2", "Factus puede tenerlo: ya se envió, y su resultado llega por sí solo")
        return Cancellation(("erp-invoice.issue-1",), 1, (kept,))

    # -- the ledger's day: nothing is known but the document of its example -----
    async def keep_page(self, job: JobRecord, name: str, rows: str) -> None: ...

    async def pages(self, job: JobRecord) -> Mapping[str, str]:
        return {"invoice/0/1": packed([_listed()])}

    async def known(self, account: str, family: str, references: Sequence[str]) -> Mapping[str, KnownDocument]:
        total, tax = Decimal("119000.00"), Decimal("19000.00")
        return {one: KnownDocument(example_data.NUMBERS[family], True, False, total, tax, "SETP") for one in references}

    async def ledger_day(self, account: str, day: Day, now_ms: int) -> LedgerDay:
        return LedgerDay((), (), 0, 0)

    async def foreign_amounts(self, account: str) -> Mapping[str, str]:
        return {}

    async def keep_foreign_amounts(self, account: str, name: str, amounts: str) -> None: ...

    async def append(self, job: JobRecord, body: Mapping[str, Any], progress: Mapping[str, Any]) -> dict[str, Any]:
        return chained(body, hashlib.sha256(b"2026-11-24").hexdigest())

    async def put(self, name: str, content: bytes, *, content_type: str) -> Stored:
        return Stored(f"s3://invoices/{name}", hashlib.sha256(content).hexdigest(), len(content))


def _turn(job: JobRecord, work: Work, answered: tuple[Any, ...], *, loses_writes: bool = False) -> Ending:
    scripted = _Scripted(job, [*answered], loses_writes)
    timed = replace(job, deadline_at=_NOW_MS + 1000)
    context = CallContext(
        CallPolicy(timed, _BACKOFF, _no_luck, AccountState(now_ms=_NOW_MS)),
        scripted,
        scripted,
        scripted,
        canceller=scripted,
        day_book=scripted,
    )
    return _result(run_call(work, context, now_ms=_NOW_MS, day_ends_ms=0)).ending


def _result(turn: Coroutine[Any, Any, AttemptResult]) -> AttemptResult:
    """Run to the end what never waits: no event loop is needed, so one that is running is not in the way."""
    try:
        turn.send(None)
    except StopIteration as done:
        found: AttemptResult = done.value
        return found
    raise AssertionError("a scripted turn waited for something")


def _last_turn(job: JobRecord, work: Work, answered: tuple[Any, ...]) -> Finished:
    ending = _turn(job, work, answered)
    while not isinstance(ending, Finished):
        job = replace(job, progress=ending.progress or "")
        ending = _turn(job, work, answered)
    return ending


def _failure(job: JobRecord, row: JobType) -> Finished:
    """How a job of this type fails most often: what is not repeated, by an answer that was lost."""
    assert row.work is not None
    lost = _turn(job, row.work, row.factus_answers, loses_writes=True)
    if isinstance(lost, Finished) and lost.errors:
        return lost
    policy = CallPolicy(job, _BACKOFF, _no_luck)
    if not row.description.asks_factus:
        return policy.failed(error("job.expired", "Venció (expires_at) antes de comenzar."))
    if any(name in strict_json.parse(job.payload) for name in _NAMES_ONE):
        return policy.failed(error("factus.not_found", "No se encontró ningún registro."))
    return policy.time_is_up(error("factus.unavailable", "Factus no está disponible: 503."))


def _listed() -> Row:
    row = row_of(FAMILIES["invoice"], example_data.ROW_OF_DAY)
    assert row is not None
    return row


def _document(job: JobRecord) -> DocumentView:
    total, party = job.total or "119000.00", job.party or "900100200"
    return DocumentView(example_data.document(job.family, job.reference_code, total, party))


def _no_luck() -> float:
    return 0.0
