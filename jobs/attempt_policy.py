"""
What every attempt has in common, whatever it asks of Factus: when time is up, how long to wait, and what follows when
Factus did not take a call for a reason that lies with the account, the network or ourselves. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from jobs import answers
from jobs.backoff import BackoffPolicy
from jobs.outcomes import AccountState, Block, FactusHealth, Finished, Retry, Sent, Waits
from jobs.patience import PATIENCE, PatiencePolicy
from schemas.contract.event import ErrorDetail
from schemas.factus import Remark
from schemas.records import JobRecord, SendState

MEND_ADDRESS: Final = (
    "Revise FACTUS_BASE_URL (base_url de la cuenta): debe ser la dirección de Factus sin ruta ni versión, por ejemplo "
    "https://api.factus.com.co; y que ningún proxy responda en su lugar. Se reanuda solo."
)
MEND_ISSUER: Final = (
    "El servidor de tokens de Factus no entrega tokens: consulte su estado con Factus y revise FACTUS_BASE_URL. "
    "Se reanuda solo."
)

_UNTROUBLED: Final = AccountState()

_HELD: Final = {
    "factus.credentials": "Factus rechazó las credenciales de la cuenta mientras el trabajo esperaba.",
    "factus.payment_required": "Factus exigió un pago o un paquete a la cuenta mientras el trabajo esperaba.",
    "factus.denied": "Factus negó el acceso a la cuenta mientras el trabajo esperaba.",
}
"""What holds a whole account until a person mends it, by its error code."""

_LANE_HELD: Final = {
    "factus.conflict": "Otro documento sin validar bloqueaba la familia en Factus (409) mientras el trabajo esperaba.",
    "factus.denied": "Factus negó el acceso a esta familia de documentos mientras el trabajo esperaba.",
}
"""What holds a lane and has an error code that is true of every job behind it too."""

_NO_PERMIT: Final = "Espera turno en el cupo de solicitudes."
_NO_TURN: Final = "Se agotó el tiempo del trabajo antes de que llegara su turno; no se envió a Factus:"
_FULL: Final = "el cupo de solicitudes de la cuenta y los trabajos que iban antes no le dejaron lugar."
_KEPT_BY: Final = {
    "dian.pending": "otro documento de la familia esperaba la respuesta de la DIAN.",
    "factus.unavailable": "Factus no respondía a los trabajos que iban antes.",
}
"""What else a lane or an account waits for, by the reason of its hold. The code stays ``factus.unavailable``: to say
``dian.pending`` of a document that was never sent would be untrue."""


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """The decisions for one job, any kind of it."""

    job: JobRecord
    backoff: BackoffPolicy
    draw: Callable[[], float]
    standing: AccountState = _UNTROUBLED
    settle_ms: int = 0
    """How long after it was sent a document may still appear at Factus: the longest wait for an answer, twice."""
    patience: PatiencePolicy = PATIENCE

    # -- before anything -------------------------------------------------------------------------------------------
    def too_late(self, now_ms: int, day_ends_ms: int) -> Finished | None:
        """The end of a job that may no longer be sent; None while it may. What Factus has keeps its date."""
        job = self.job
        if not job.pending_since:
            if expired := self.expired(now_ms):
                return expired
            if day_ends_ms and now_ms >= day_ends_ms:
                return self.date_missed()
        return self.time_is_up() if now_ms >= job.deadline_at else None

    def expired(self, now_ms: int) -> Finished | None:
        """The end of a job that was to begin by an instant and has not; None while it may."""
        job = self.job
        if not job.expires_at or now_ms < job.expires_at or job.attempts:
            return None
        return self.failed(error("job.expired", "Venció (expires_at) antes de comenzar."))

    @property
    def _last_error(self) -> ErrorDetail | None:
        """Why the attempt before this one did not succeed."""
        found = self.job.parsed_last_error
        return ErrorDetail.model_validate(found) if found is not None else None

    @property
    def is_on_its_way(self) -> bool:
        """Whether what was sent a moment ago, and is not there, may yet be done."""
        is_unknown = self.job.is_uncertain and self.job.sending_at
        # A create that arrives late is the same document; any other change waits a little in any case.
        settle_ms = self.settle_ms if self.job.issues else max(self.settle_ms, self.patience.least_settle_ms)
        return bool(is_unknown) and self.standing.now_ms - self.job.sending_at < settle_ms

    @property
    def removal_waits_ms(self) -> int:
        """For how long a DELETE of an earlier attempt, whose outcome nobody knows, may still take effect."""
        job = self.job
        sent_at = job.deleting_at if job.issues else job.sending_at
        is_unknown = job.is_being_removed if job.issues else job.is_uncertain
        return sent_at + self.removal_settles_ms - self.standing.now_ms if is_unknown else 0

    @property
    def removal_settles_ms(self) -> int:
        """For how long a DELETE that is sent now may still take effect."""
        return max(self.settle_ms, self.patience.least_settle_ms)

    def may_still_appear(self, last: ErrorDetail | None = None) -> Retry | None:
        """
        The retry that keeps a job open: what was sent a moment ago, and is not there, may be on its way. None where
        nothing is.

        Factus stores a document whose answer nobody waited for. To call the job failed before that is settled would
        publish an end that turns out untrue.

        Args:
            last: What was seen in this attempt; else what the one before it has seen is told on.
        """
        if not self.is_on_its_way:
            return None
        on_its_way = unavailable("el envío no tuvo respuesta y Factus aún puede guardar el documento")
        reason = last or self._last_error or on_its_way
        return self.retry("lane", reason, SendState.UNKNOWN)

    def as_long_as_on_its_way(self, ending: Retry) -> Retry:
        """
        A retry that goes on knowing of an earlier send whose outcome nobody has learnt.

        What this attempt was told (409, no permit, no token) is about its own call: Factus may be at work on the
        earlier one, and a job that is called unsent then is cancelled, or ends with its day, while its document comes.
        """
        if ending.sent != SendState.NOTHING or ending.pending or not self.is_on_its_way:
            return ending
        # From the earlier send on, or a send that is answered each time would put it off for ever.
        return replace(ending, sent=SendState.UNKNOWN, sent_at_ms=self.job.sending_at)

    def date_missed(self) -> Finished:
        """The day that the document must carry is over."""
        return self.failed(
            error("date.missed", f"No se pudo enviar el {self.job.issue_on}; no se envía con otra fecha.", "issue_on")
        )

    def time_is_up(self, reason: ErrorDetail | None = None) -> Finished:
        """The job's deadline passed: what kept it from succeeding is the error."""
        last = reason or self._last_error
        if last is None or last.code == "factus.unavailable":
            # It got no permit, or returned it: what holds the account says more than that.
            last = self._what_holds_the_account() or last
        if last is None or last.message == _NO_PERMIT:
            last = self._without_turn(last)
        return self.failed(last)

    def _without_turn(self, last: ErrorDetail | None) -> ErrorDetail:
        """Nothing that was asked has failed: the job waited, and nobody may read that Factus did not answer it."""
        if not (self.job.attempts or self.job.sending_at):
            return self._what_kept_its_turn()
        text = "sin respuesta de Factus" if last is None else "y su turno no volvió a llegar después del último intento"
        return error("factus.unavailable", f"Se agotó el tiempo del trabajo {text}.")

    def _what_kept_its_turn(self) -> ErrorDetail:
        """What held the lane or the account of a job that was never sent."""
        standing = self.standing
        held = "factus.conflict" if standing.conflict_since_ms else standing.lane_hold_reason
        if held in _LANE_HELD:
            return error(held, _LANE_HELD[held])
        if standing.account_hold_reason == "factus.unavailable":  # it goes with the outage
            held = standing.account_hold_reason
        return error("factus.unavailable", f"{_NO_TURN} {_KEPT_BY.get(held, _FULL)}")

    def _what_holds_the_account(self) -> ErrorDetail | None:
        """The block of the whole account that another job's call has found."""
        text = _HELD.get(self.standing.account_hold_reason) if self.standing.account_blocked_since_ms else None
        return error(self.standing.account_hold_reason, text) if text else None

    # -- parts -----------------------------------------------------------------------------------------------------
    def turn_of_another(self, text: str, sent: Sent) -> Retry:
        """Another job has the change lock: this one is tried again after a pause that holds up no other job."""
        reason = error("factus.unavailable", text)
        return Retry("job", self.patience.change_pause_s, reason, sent, is_failure=False, health="unknown")

    def failed(self, reason: ErrorDetail, number: str = "") -> Finished:
        return Finished("failed", reason.message, errors=(reason,), number=number)

    def call_not_accepted(self, seen: answers.Answer, *, sent: Sent) -> Finished | Retry:
        """Factus did not take our call, for a reason that lies with the account, the network or ourselves."""
        match seen:
            case answers.CredentialsRefused(message):
                reason = error("factus.credentials", f"Factus rechazó las credenciales ({seen.status}): {message}")
                return self.hold_in_steps(Block(None, reason), sent)
            case answers.NoToken(why):
                return self._without_token(unavailable(why), sent)
            case answers.Misrouted(status, at_token):
                return self._misrouted(status, sent, at_token=at_token)
            case answers.PaymentRequired(message):
                reason = error(
                    "factus.payment_required", f"Factus exige un pago o un paquete ({seen.status}): {message}"
                )
                return self.hold(reason, sent)
            case answers.Denied(kind, message):
                reason = error("factus.denied", f"Factus negó el acceso ({seen.status}): {message}")
                return self.denied(kind, reason, sent)
            case answers.Throttled(retry_after_s):
                reason = error("factus.unavailable", "Factus pidió esperar (429).")
                return Retry("lane", retry_after_s, reason, sent, is_failure=False, health="unknown")
            case answers.NoPermit():
                # The lane looks at the allowance itself: no pause of ours.
                reason = error("factus.unavailable", _NO_PERMIT)
                return Retry("lane", 0.0, reason, sent, is_failure=False, health="unknown")
            case answers.NotSent(why):
                return self.hold_in_steps(None, sent, unavailable(why))
            case answers.TooLate():
                if not sent:
                    return self.may_still_appear() or self.date_missed()
                return self.retry("lane", unavailable("fuera de hora"), sent, health="unknown")
            case (
                answers.DocumentSeen()
                | answers.Replied()
                | answers.Acknowledged()
                | answers.Absent()
                | answers.Done()
                | answers.FieldsRefused()
                | answers.RulesRefused()
                | answers.Conflicted()
                | answers.NotFound()
                | answers.BadRequest()
                | answers.Unknown()
            ):
                raise AssertionError(f"{type(seen).__name__} has a row of its own")
            case _:
                assert_never(seen)

    def denied(self, kind: answers.DeniedKind, reason: ErrorDetail, sent: Sent) -> Retry:
        """A product that is not contracted stops its family only; all else stops the account."""
        if kind == "product":
            return Retry("lane", self.hold_pause_s, reason, sent, block=Block(self.job.family, reason))
        return self.hold(reason, sent)

    def hold(self, reason: ErrorDetail, sent: Sent) -> Retry:
        return Retry("account", self.hold_pause_s, reason, sent, block=Block(None, reason))

    @property
    def hold_pause_s(self) -> float:
        return min(self.patience.account_pause_s, self.backoff.max_s)

    def hold_in_steps(self, block: Block | None, sent: Sent, reason: ErrorDetail | None = None) -> Retry:
        """
        The account waits, a step longer each time, and one job of it asks again: whichever, the count is the account's.

        Args:
            block: What a person is told; None when there is nothing to tell yet, and then *reason* says why.
        """
        why = block.error if block else reason
        assert why is not None
        n_failures = max(self.job.failures, self.standing.outage_steps) + 1
        pause_s = min(self.backoff.jittered_s(n_failures, self.draw), self.hold_pause_s)
        return Retry("account", pause_s, why, sent, health="down", block=block)

    def _without_token(self, reason: ErrorDetail, sent: Sent) -> Retry:
        """An outage of the account; a person is told when it has lasted."""
        since_ms = self.standing.outage_since_ms
        is_long = bool(since_ms) and self.standing.now_ms - since_ms >= self.patience.outage_ms
        return self.hold_in_steps(Block(None, reason, mend=MEND_ISSUER) if is_long else None, sent, reason)

    def _misrouted(self, status: int, sent: Sent, *, at_token: bool) -> Retry:
        """
        Somebody else answered, or Factus has no such route: the account's matter, and nothing is said of the document.

        One job may be alone in it (too large for a proxy, a product whose routes are not there): it steps aside once,
        and where the others go on meanwhile it stays aside.
        """
        what = "la ruta de tokens no está donde se buscó" if at_token else "la respuesta no es de Factus"
        reason = unavailable(f"respondió {status} y {what}")
        n_failures = self.job.failures + 1
        is_alone = n_failures == self.patience.lone_failures or (
            n_failures > self.patience.lone_failures and not self.standing.account_blocked_since_ms
        )
        if is_alone and not at_token:
            return self.retry("job", reason, sent, health="unknown")
        return self.hold_in_steps(Block(None, reason, mend=MEND_ADDRESS), sent)

    def retry(
        self,
        waits: Waits,
        reason: ErrorDetail,
        sent: Sent,
        *,
        pending: bool = False,
        number: str = "",
        health: FactusHealth = "up",
        block: Block | None = None,
    ) -> Retry:
        """An attempt that is to be made again after a pause, which grows with each failure of the job."""
        pause_s = self.backoff.jittered_s(self.job.failures + 1, self.draw)
        if waits != "job":
            pause_s = min(pause_s, self.hold_pause_s)
        return Retry(waits, pause_s, reason, sent, pending=pending, number=number, health=health, block=block)


