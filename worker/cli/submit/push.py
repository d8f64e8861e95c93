"""
Pushing jobs and waiting for their results: what ``submit`` and ``demo`` have in common.

Pushing needs no right but XADD, so a producer's Redis user can do it. Waiting reads the results streams from the place
where they stood before the first push.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from jobs.errors import ServiceError
from jobs.events import is_of_another_push
from schemas import strict_json
from schemas.names import ending_of, subject_of
from worker.cli.files.job_files import Job
from worker.cli.own_events import event_of, job_of
from worker.cli.producers_token import entry_of
from worker.speech import ENGLISH, Speech
from worker.store.confirmation import Confirmation
from worker.store.connection import command, words_of
from worker.store.keys import Keys

_CHUNK_JOBS: Final = 500
_CHUNK_BYTES: Final = 4 * 1024 * 1024
_BLOCK_MS: Final = 500
_READ_COUNT: Final = 1000
_ASKED_AT_ONCE: Final = 500
_ASK_EVERY_S: Final = 1.0
_END_FIELDS: Final = ["state", "final_type", "number", "last_error", "entry", "total"]
_UNIQUE_CODES: Final = ("cufe", "cude", "cuds", "cune")
_FINAL_ENDINGS: Final = ("validated", "rejected", "failed", "completed", "refused")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The final word on one job."""

    type: str
    success: bool
    number: str = ""
    total: Decimal | None = None
    code: str = ""
    message: str = ""
    event: dict[str, Any] | None = None
    rule: str = ""
    """DIAN's rule, or ours, of the first error."""
    n_more: int = 0
    """Errors behind the first."""
    unique_code: str = ""
    """The CUFE, CUDE, CUDS or CUNE of a document that was validated."""


@dataclass(slots=True)
class Pushed:
    """A job in the stream, and its outcome once it is known."""

    job: Job
    entry: str
    outcome: Outcome | None = None


