"""
One turn of a job that does not issue: what its verb may ask of Factus, and what follows from each answer.

A verb is a few lines that read and write through a :class:`CallContext`; whatever ends the turn early (no permit, a
refusal, an outage) leaves it as :class:`Stop`. A job of several calls makes one or two of them a turn and goes back to
its lane: it holds no place while others wait, and after a crash goes on where it was.

A write whose repetition would do harm is marked in the ledger before its first byte. When its outcome is unknown it is
looked up where Factus can be asked; where it cannot, the job ends as failed and says so: a person decides, not a retry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from jobs import answers
from jobs.attempt_policy import AttemptPolicy, answered, error, field_errors, rule_errors, unavailable
from jobs.factus_requests import Request, get
from jobs.families import FAMILIES, Family
from jobs.outcomes import AttemptResult, Block, Ending, Finished, Retry, Sent
from jobs.ports import Archive, Caller, Canceller, ChangeLock, DayBook, LockState
from jobs.radian_policy import RADIAN, RadianPolicy
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA, DocumentView
from schemas.names import job_type_of
from schemas.records import SendState

_SHARED_FAILURES: Final = 2
"""Failures of one job that pause all calls of the account; after them only the job itself steps aside."""

_REMOVALS: Final = frozenset(job_type_of(family, "delete") for family in FAMILIES)

WhenUnknown: TypeAlias = Literal["again", "look", "stop"]
"""
What follows a write of unknown outcome: it is sent once more, it is looked up first, or the job ends. Before each of
them the job waits until the write that had no answer can arrive no more.
"""


class Stop(Exception):
    """The turn is over before its verb is."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(type(ending).__name__)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class CallPolicy(AttemptPolicy):
    """What follows an answer to a call."""

    def denied(self, kind: answers.DeniedKind, reason: ErrorDetail, sent: Sent) -> Retry:
        """A product or permission that is missing stops nobody else: issuing may well be allowed."""
        if kind in ("product", "permission"):
            block = Block(self.job.family, reason, self.job.type)
            return Retry("job", min(self.patience.account_pause_s, self.backoff.max_s), reason, sent, block=block)
        return self.hold(reason, sent)

    def after_call(self, seen: answers.Answer, *, sent: Sent = SendState.NOTHING) -> Ending:
        """What follows an answer that is not the wanted one."""
        match seen:
            case answers.NotFound(message, status):
                return self.failed(error("factus.not_found", answered(status, message)))
            case answers.FieldsRefused(message, found):
                return self._refused(message, field_errors(message, found) if found else ())
            case answers.RulesRefused(found, message):
                return self._refused(message, rule_errors(found))
            case answers.BadRequest(status, message):
                return self.failed(error("factus.validation", answered(status, message)))
            case answers.Conflicted(message, status):
                # What a call runs into stays: the event is registered, the bill loaded, the range in use. Only a
                # document that is not removed while it is under way may be removed later.
                is_passing = self.job.type in _REMOVALS
                return self.failed(error("factus.conflict", answered(status, message), retryable=is_passing))
            case answers.Unknown(why):
                is_shared = self.job.failures < _SHARED_FAILURES
                return self.retry("lane" if is_shared else "job", unavailable(why), sent, health="unknown")
            case (
                answers.Replied() | answers.DocumentSeen() | answers.Acknowledged() | answers.Absent() | answers.Done()
            ):
                return self.retry("job", unavailable("respuesta ilegible"), sent)
            case _:
                return self.call_not_accepted(seen, sent=sent)

    @staticmethod
    def _refused(message: str, reasons: tuple[ErrorDetail, ...]) -> Finished:
        reasons = reasons or (error("factus.validation", answered(422, message)),)
        return Finished("failed", answered(422, reasons[0].message), errors=reasons)


