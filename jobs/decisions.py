"""
What was seen -> what follows. Pure; the table of docs/decisions and README as code.

The order of the checks is the safety of the service: *is it ours* before *is it validated*, *processed before* before
*rejected*, and nothing is ever deleted but a document of ours that DIAN rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final as Constant
from typing import Literal, assert_never

from jobs import seen as s
from jobs.backoff import BackoffPolicy
from jobs.outcomes import Again, Block, Final, Waits, Weather
from jobs.registry import FAMILY_NAMES
from jobs.results import validated_data
from jobs.standing import Standing
from schemas import strict_json
from schemas.event import ErrorDetail
from schemas.factus import DocumentView, Remark
from schemas.records import JobRecord

TOTAL_TOLERANCE: Constant = Decimal("1.00")
"""Pesos by which Factus's total may differ from ours: its rounding is not published (business rule SUM-008)."""

ACCOUNT_PAUSE_S: Constant = 300.0
"""How often an account that Factus refuses is tried again."""

LONE_FAILURES: Constant = 3
"""Failures after which a document that Factus surely does not hold steps aside for the others of its lane."""

FOREIGN_PATIENCE_MS: Constant = 600_000
"""How long somebody else's pending document may block a family before a person is told."""

LookReason = Literal["unknown", "processed_before", "conflict"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send the document, or the same bytes again."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look the document up by its reference code."""

    reason: LookReason


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove our document that DIAN rejected, so that it blocks nothing."""

    verdict: tuple[ErrorDetail, ...]


@dataclass(frozen=True, slots=True)
class FindBlocker:
    """Find out which document blocks the family: a person has to be told its name."""


Step = Send | Look | Delete | FindBlocker | Final | Again


_UNTROUBLED: Constant = Standing()


@dataclass(frozen=True, slots=True)
class Judge:
    """The decisions for one job."""

    job: JobRecord
    backoff: BackoffPolicy
    draw: Callable[[], float]
    delete_rejected: bool
    standing: Standing = _UNTROUBLED
    settle_ms: int = 0
    """How long after it was sent a document may still appear at Factus: the longest wait for an answer, twice."""

    # -- after our create ------------------------------------------------------------------------------------------
    def after_create(self, seen: s.Seen) -> Step:
        """What follows the answer to our create."""
        match seen:
            case s.DocumentSeen(document):
                return self._document(document, resend_pending=False)
            case s.Acknowledged():
                return self._pending("")
            case s.FieldsRefused(message, found):
                return self._final_rejected(_field_errors(message, found))
            case s.RulesRefused(found) if any(remark.is_processed_before for remark in found):
                return Look("processed_before")
            case s.RulesRefused(found) if any(remark.is_rejection for remark in found):
                return self._rejected(found)
            case s.RulesRefused() | s.Unknown():
                return Look("unknown")
            case s.Conflicted():
                return Look("conflict")
            case s.NotFound(message) | s.BadRequest(_, message):
                return self._final_refused_request(seen, message)
            case s.Absent() | s.Done():
                return Look("unknown")
            case _:
                return self._nothing_sent(seen, sent="")

    # -- after a look-up -------------------------------------------------------------------------------------------
    def after_look(self, seen: s.Seen, reason: LookReason, *, has_sent: bool) -> Step:
        """
        What follows a look-up by reference code.

        Args:
            has_sent: Whether this very attempt sent the document before it looked.
        """
        match seen:
            case s.DocumentSeen(document) if reason == "processed_before":
                return self._processed_before(document)
            case s.DocumentSeen(document):
                return self._document(document, resend_pending=not has_sent)
            case s.Absent() | s.NotFound() if reason == "processed_before":
                return self._processed_before(None)
            case s.Absent() | s.NotFound() if reason == "conflict":
                return self._conflict()
            case s.Absent() | s.NotFound() if has_sent:
                return self._not_stored()
            case s.Absent() | s.NotFound():
                return Send()
            case s.BadRequest(status, message):
                return self._again(
                    "lane", _error("factus.unavailable", f"Factus respondió {status}: {message}"), "unknown"
                )
            case s.Unknown(why):
                # Not even a look-up comes through: this is no matter of one document.
                return self._again("account", _unavailable(why), "unknown", weather="outage")
            case s.Conflicted(message):
                return self._again("lane", _error("factus.conflict", message), "unknown")
            case s.Acknowledged() | s.Done() | s.FieldsRefused() | s.RulesRefused():
                return self._again("lane", _unavailable("respuesta ilegible a la consulta"), "unknown")
            case _:
                return self._nothing_sent(seen, sent="unknown")

    # -- after a delete --------------------------------------------------------------------------------------------
    def after_delete(self, seen: s.Seen, verdict: tuple[ErrorDetail, ...]) -> Step:
        """What follows the removal of our rejected document: gone is gone, else it is tried again."""
        match seen:
            case s.Done() | s.Absent() | s.NotFound() | s.DocumentSeen() | s.Acknowledged():
                return self._final_rejected(verdict)
            case s.Unknown(why):
                return self._again("lane", _unavailable(why), "deleting", weather="unclear")
            case s.Conflicted(message) | s.BadRequest(_, message) | s.FieldsRefused(message, _):
                return self._again("lane", _error("factus.conflict", message), "deleting")
            case s.RulesRefused():
                return self._again("lane", _error("factus.conflict", "Factus no eliminó el documento"), "deleting")
            case _:
                return self._nothing_sent(seen, sent="deleting")

    # -- after a search for the blocker ----------------------------------------------------------------------------
    def after_blocker(self, seen: s.Seen) -> Again:
        """A foreign document has blocked the family for long: tell a person which."""
        name = ""
        if isinstance(seen, s.DocumentSeen):
            name = f" ({seen.document.reference_code or 'sin referencia'}, {seen.document.number or 'sin número'})"
        error = _error("factus.conflict", f"Un documento ajeno sin validar bloquea la familia en Factus{name}.")
        return self._again("lane", error, "", block=Block(self.job.family, error))

    # -- before anything -------------------------------------------------------------------------------------------
    def too_late(self, now_ms: int, day_ends_ms: int) -> Final | None:
        """Whether the document may no longer be sent. One that Factus has already keeps its date, not its deadline."""
        job = self.job
        if not job.pending_since:
            if job.expires_at and now_ms >= job.expires_at and not job.attempts:
                return self._failed(_error("job.expired", "Venció (expires_at) antes de comenzar."))
            if day_ends_ms and now_ms >= day_ends_ms:
                return self.date_missed()
        return self.time_is_up() if now_ms >= job.deadline_at else None

    def may_still_appear(self) -> Again | None:
        """
        Whether time may not be called yet: what was sent a moment ago, and is not there, may be on its way.

        Factus stores a document whose answer nobody waited for. To call the job failed before that is settled would
        publish an end that turns out untrue.
        """
        job = self.job
        if not job.sending_at or self.standing.now_ms - job.sending_at >= self.settle_ms:
            return None
        reason = _unavailable("el envío no tuvo respuesta y Factus aún puede guardar el documento")
        return self._again("lane", reason, "unknown")

    def date_missed(self) -> Final:
        """The day that the document must carry is over."""
        return self._failed(
            _error("date.missed", f"No se pudo enviar el {self.job.issue_on}; no se envía con otra fecha.", "issue_on")
        )

    def time_is_up(self, reason: ErrorDetail | None = None) -> Final:
        """The job's deadline passed: what kept it from succeeding is the error."""
        last = reason or (ErrorDetail.model_validate_json(self.job.last_error) if self.job.last_error else None)
        return self._failed(
            last or _error("factus.unavailable", "Se agotó el tiempo del trabajo sin respuesta de Factus.")
        )

    def verdict(self) -> tuple[ErrorDetail, ...]:
        """Why DIAN rejected the document whose removal an earlier attempt began."""
        return verdict_from_json(self.job.verdict)

    # -- parts -----------------------------------------------------------------------------------------------------
    def _document(self, document: DocumentView, *, resend_pending: bool) -> Step:
        difference = self._difference(document)
        if difference:
            return self._failed(
                _error("reference.conflict", difference, "reference_code"), number=document.number or ""
            )
        if document.is_validated:
            return self._validated(document)
        if any(remark.is_processed_before for remark in document.remarks):
            return Look("processed_before")
        if any(remark.is_rejection for remark in document.remarks):
            return self._rejected(document.remarks)
        return Send() if resend_pending else self._pending(document.number or "")

    def _difference(self, document: DocumentView) -> str:
        """A repeated reference returns the OLD document, whatever is sent: so what came back is compared."""
        job = self.job
        asked_total = Decimal(job.total) if job.total else None
        if (
            asked_total is not None
            and document.total is not None
            and abs(document.total - asked_total) > TOTAL_TOLERANCE
        ):
            return (
                f"Factus tiene otro documento con este código de referencia: total {document.total:.2f}, "
                f"se pidió {asked_total:.2f}."
            )
        if job.party and document.party and document.party != job.party:
            return "Factus tiene otro documento con este código de referencia: es de otra persona."
        return ""

    def _validated(self, document: DocumentView) -> Final:
        name = FAMILY_NAMES[self.job.family]
        return Final(
            "validated",
            f"{name} {document.number} validada por la DIAN",
            data=validated_data(self.job, document),
            number=document.number or "",
        )

    def _rejected(self, found: tuple[Remark, ...]) -> Step:
        verdict = rejection_errors(found)
        if self.delete_rejected:
            return Delete(verdict)
        stays = (
            "El documento rechazado sigue en Factus (delete_rejected: false) y bloquea la familia hasta que se elimine."
        )
        return self._final_rejected(verdict, Block(self.job.family, _error("dian.rejected", stays)))

    def _final_rejected(self, errors: tuple[ErrorDetail, ...], block: Block | None = None) -> Final:
        message = f"{FAMILY_NAMES[self.job.family]} rechazada: {errors[0].message}"
        return Final("rejected", message, errors=errors, block=block)

    def _failed(self, error: ErrorDetail, number: str = "") -> Final:
        return Final("failed", error.message, errors=(error,), number=number)

    def _final_refused_request(self, seen: s.NotFound | s.BadRequest, message: str) -> Final:
        code = "factus.not_found" if isinstance(seen, s.NotFound) else "factus.validation"
        return self._failed(_error(code, message or "Factus no aceptó la solicitud."))

    def _processed_before(self, document: DocumentView | None) -> Step:
        if document and document.is_validated:
            return self._document(document, resend_pending=False)
        return self._failed(
            _error(
                "dian.processed",
                "La DIAN dice que ya procesó este documento (regla 90) y Factus no lo muestra validado. "
                "No se elimina ni se reenvía: una persona debe revisarlo con Factus.",
                rule="90",
            ),
            number=(document.number or "") if document else "",
        )

    def _pending(self, number: str) -> Again:
        reason = _error("dian.pending", "Factus tiene el documento; la DIAN no ha respondido.")
        return self._again("lane", reason, "", pending=True, number=number)

    def _conflict(self) -> Step:
        since_ms = self.standing.conflict_since_ms
        is_long = since_ms and self.standing.now_ms - since_ms >= FOREIGN_PATIENCE_MS
        if is_long and not self.standing.family_blocked_since_ms:
            return FindBlocker()
        return self._again(
            "lane", _error("factus.conflict", "Otro documento sin validar bloquea la familia en Factus (409)."), ""
        )

    def _not_stored(self) -> Again:
        lone = self.job.failures + 1 >= LONE_FAILURES
        reason = _unavailable("el envío falló y Factus no guardó el documento")
        return self._again("job" if lone else "lane", reason, "unknown")

    def _nothing_sent(
        self,
        seen: s.CredentialsRefused
        | s.PaymentRequired
        | s.Denied
        | s.Throttled
        | s.NotSent
        | s.NoPermit
        | s.TooLate
        | s.Seen,
        *,
        sent: Literal["", "unknown", "deleting"],
    ) -> Step:
        """Factus did not take our call, for a reason that lies with the account, the network or ourselves."""
        match seen:
            case s.CredentialsRefused(message):
                return self._hold(_error("factus.credentials", f"Factus rechazó las credenciales: {message}"), sent)
            case s.PaymentRequired(message):
                return self._hold(
                    _error("factus.payment_required", f"Factus exige un pago o un paquete: {message}"), sent
                )
            case s.Denied(kind, message):
                family = self.job.family if kind == "product" else None
                return self._hold(_error("factus.denied", f"Factus negó el acceso: {message}"), sent, family)
            case s.Throttled(retry_after_s):
                reason = _error("factus.unavailable", "Factus pidió esperar (429).")
                return Again("lane", retry_after_s, reason, sent, is_failure=False, weather="unclear")
            case s.NoPermit():
                # The lane looks at the allowance itself: no pause of ours.
                reason = _error("factus.unavailable", "Espera turno en el cupo de solicitudes.")
                return Again("lane", 0.0, reason, sent, is_failure=False, weather="unclear")
            case s.NotSent(why):
                return self._again("account", _unavailable(why), sent, weather="outage")
            case s.TooLate():
                if not sent:
                    return self.date_missed()
                return self._again("lane", _unavailable("fuera de hora"), sent, weather="unclear")
            case (
                s.DocumentSeen()
                | s.Acknowledged()
                | s.Absent()
                | s.Done()
                | s.FieldsRefused()
                | s.RulesRefused()
                | s.Conflicted()
                | s.NotFound()
                | s.BadRequest()
                | s.Unknown()
            ):
                raise AssertionError(f"{type(seen).__name__} has a row of its own")
            case _:
                assert_never(seen)

    def _hold(self, reason: ErrorDetail, sent: Literal["", "unknown", "deleting"], family: str | None = None) -> Again:
        waits: Waits = "lane" if family else "account"
        return Again(waits, ACCOUNT_PAUSE_S, reason, sent, block=Block(family, reason))

    def _again(
        self,
        waits: Waits,
        reason: ErrorDetail,
        sent: Literal["", "unknown", "deleting"],
        *,
        pending: bool = False,
        number: str = "",
        weather: Weather = "fair",
        block: Block | None = None,
    ) -> Again:
        pause_s = self.backoff.jittered_s(self.job.failures + 1, self.draw)
        return Again(waits, pause_s, reason, sent, pending=pending, number=number, weather=weather, block=block)


def rejection_errors(found: tuple[Remark, ...]) -> tuple[ErrorDetail, ...]:
    """DIAN's rules as errors: the rejections, and never the notices beside them."""
    return tuple(
        ErrorDetail(code="dian.rejected", message=remark.words, rule=remark.rule)
        for remark in found
        if remark.is_rejection
    )


def verdict_to_json(verdict: tuple[ErrorDetail, ...]) -> str:
    """The stored form of a verdict (JobRecord.verdict)."""
    return "[" + ",".join(error.model_dump_json() for error in verdict) + "]"


def verdict_from_json(text: str) -> tuple[ErrorDetail, ...]:
    return tuple(ErrorDetail(**error) for error in strict_json.parse(text))


def _field_errors(message: str, found: tuple[Remark, ...]) -> tuple[ErrorDetail, ...]:
    if not found:
        # Seen when the account has no active numbering range: a 422 without any detail.
        text = f"{message or 'Error de validación'}: Factus no dijo en qué campo. Revise el rango de numeración activo."
        return (ErrorDetail(code="factus.validation", message=text),)
    return tuple(ErrorDetail(code="factus.validation", message=remark.text, field=remark.key) for remark in found)


def _unavailable(why: str) -> ErrorDetail:
    return _error("factus.unavailable", f"Factus no está disponible: {why}.")


def _error(code: str, message: str, field: str | None = None, rule: str | None = None) -> ErrorDetail:
    retryable = code in {"factus.unavailable", "factus.conflict", "dian.pending"}
    named = f"envelope.{field}" if field == "issue_on" else field
    return ErrorDetail(code=code, message=message, field=named, rule=rule, retryable=retryable)