def answered(status: int, message: str) -> str:
    """A refusal in Factus's words, with its status."""
    return f"Factus respondió {status}: {message}" if message else f"Factus respondió {status}."


def unavailable(why: str) -> ErrorDetail:
    return error("factus.unavailable", f"Factus no está disponible: {why}.")


def error(
    code: str, message: str, field: str | None = None, rule: str | None = None, *, retryable: bool | None = None
) -> ErrorDetail:
    """
    An error of ours.

    Args:
        retryable: Whether the same job, pushed again later, may succeed; None goes by the code.
    """
    if retryable is None:
        retryable = code in {"factus.unavailable", "factus.conflict", "dian.pending"}
    named = f"envelope.{field}" if field == "issue_on" else field
    return ErrorDetail(code=code, message=message, field=named, rule=rule, retryable=retryable)


def field_errors(message: str, found: tuple[Remark, ...]) -> tuple[ErrorDetail, ...]:
    """A 422 about fields, one error each; never empty."""
    if not found:
        # Seen when the account has no active numbering range: a 422 without any detail.
        text = f"{message or 'Error de validación'}: Factus no dijo en qué campo. Revise el rango de numeración activo."
        return (ErrorDetail(code="factus.validation", message=text),)
    return tuple(ErrorDetail(code="factus.validation", message=remark.text, field=remark.key) for remark in found)


def rule_errors(found: tuple[Remark, ...]) -> tuple[ErrorDetail, ...]:
    """A 422 with rules of DIAN to a call that issues nothing, one error each: the key beside a text is no field."""
    return tuple(ErrorDetail(code="factus.validation", message=remark.words, rule=remark.rule) for remark in found)