def chunks(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs in groups that are small in number and in bytes."""
    chunk: list[Job] = []
    n_bytes = 0
    for job in jobs:
        if chunk and (len(chunk) == _CHUNK_JOBS or n_bytes + len(job.text) > _CHUNK_BYTES):
            yield chunk
            chunk, n_bytes = [], 0
        chunk.append(job)
        n_bytes += len(job.text)
    if chunk:
        yield chunk


async def push(
    redis: Redis,
    keys: Keys,
    jobs: Sequence[Job],
    own_streams: frozenset[str],
    on_pushed: Callable[[int], None] = lambda _n: None,
    speech: Speech = ENGLISH,
    *,
    token: str = "",
) -> list[Pushed]:
    """
    Push in order, pipelined.

    Args:
        own_streams: Accounts whose jobs go to a stream of their own.
        on_pushed: Called with the number of jobs pushed so far.
        token: The producer's, where jobs are signed.

    Raises:
        ServiceError: Redis refused or went away; says how many jobs are in. What is in stays, and pushing the rest
            or all of it again is safe: one reference with one payload is one document.
    """
    pushed: list[Pushed] = []
    confirmation = Confirmation(redis)
    for chunk in chunks(jobs):
        try:
            async with redis.pipeline(transaction=False) as pipe:
                for job in chunk:
                    owner = job.account if job.account in own_streams else None
                    pipe.xadd(keys.jobs(owner), entry_of(job.text, token))
                confirmation.ask(pipe)
                # Not the first error raised: redis-py writes the whole command into it, and that is the invoice.
                answers = await pipe.execute(raise_on_error=False)
            await confirmation.check(answers[len(chunk) :])
            del answers[len(chunk) :]
        except RedisError as exc:
            raise _failed(len(pushed), len(jobs), exc, speech) from exc
        refusals = [answer for answer in answers if isinstance(answer, Exception)]
        pushed += [
            Pushed(job, answer.decode())
            for job, answer in zip(chunk, answers, strict=True)
            if not isinstance(answer, Exception)
        ]
        on_pushed(len(pushed))
        if refusals:
            raise _failed(len(pushed), len(jobs), refusals[0], speech)
    return pushed


def _failed(n_pushed: int, n_jobs: int, error: Exception, speech: Speech) -> ServiceError:
    words = words_of(error)
    return ServiceError(
        speech.say(
            f"Se enviaron {n_pushed} de {n_jobs} trabajos y luego falló Redis: {words}. Enviar los mismos archivos "
            "otra vez es seguro: la misma referencia con el mismo contenido es un solo documento",
            f"{n_pushed} of {n_jobs} jobs are pushed, then Redis failed: {words}. Submitting the same files again is "
            "safe: the same reference with the same payload is one document",
        )
    )


async def ends_of(redis: Redis, streams: Sequence[str]) -> dict[str, str]:
    """The place just behind the newest entry of each stream, from which to read on."""
    ends: dict[str, str] = {}
    for stream in streams:
        newest = await redis.xrevrange(stream, count=1)
        ends[stream] = newest[0][0].decode() if newest else "0-0"
    return ends


@dataclass(slots=True)
class Watch:
    """Follows the results of pushed jobs until each has its final event."""

    redis: Redis
    keys: Keys
    pushed: list[Pushed]
    places: dict[str, str]
    on_event: Callable[[dict[str, Any], Pushed], None] = lambda _event, _pushed: None
    default_account: str | None = None
    clock: Callable[[], float] = monotonic
    _by_id: dict[str, list[Pushed]] = field(init=False, default_factory=dict)
    _by_entry: dict[str, Pushed] = field(init=False, default_factory=dict)
    _n_asked: int = field(init=False, default=0)
    _asked_at: float = field(init=False)

    def __post_init__(self) -> None:
        # Not as long ago as can be: the intake shall have seen what was pushed, or a conflict of ids looks like an end.
        self._asked_at = self.clock()
        pushed, self.pushed = self.pushed, []
        self.follow(pushed)

    def follow(self, pushed: Sequence[Pushed]) -> None:
        """Wait for these jobs as well. None of their events is missed that :meth:`turn` has not read yet."""
        for one in pushed:
            self.pushed.append(one)
            self._by_entry[one.entry] = one
            if one.job.id is not None:
                self._by_id.setdefault(one.job.id, []).append(one)

    @property
    def n_open(self) -> int:
        return sum(one.outcome is None for one in self.pushed)

    async def run(self, timeout_s: float) -> bool:
        """Wait for all; False when *timeout_s* passed first. Raises what Redis raises."""
        # A deadline and no asyncio.timeout: under Python 3.11 redis-py sends through asyncio.wait_for, which now and
        # then swallows a cancellation, and a time-out cancels once only.
        gives_up_at = monotonic() + timeout_s
        while self.n_open:
            if monotonic() >= gives_up_at:
                return False
            await self.turn()
        return True

    async def turn(self) -> None:
        """Read what has come, or wait half a second for it."""
        is_quiet = not await self._read()
        # Streams are common to all: others' events may come without a pause, and ours will not where it is final.
        if is_quiet or self.clock() - self._asked_at >= _ASK_EVERY_S:
            await self._ask_the_ledger()
            self._asked_at = self.clock()

    async def _read(self) -> bool:
        # Followed by short blocking reads: the client's own read timeout is 5 s.
        streams: dict[Any, Any] = dict(self.places)
        reply = await self.redis.xread(streams, count=_READ_COUNT, block=_BLOCK_MS)
        for stream, entries in reply or []:
            for entry_id, fields in entries:
                self.places[stream.decode()] = entry_id.decode()
                self.take(job_of(fields), fields.get(b"event"))
        return bool(reply)

    def take(self, job_id: str, raw: bytes | None) -> None:
        """Enter one event, if it is one and of one of our jobs; what follows a document comes after its end."""
        # An entry's own id answers what had no usable id, and a conflict of ids; it is the more exact of the two.
        by_entry = self._by_entry.get(job_id)
        concerned = [by_entry] if by_entry else self._by_id.get(job_id, ())
        event = event_of(raw) if concerned else None
        if event is None:
            return
        ends = is_final(event["type"])
        for one in concerned:
            if one.job.account and event["account"] and one.job.account != event["account"]:
                continue
            if ends and one.outcome and not by_entry:
                continue
            if event["type"] == "job.refused" and is_of_another_push(event["id"], (job_id, one.entry)) and not by_entry:
                continue
            if ends:
                one.outcome = outcome_of(event)
            self.on_event(event, one)

    async def _ask_the_ledger(self) -> None:
        """A job that was final before it was pushed again is dropped without another event; its record has the end."""
        open_ones = [one for one in self.pushed if one.outcome is None and one.job.has_own_id and one.job.id]
        # In turns: behind five hundred that wait, one may stand that was final long ago.
        first = self._n_asked % len(open_ones) if len(open_ones) > _ASKED_AT_ONCE else 0
        self._n_asked = first + _ASKED_AT_ONCE
        for one in open_ones[first : first + _ASKED_AT_ONCE]:
            account = one.job.account or self.default_account
            if account is None:
                continue
            try:
                key = self.keys.job(account, str(one.job.id))
                stored = await command(self.redis, "HMGET", key, *_END_FIELDS)
            except NoPermissionError:
                return  # a consumer's user may read results and nothing else
            state, type_, number, error, entry, total = (value.decode() if value else "" for value in stored)
            if state == "final" and entry != one.entry:
                found = _outcome_of_record(type_, number, error, total)
                one.outcome = await self._with_event(account, one.job, found)
                self.on_event({"type": type_}, one)

    async def _with_event(self, account: str, job: Job, found: Outcome) -> Outcome:
        """The outcome with what the event of its document told: the CUFE stands nowhere else."""
        family = subject_of(found.type)
        if ending_of(found.type) != "validated" or not job.reference:
            return found
        try:
            stored = await command(self.redis, "HGET", self.keys.document(account, family, job.reference), "event")
        except NoPermissionError:
            return found
        told = outcome_of(strict_json.parse_written(stored)) if stored else found
        return told if told.success else found


def is_final(event_type: str) -> bool:
    """Whether an event of a job is its last."""
    return ending_of(event_type) in _FINAL_ENDINGS


def outcome_of(event: dict[str, Any]) -> Outcome:
    """What a person wants to know of a final event."""
    data = event["data"] or {}
    errors = event["errors"] or [{}]
    return Outcome(
        type=event["type"],
        success=event["success"],
        number=data.get("number") or "",
        total=_money(data.get("total")),
        code="" if event["success"] else errors[0].get("code", ""),
        message=event["message"] if event["success"] else errors[0].get("message", event["message"]),
        event=event,
        rule=errors[0].get("rule") or "",
        n_more=len(errors) - 1,
        unique_code=next((str(data[name]) for name in _UNIQUE_CODES if data.get(name)), ""),
    )


def _outcome_of_record(type_: str, number: str, error: str, total: str) -> Outcome:
    success = ending_of(type_) in ("validated", "completed")
    detail = strict_json.parse(error) if error else {}
    return Outcome(
        type=type_,
        success=success,
        number=number,
        total=_money(total) if success else None,
        code=detail.get("code", ""),
        message=detail.get("message", "ya había terminado; este envío no cambió nada"),
        rule=detail.get("rule") or "",
        event={"data": None, "errors": [detail]} if detail else None,
    )


def _money(value: object) -> Decimal | None:
    try:
        return Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class FamilySum:
    """The documents of one family that were validated, each once. ``total`` is None where they have none."""

    family: str
    n_validated: int
    total: Decimal | None
    first_number: str
    last_number: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A run of jobs in figures."""

    counts: dict[str, int]
    n_open: int
    families: tuple[FamilySum, ...]
    completed: tuple[Pushed, ...]
    """Jobs that issue nothing and have done what they were asked."""
    failures: tuple[Pushed, ...]

    @property
    def is_success(self) -> bool:
        return not self.failures and not self.n_open


def summarize(pushed: Sequence[Pushed]) -> Summary:
    """Add up what came of the jobs."""
    outcomes = [one.outcome for one in pushed if one.outcome]
    by_family: dict[str, dict[tuple[str | None, str], Outcome]] = {}
    for one in pushed:
        if one.outcome and ending_of(one.outcome.type) == "validated":
            # Several jobs may have the same document: its money counts once. A number is an account's own.
            name = (one.job.account, one.outcome.number or one.entry)
            by_family.setdefault(subject_of(one.outcome.type), {})[name] = one.outcome
    return Summary(
        counts=dict(sorted(Counter(outcome.type for outcome in outcomes).items())),
        n_open=sum(one.outcome is None for one in pushed),
        families=tuple(_family_sum(family, [*found.values()]) for family, found in sorted(by_family.items())),
        completed=tuple(one for one in pushed if one.outcome and ending_of(one.outcome.type) == "completed"),
        failures=tuple(one for one in pushed if one.outcome and not one.outcome.success),
    )


def _family_sum(family: str, validated: Sequence[Outcome]) -> FamilySum:
    numbers = sorted((outcome.number for outcome in validated if outcome.number), key=lambda text: (len(text), text))
    totals = [outcome.total for outcome in validated if outcome.total is not None]
    return FamilySum(
        family=family,
        n_validated=len(validated),
        total=sum(totals, Decimal(0)) if totals else None,
        first_number=numbers[0] if numbers else "",
        last_number=numbers[-1] if numbers else "",
    )
