"""
What was seen -> what follows. Pure; the table of docs/decisions and README as code.

The order of the checks is the safety of the service: *is it ours* before *is it validated*, *processed before* before
*rejected*, and nothing is ever deleted but a document of ours that DIAN rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final as Constant
from typing import Literal

from jobs import seen as s
from jobs.deciding import Deciding, error, field_errors, unavailable
from jobs.families import FAMILIES, Family
from jobs.outcomes import Again, Block, Final, Sent
from jobs.results import validated_data
from schemas import strict_json
from schemas.event import ErrorDetail
from schemas.factus import DocumentView, Remark

TOTAL_TOLERANCE: Constant = Decimal("1.00")
"""Pesos by which Factus's total may differ from ours: its rounding is not published (business rule SUM-008)."""

LONE_FAILURES: Constant = 3
"""Failures after which a document that Factus surely does not hold steps aside for the others of its lane."""

FOREIGN_PATIENCE_MS: Constant = 600_000
"""How long somebody else's pending document may block a family before a person is told."""

LookReason = Literal["unknown", "deleting", "processed_before", "conflict"]


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


@dataclass(frozen=True, slots=True)
class Judge(Deciding):
    """The decisions for one job that issues a document, any family."""

    delete_rejected: bool = True

    @property
    def family(self) -> Family:
        return FAMILIES[self.job.family]

    # -- before anything -------------------------------------------------------------------------------------------
    def waits_for_removal(self) -> Again:
        """A job of ours deletes what bears this reference at Factus: a document issued now could be taken by it."""
        sent: Sent = "deleting" if self.job.sent == "deleting" else "unknown"
        return self.turn_of_another("Otro trabajo elimina en Factus lo que tiene esta referencia.", sent)

    def time_is_up(self, reason: ErrorDetail | None = None) -> Final:
        """As any job's; but one that DIAN rejected and that could not be removed ends by DIAN's word, not by ours."""
        if not (self.job.sent == "deleting" and self.job.verdict):
            return Deciding.time_is_up(self, reason)
        stays = error("dian.rejected", "El documento rechazado no se pudo eliminar en Factus: bloquea la familia.")
        ended = self._final_rejected(self.verdict(), Block(self.job.family, stays))
        return replace(ended, free_in_s=max(self.removal_waits_ms, 0) / 1000)

    # -- after our create ------------------------------------------------------------------------------------------
    def after_create(self, seen: s.Seen) -> Step:
        """What follows the answer to our create."""
        match seen:
            case s.DocumentSeen(document):
                return self._document(document, has_sent=True)
            case s.Acknowledged():
                return self._pending("")
            case s.FieldsRefused(message, found):
                return self._final_rejected(field_errors(message, found))
            case s.RulesRefused(found) if any(remark.is_processed_before for remark in found):
                return Look("processed_before")
            case s.RulesRefused(found) if any(remark.is_rejection for remark in found):
                return self._rejected(found, has_sent=True)
            case s.RulesRefused() | s.Unknown():
                return Look("unknown")
            case s.Conflicted():
                return Look("conflict")
            case s.NotFound(message) | s.BadRequest(_, message):
                return self._final_refused_request(seen, message)
            case s.Absent() | s.Done() | s.Replied():
                return Look("unknown")
            case _:
                return self.nothing_sent(seen, sent="")

    # -- after a look-up -------------------------------------------------------------------------------------------
    def after_look(self, seen: s.Seen, reason: LookReason, *, has_sent: bool) -> Step:
        """
        What follows a look-up by reference code.

        Args:
            has_sent: Whether this very attempt sent the document before it looked.
        """
        still: Sent = "deleting" if reason == "deleting" else "unknown"
        match seen:
            case s.DocumentSeen(document) if reason == "processed_before":
                return self._processed_before(document)
            case s.DocumentSeen(document):
                return self._document(document, has_sent=has_sent)
            case s.Absent() | s.NotFound() if reason == "deleting":
                return self._removed(self.verdict(), has_sent=has_sent)
            case s.Absent() | s.NotFound() if reason == "processed_before":
                return self._processed_before(None)
            case s.Absent() | s.NotFound() if reason == "conflict":
                return self._conflict()
            case s.Absent() | s.NotFound() if has_sent:
                return self._not_stored()
            case s.Absent() | s.NotFound():
                return Send()
            case s.BadRequest(status, message):
                return self.again("lane", error("factus.unavailable", f"Factus respondió {status}: {message}"), still)
            case s.Unknown(why):
                # Not even a look-up comes through: this is no matter of one document.
                return self.again("account", unavailable(why), still, weather="outage")
            case s.Conflicted(message):
                return self.again("lane", error("factus.conflict", message), still)
            case s.Acknowledged() | s.Done() | s.Replied() | s.FieldsRefused() | s.RulesRefused():
                return self.again("lane", unavailable("respuesta ilegible a la consulta"), still)
            case _:
                return self.nothing_sent(seen, sent=still)

    # -- after a delete --------------------------------------------------------------------------------------------
    def after_delete(self, seen: s.Seen, verdict: tuple[ErrorDetail, ...], *, has_sent: bool) -> Step:
        """
        What follows the removal of our rejected document: gone is gone, else it is looked for and tried again.

        Args:
            has_sent: As :meth:`after_look`.
        """
        match seen:
            case s.Done() | s.Absent() | s.NotFound() | s.DocumentSeen() | s.Acknowledged():
                return self._removed(verdict, has_sent=has_sent)
            case s.Unknown(why):
                return self.again("lane", unavailable(why), "deleting", weather="unclear")
            case s.Conflicted(message) | s.BadRequest(_, message) | s.FieldsRefused(message, _):
                return self.again("lane", error("factus.conflict", message), "deleting")
            case s.RulesRefused() | s.Replied():
                return self.again("lane", error("factus.conflict", "Factus no eliminó el documento"), "deleting")
            case _:
                return self.nothing_sent(seen, sent="deleting")

    # -- after a search for the blocker ----------------------------------------------------------------------------
    def after_blocker(self, seen: s.Seen) -> Again:
        """A foreign document has blocked the family for long: tell a person which."""
        name = ""
        if isinstance(seen, s.DocumentSeen):
            name = f" ({seen.document.reference_code or 'sin referencia'}, {seen.document.number or 'sin número'})"
        reason = error("factus.conflict", f"Un documento ajeno sin validar bloquea la familia en Factus{name}.")
        return self.again("lane", reason, "", block=Block(self.job.family, reason))

    def verdict(self) -> tuple[ErrorDetail, ...]:
        """Why DIAN rejected the document whose removal an earlier attempt began."""
        return verdict_from_json(self.job.verdict)

    # -- parts -----------------------------------------------------------------------------------------------------
    def _document(self, document: DocumentView, *, has_sent: bool) -> Step:
        difference = self._difference(document)
        if difference:
            return self.failed(error("reference.conflict", difference, "reference_code"), number=document.number or "")
        if document.is_validated:
            return self._validated(document)
        if any(remark.is_processed_before for remark in document.remarks):
            return Look("processed_before")
        if any(remark.is_rejection for remark in document.remarks):
            return self._rejected(document.remarks, has_sent=has_sent)
        is_over = self.standing.now_ms >= self.job.deadline_at
        return Send() if not (has_sent or is_over) else self._pending(document.number or "")

    def _difference(self, document: DocumentView) -> str:
        """A repeated reference returns the OLD document, whatever is sent: so what came back is compared."""
        job = self.job
        asked_total = Decimal(job.total) if job.total else None
        total = self.family.total_of(document.raw)
        if asked_total is not None and total is not None and abs(total - asked_total) > TOTAL_TOLERANCE:
            return (
                f"Factus tiene otro documento con este código de referencia: total {total:.2f}, "
                f"se pidió {asked_total:.2f}."
            )
        party = self.family.party_of(document.raw)
        if job.party and party and party != job.party:
            return "Factus tiene otro documento con este código de referencia: es de otra persona."
        return ""

    def _validated(self, document: DocumentView) -> Final:
        family = self.family
        return Final(
            "validated",
            f"{family.noun} {document.number} {family.said('validad')} por la DIAN",
            data=validated_data(self.job, document),
            number=document.number or "",
        )

    def _rejected(self, found: tuple[Remark, ...], *, has_sent: bool) -> Step:
        verdict = rejection_errors(found)
        if self.delete_rejected:
            return Delete(verdict)
        stays = (
            "El documento rechazado sigue en Factus (delete_rejected: false) y bloquea la familia hasta que se elimine."
        )
        block = Block(self.job.family, error("dian.rejected", stays))
        if self._is_of_an_earlier_job(has_sent=has_sent):
            text = (
                "No se envió: el documento rechazado de un intento anterior sigue en Factus y hay que eliminarlo antes."
            )
            return Final("rejected", text, errors=verdict, block=block)
        return self._final_rejected(verdict, block)

    def _removed(self, verdict: tuple[ErrorDetail, ...], *, has_sent: bool) -> Step:
        """
        Our rejected document is gone from Factus; but a DELETE of ours that had no answer may arrive yet.

        It would take whatever bears the reference by then: nothing is issued under it before that is settled.
        """
        waits_s = max(self.removal_waits_ms, 0) / 1000
        if not self._is_of_an_earlier_job(has_sent=has_sent):
            return replace(self._final_rejected(verdict), free_in_s=waits_s)
        if waits_s:
            reason = error("factus.unavailable", "Una eliminación sin respuesta aún puede llegar a Factus.")
            return Again("job", waits_s, reason, "deleting", is_failure=False)
        return Send()

    def _is_of_an_earlier_job(self, *, has_sent: bool) -> bool:
        """What was found cannot be this job's: it has sent nothing that Factus took."""
        return not (has_sent or self.job.attempts)

    def _final_rejected(self, errors: tuple[ErrorDetail, ...], block: Block | None = None) -> Final:
        message = f"{self.family.noun} {self.family.said('rechazad')}: {errors[0].message}"
        return Final("rejected", message, errors=errors, block=block)

    def _final_refused_request(self, seen: s.NotFound | s.BadRequest, message: str) -> Final:
        code = "factus.not_found" if isinstance(seen, s.NotFound) else "factus.validation"
        return self.failed(error(code, message or "Factus no aceptó la solicitud."))

    def _processed_before(self, document: DocumentView | None) -> Step:
        if document and document.is_validated:
            return self._document(document, has_sent=True)
        return self.failed(
            error(
                "dian.processed",
                "La DIAN dice que ya procesó este documento (regla 90) y Factus no lo muestra validado. "
                "No se elimina ni se reenvía: una persona debe revisarlo con Factus.",
                rule="90",
            ),
            number=(document.number or "") if document else "",
        )

    def _pending(self, number: str) -> Again:
        reason = error("dian.pending", "Factus tiene el documento; la DIAN no ha respondido.")
        return self.again("lane", reason, "", pending=True, number=number)

    def _conflict(self) -> Step:
        since_ms = self.standing.conflict_since_ms
        is_long = since_ms and self.standing.now_ms - since_ms >= FOREIGN_PATIENCE_MS
        if is_long and not self.standing.family_blocked_since_ms:
            return FindBlocker()
        return self.again(
            "lane", error("factus.conflict", "Otro documento sin validar bloquea la familia en Factus (409)."), ""
        )

    def _not_stored(self) -> Again:
        lone = self.job.failures + 1 >= LONE_FAILURES
        reason = unavailable("el envío falló y Factus no guardó el documento")
        return self.again("job" if lone else "lane", reason, "unknown")


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