@dataclass(slots=True)
class CallContext:
    """What a verb works with: the policy for its job, and the ports to Factus, the archive and the ledger."""

    policy: CallPolicy
    gateway: Caller
    archive: Archive
    change_lock: ChangeLock
    radian: RadianPolicy = RADIAN
    radian_person: Mapping[str, Any] | None = None
    """Who declares the tacit acceptance of this account's bills (the fields of ``invoice.accept``)."""
    canceller: Canceller | None = None
    day_book: DayBook | None = None
    zone: ZoneInfo = BOGOTA
    n_sent: int = field(default=0, init=False)
    n_calls: int = field(default=0, init=False)
    status: int = field(default=0, init=False)
    payload: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.payload = self.policy.job.parse_payload()

    @property
    def family(self) -> Family:
        """The family of documents that the job is about."""
        return FAMILIES[self.policy.job.family]

    @property
    def is_uncertain(self) -> bool:
        """Whether an earlier turn sent the job's write and never learnt what came of it."""
        return self.policy.job.is_uncertain

    @property
    def _still(self) -> Sent:
        """What the next turn must know when this one changed nothing."""
        return SendState.UNKNOWN if self.is_uncertain else SendState.NOTHING

    @property
    def progress(self) -> dict[str, Any]:
        """What earlier turns have done; empty in the first."""
        return dict(self.policy.job.parsed_progress)

    # -- turns -----------------------------------------------------------------------------------------------------
    async def acquire_change_lock(self, thing: str) -> None:
        """
        Wait for the jobs that came before to change the same thing of the account: the last one pushed has the last
        word, also when an earlier one has to be repeated.

        Raises:
            Stop: It is not this job's turn.
        """
        self._wait_unless_held(await self.change_lock.acquire_change_lock(self.policy.job, thing))

    async def acquire_removal_lock(self, reference_code: str) -> bool:
        """
        As :meth:`acquire_change_lock`, for what bears a reference code.

        Returns:
            False when an attempt to issue that document is under way.

        Raises:
            Stop: As there.
        """
        state = await self.change_lock.acquire_removal_lock(self.policy.job, reference_code)
        self._wait_unless_held(state)
        return state == "held"

    def _wait_unless_held(self, state: LockState) -> None:
        if state == "queued":
            raise Stop(self.policy.turn_of_another("Otro trabajo cambia lo mismo en Factus.", self._still))

    # -- asking ----------------------------------------------------------------------------------------------------
    async def read(self, request: Request, *, is_look_up: bool = False) -> dict[str, Any]:
        """
        The body of an answer.

        Args:
            is_look_up: It only prepares the job's own call, and is none of its attempts.

        Raises:
            Stop: There is none: not found, refused, out of reach.
        """
        seen = await self.ask(request, is_look_up=is_look_up)
        if isinstance(seen, answers.Replied) and isinstance(seen.body, dict):
            return seen.body
        raise self.stopped_by(seen)

    async def ask(self, request: Request, *, is_look_up: bool = False) -> answers.Answer:
        """The answer to a call that changes nothing, whatever it is."""
        seen = await self.gateway.call(request)
        self._count(seen, is_look_up=is_look_up)
        return seen

    def stopped_by(self, seen: answers.Answer) -> Stop:
        """What ends the turn after an answer that is not the wanted one."""
        return Stop(self.policy.after_call(seen, sent=self._still))

    async def write(self, request: Request, *, when_unknown: WhenUnknown, unknown: str = "") -> dict[str, Any]:
        """
        Change something at Factus.

        Args:
            unknown: What a person is told when it may or may not have happened and is not repeated.

        Returns:
            The body; empty when the answer was a success that says nothing.

        Raises:
            Stop: It was not done, or nobody knows.
        """
        if when_unknown != "stop" and self.is_uncertain and self.policy.is_on_its_way:
            # It may have been looked for, and is not there yet; but Factus goes on with what nobody waited for.
            reason = unavailable("no hubo respuesta y Factus aún puede terminar lo que se le pidió")
            raise Stop(self.policy.retry("job", reason, SendState.UNKNOWN))
        seen = await self.gateway.call(request, marks=self.policy.job)
        self._count(seen)
        if isinstance(seen, answers.Replied) and request.method == "POST" and when_unknown == "look" and not seen.body:
            # A success that says nothing: what came of it, its id for one, is looked up.
            seen = answers.Unknown("la respuesta llegó vacía o ilegible")
        if isinstance(seen, answers.Replied):
            return seen.body if isinstance(seen.body, dict) else {}
        if isinstance(seen, answers.Unknown) and when_unknown == "stop":
            raise Stop(self.unknown_outcome(unknown))
        sent: Sent = SendState.UNKNOWN if self._may_be_done(seen, when_unknown) else SendState.NOTHING
        raise Stop(self.policy.after_call(seen, sent=sent))

    async def send(self, request: Request) -> answers.Answer:
        """
        Change something at Factus, and see whatever came of it: for a verb that keeps its own account of what it sent.

        Raises:
            LeaseLost: The job is another worker's by now; nothing was sent.
        """
        seen = await self.gateway.call(request, marks=self.policy.job)
        self._count(seen)
        return seen

    @staticmethod
    def _may_be_done(seen: answers.Answer, when_unknown: WhenUnknown) -> bool:
        return isinstance(seen, answers.Unknown) and when_unknown != "stop"

    def unknown_outcome(self, what: str) -> Finished:
        """The end of a write that may have been done: it is not repeated blindly."""
        text = (
            f"No se sabe si {what}: Factus no respondió. No se repite solo; verifique y, si falta, envíe otro trabajo."
        )
        return self.policy.failed(ErrorDetail(code="factus.unavailable", message=text))

    async def document(self, *, is_look_up: bool = True) -> DocumentView:
        """
        The document that the payload names by number or reference code.

        Args:
            is_look_up: As :meth:`read`.

        Raises:
            Stop: Factus has none, or cannot be asked.
        """
        number = self.payload.get("number")
        if number:
            body = await self.read(get(self.family.show(number)), is_look_up=is_look_up)
            return DocumentView(data_of(body))
        found = await self.find(is_look_up=is_look_up)
        if found is None:
            raise Stop(self.not_found())
        return found

    async def find(self, *, is_look_up: bool = True) -> DocumentView | None:
        """The document of the payload's reference code; None when Factus has none."""
        seen = await self.gateway.find(self.policy.job.family, self.payload["reference_code"])
        self._count(seen, is_look_up=is_look_up)
        match seen:
            case answers.DocumentSeen(document):
                return document
            case answers.Absent() | answers.NotFound():
                return None
            case _:
                raise Stop(self.policy.after_call(seen, sent=self._still))

    async def number(self) -> str:
        """The number of the document that the payload names."""
        number: str = self.payload.get("number") or (await self.document()).number or ""
        if not number:
            raise Stop(self.not_found())
        return number

    def not_found(self) -> Finished:
        text = f"Factus no tiene {self.family.noun.lower()} con este código de referencia."
        return self.policy.failed(error("factus.not_found", text, "reference_code"))

    def _count(self, seen: answers.Answer, *, is_look_up: bool = False) -> None:
        self.n_calls += 1
        self.status = answers.status_of(seen)
        self.n_sent += answers.counts_as_attempt(seen) and not is_look_up

    # -- ending ----------------------------------------------------------------------------------------------------
    def completed(self, message: str, data: dict[str, Any]) -> Finished:
        number = data.get("number")
        return Finished("completed", message, data=data, number=number if isinstance(number, str) else "")

    def more(self, progress: Mapping[str, Any], left: str) -> Retry:
        """End this turn; the job goes on with its next one. *left* says what is missing if its time is up before."""
        reason = unavailable(f"{left} cuando se agotó el tiempo")
        return Retry("lane", 0.0, reason, is_failure=False, progress=strict_json.dump(dict(progress)))


def data_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` of an answer; empty when there is none."""
    data = body.get("data")
    return data if isinstance(data, dict) else {}


Work: TypeAlias = Callable[[CallContext], Awaitable[Ending]]
Late: TypeAlias = Callable[[CallContext, Finished], Ending]
"""Makes the end of a job whose time is up, from what is known of any job; or keeps it open until that is safe."""


def unchanged(_context: CallContext, late: Finished) -> Finished:
    """Most verbs have nothing to add to why they did not succeed."""
    return late


async def run_call(
    work: Work, context: CallContext, *, now_ms: int, day_ends_ms: int, late: Late = unchanged
) -> AttemptResult:
    """
    Run one turn.

    Raises:
        LeaseLost: Another worker has the job; nothing more may be done.
    """
    over = context.policy.too_late(now_ms, day_ends_ms)
    if over:
        return AttemptResult(late(context, over), 0)
    try:
        ending = await work(context)
    except Stop as stop:
        ending = stop.ending
    return AttemptResult(ending, context.n_sent, context.n_calls, context.status)
