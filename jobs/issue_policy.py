"""
What was seen -> what follows. Pure; the tables of docs/lifecycle.md as code.

The order of the checks is the safety of the service: *is it ours* before *is it validated*, *processed before* before
*rejected*, and nothing is ever deleted but a document of ours that DIAN rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

from jobs import answers
from jobs.attempt_policy import AttemptPolicy, answered, error, field_errors, unavailable
from jobs.events import validated_data
from jobs.families import FAMILIES, Family
from jobs.outcomes import Block, Finished, Retry, Sent
from jobs.ports import Known
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.factus import DocumentView, Remark
from schemas.records import SendState

TOTAL_TOLERANCE: Final = Decimal("1.00")
"""Pesos by which Factus's total may differ from ours: its rounding is not published (business rule SUM-008)."""

LookUpReason = Literal["unknown", "unnamed", "deleting", "processed_before", "conflict"]
"""``unnamed``: Factus refused it and named neither field nor rule. DIAN may have rejected it, and then it is stored."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the document, or the same bytes again: as far as is known Factus has none, or it waits for DIAN."""


@dataclass(frozen=True, slots=True)
class Resend:
    """
    Send the same bytes again to ask for a document that a look has just shown, and of which DIAN says nothing yet. It
    keeps the date of its first sending, whatever the day is.
    """


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look the document up by its reference code. ``why`` is what was seen that makes it necessary, for a person."""

    reason: LookUpReason
    why: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove our document that DIAN rejected, so that it blocks nothing."""

    verdict: tuple[ErrorDetail, ...]
    number: str = ""


@dataclass(frozen=True, slots=True)
class FindBlocker:
    """Find out which document bars the family: ours is mended, of another's a person has to be told."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the document of another job of ours that DIAN rejected: it bars the family."""

    reference_code: str


Step = Send | Resend | LookUp | Delete | FindBlocker | Remove | Finished | Retry


@dataclass(frozen=True, slots=True)
class IssuePolicy(AttemptPolicy):
    """The decisions for one job that issues a document, any family."""

    delete_rejected: bool = True
    environment: str = "local"
    """Which Factus the account's is: ``production``, ``sandbox`` or ``local``."""
    lane_width: int = 1
    """How many creates of the family may be under way at once."""

    @property
    def family(self) -> Family:
        return FAMILIES[self.job.family]

    # -- before anything -------------------------------------------------------------------------------------------
    def waits_for_removal(self) -> Retry:
        """A job of ours deletes what bears this reference at Factus: a document issued now could be taken by it."""
        sent: Sent = SendState.DELETING if self.job.is_being_removed else SendState.UNKNOWN
        return self.turn_of_another("Otro trabajo elimina en Factus lo que tiene esta referencia.", sent)

    def time_is_up(self, reason: ErrorDetail | None = None) -> Finished:
        """As any job's; but a rejected document that could not be removed ends as ``dian.rejected``, with the rules."""
        if not (self.job.is_being_removed and self.job.verdict):
            return AttemptPolicy.time_is_up(self, reason)
        stays = error("dian.rejected", "El documento rechazado no se pudo eliminar en Factus: bloquea la familia.")
        ended = self._final_rejected(self.verdict(), Block(self.job.family, stays))
        return replace(ended, free_in_s=max(self.removal_waits_ms, 0) / 1000)

    # -- after our create ------------------------------------------------------------------------------------------
    def after_create(self, seen: answers.Answer, *, is_there: bool = False) -> Step:
        """
        What follows the answer to our create.

        Args:
            is_there: Whether a look has shown the document just before.
        """
        match seen:
            case answers.DocumentSeen(document):
                return self._document(document, has_sent=True)
            case answers.Acknowledged():
                return self._pending("")
            case answers.FieldsRefused(message, ()):
                return LookUp("unnamed", message)
            case answers.FieldsRefused(message, found):
                return self._final_rejected(field_errors(message, found))
            case answers.RulesRefused(found) if any(remark.is_processed_before for remark in found):
                return LookUp("processed_before")
            case answers.RulesRefused(found) if any(remark.is_rejection for remark in found):
                return self._rejected(found, seen.number or self.job.number, has_sent=True)
            case answers.RulesRefused(_, message):
                return LookUp("unknown", answered(422, message))
            case answers.Unknown(reason):
                return LookUp("unknown", reason)
            case answers.Conflicted():
                return LookUp("conflict")
            case answers.NotFound(message, status) | answers.BadRequest(status, message):
                code = "factus.not_found" if isinstance(seen, answers.NotFound) else "factus.validation"
                return self.failed(error(code, answered(status, message)))
            case answers.Absent() | answers.Done() | answers.Replied():
                return LookUp("unknown")
            case _:
                return self.call_not_accepted(seen, sent=SendState.UNKNOWN if is_there else SendState.NOTHING)

    # -- after a look-up -------------------------------------------------------------------------------------------
    def after_look_up(
        self, seen: answers.Answer, reason: LookUpReason, *, has_sent: bool, why: str = "", is_beside: bool = False
    ) -> Step:
        """
        What follows a look-up by reference code.

        Args:
            why: What made it necessary (:class:`LookUp`).
            has_sent: Whether this very attempt sent the document before it looked.
            is_beside: Whether another create of the lane was under way when Factus answered 409.
        """
        still: Sent = SendState.DELETING if reason == "deleting" else SendState.UNKNOWN
        match seen:
            case answers.DocumentSeen(document) if reason == "processed_before":
                return self._processed_before(document)
            case answers.DocumentSeen(document):
                return self._document(document, has_sent=has_sent)
            case answers.Absent() | answers.NotFound() if reason == "deleting":
                return self._removed(self.verdict(), has_sent=has_sent)
            case answers.Absent() | answers.NotFound() if reason == "processed_before":
                return self._processed_before(None)
            case answers.Absent() | answers.NotFound() if reason == "conflict":
                return self._narrow() if is_beside else self._conflict()
            case answers.Absent() | answers.NotFound() if reason == "unnamed":
                return self._final_rejected(field_errors(answered(422, why).rstrip("."), ()))
            case answers.Absent() | answers.NotFound() if has_sent:
                return self._not_stored(why)
            case answers.Absent() | answers.NotFound():
                return Send()
            case answers.BadRequest(status, message):
                return self.retry("lane", error("factus.unavailable", answered(status, message)), still)
            case answers.Unknown(why):
                # Not even a look-up comes through: this is no matter of one document.
                return self.hold_in_steps(None, still, unavailable(why))
            case answers.Conflicted(message):
                return self.retry("lane", error("factus.conflict", message), still)
            case (
                answers.Acknowledged()
                | answers.Done()
                | answers.Replied()
                | answers.FieldsRefused()
                | answers.RulesRefused()
            ):
                return self.retry("lane", unavailable("respuesta ilegible a la consulta"), still)
            case _:
                return self.call_not_accepted(seen, sent=still)

    def before_delete(self, seen: answers.Answer, verdict: tuple[ErrorDetail, ...], *, has_sent: bool) -> Step:
        """
        What follows a look at the rejected document whose number no answer has told: its removal, with the number.

        Whatever keeps us from seeing it keeps nothing from being removed: then nobody tells the number.
        """
        match seen:
            case answers.DocumentSeen(document) if document.is_validated or self._difference(document):
                return self._document(document, has_sent=has_sent)
            case answers.DocumentSeen(document):
                return Delete(verdict, document.number or self.job.number)
            case _:
                return Delete(verdict, self.job.number)

    # -- after a delete --------------------------------------------------------------------------------------------
    def after_delete(
        self, seen: answers.Answer, verdict: tuple[ErrorDetail, ...], *, has_sent: bool, number: str = ""
    ) -> Step:
        """
        What follows the removal of our rejected document: gone is gone, else it is looked for and tried again.

        Args:
            has_sent: As :meth:`after_look_up`.
            number: The document's, where it had one.
        """
        match seen:
            case (
                answers.Done() | answers.Absent() | answers.NotFound() | answers.DocumentSeen() | answers.Acknowledged()
            ):
                return self._removed(verdict, has_sent=has_sent, number=number)
            case answers.Unknown(why):
                return self.retry("lane", unavailable(why), SendState.DELETING, health="unknown")
            case (
                answers.Conflicted(message, status)
                | answers.BadRequest(status, message)
                | answers.FieldsRefused(message, _, status)
            ):
                return self.retry("lane", error("factus.conflict", answered(status, message)), SendState.DELETING)
            case answers.RulesRefused() | answers.Replied():
                stays = error("factus.conflict", "Factus no eliminó el documento")
                return self.retry("lane", stays, SendState.DELETING)
            case _:
                return self.call_not_accepted(seen, sent=SendState.DELETING)

    # -- after a search for the blocker ----------------------------------------------------------------------------
    def after_blocker(self, seen: answers.Answer, known: Known | None) -> Step:
        """
        What follows the search for what bars the family.

        Args:
            known: What the ledger knows of that document; None when it is not ours, or no document was named.
        """
        if known and isinstance(seen, (answers.Absent, answers.NotFound)):
            return Retry("lane", self.backoff.base_s, error("factus.conflict", "La familia ya no está bloqueada."))
        if known is None or not isinstance(seen, answers.DocumentSeen):
            return self._barred(seen)
        if known.is_open:
            # It has a job of its own, which stands before this one in the lane, or behind it: it settles it itself.
            return self._barred(
                seen, "Otro documento de este servicio, sin validar, bloquea la familia en Factus (409)"
            )
        return self._blocker(seen.document, known)

    def after_removal(self, seen: answers.Answer, reference_code: str) -> Retry:
        """What follows the removal of what barred the family; whatever came of it, the next attempt sees."""
        match seen:
            case answers.Done() | answers.Absent() | answers.NotFound():
                text = f"Se eliminó en Factus el documento rechazado {reference_code}, que bloqueaba la familia."
                return Retry("lane", self.backoff.base_s, error("factus.conflict", text))
            case answers.Unknown(why):
                return self.retry("lane", unavailable(why), SendState.NOTHING, health="unknown")
            case (
                answers.Conflicted()
                | answers.BadRequest()
                | answers.FieldsRefused()
                | answers.RulesRefused()
                | answers.Replied()
            ):
                text = f"Factus no eliminó el documento rechazado {reference_code}, que bloquea la familia."
                return self.retry("lane", error("factus.conflict", text), SendState.NOTHING)
            case answers.DocumentSeen() | answers.Acknowledged():
                return self.retry("lane", unavailable("respuesta ilegible a la eliminación"), SendState.NOTHING)
            case _:
                return self._open(self.call_not_accepted(seen, sent=SendState.NOTHING))

    def being_mended(self) -> Retry:
        """Somebody else issues or removes what bars the family."""
        text = "El documento que bloquea la familia en Factus se está corrigiendo."
        return self.retry("lane", error("factus.conflict", text), SendState.NOTHING)

    def _blocker(self, document: DocumentView, known: Known) -> Step:
        """A document of ours bars the family, and its job is over, whatever that ended as."""
        reference = document.reference_code or ""
        if document.is_validated:
            return Retry("lane", self.backoff.base_s, error("factus.conflict", "La familia ya no está bloqueada."))
        is_processed = any(remark.is_processed_before for remark in document.remarks)
        if is_processed or not any(remark.is_rejection for remark in document.remarks):
            text = "Un documento de este servicio espera la respuesta de la DIAN y bloquea la familia en Factus"
            return self._barred(answers.DocumentSeen(document), text)
        if not known.deletes_rejected:
            text = "Un documento rechazado que se dejó en Factus (delete_rejected: false) bloquea la familia"
            return self._barred(answers.DocumentSeen(document), text)
        return Remove(reference)

    def _barred(
        self, seen: answers.Answer, text: str = "Un documento ajeno sin validar bloquea la familia en Factus"
    ) -> Step:
        """Nothing that we may touch bars the family: wait, and when it has lasted tell a person which it is."""
        match seen:
            case answers.DocumentSeen(document):
                name = f" ({document.reference_code or 'sin referencia'}, {document.number or 'sin número'})"
            case (
                answers.NoToken()
                | answers.Misrouted()
                | answers.CredentialsRefused()
                | answers.PaymentRequired()
                | answers.Denied()
                | answers.Throttled()
            ):
                return self._open(self.call_not_accepted(seen, sent=SendState.NOTHING))
            case answers.NoPermit() | answers.NotSent() | answers.TooLate():
                return self._open(self.call_not_accepted(seen, sent=SendState.NOTHING))
            case _:
                name = ""
        reason = error("factus.conflict", f"{text}{name}.")
        since_ms = self.standing.conflict_since_ms
        is_long = bool(since_ms) and self.standing.now_ms - since_ms >= self.patience.foreign_ms
        is_news = is_long and not self.standing.family_blocked_since_ms
        return self.retry("lane", reason, SendState.NOTHING, block=Block(self.job.family, reason) if is_news else None)

    def _open(self, ending: Finished | Retry) -> Retry:
        """While the family is barred nothing ends by what kept us from asking why."""
        if isinstance(ending, Retry):
            return ending
        reason = error("factus.conflict", "No se supo qué bloquea la familia en Factus (409).")
        return self.retry("lane", reason, SendState.NOTHING)

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
            return LookUp("processed_before")
        if any(remark.is_rejection for remark in document.remarks):
            return self._rejected(document.remarks, document.number or "", has_sent=has_sent)
        is_over = self.standing.now_ms >= self.job.deadline_at
        return Resend() if not (has_sent or is_over) else self._pending(document.number or "")

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

    def _validated(self, document: DocumentView) -> Finished:
        family, data = self.family, validated_data(self.job, document, self.environment)
        named = data["number"] or f"con referencia {data['reference_code']}"
        return Finished(
            "validated",
            f"{family.noun} {named} {family.said('validad')} por la DIAN",
            data=data,
            number=data["number"] or "",
        )

    def _rejected(self, found: tuple[Remark, ...], number: str, *, has_sent: bool) -> Step:
        verdict = rejection_errors(found)
        if self.delete_rejected:
            return Delete(verdict, number)
        stays = (
            "El documento rechazado sigue en Factus (delete_rejected: false) y bloquea la familia hasta que se elimine."
        )
        block = Block(self.job.family, error("dian.rejected", stays))
        if self._is_of_an_earlier_job(has_sent=has_sent):
            text = (
                "No se envió: el documento rechazado de un intento anterior sigue en Factus y hay que eliminarlo antes."
            )
            return Finished("rejected", text, errors=verdict, block=block)
        return self._final_rejected(verdict, block, number)

    def _removed(self, verdict: tuple[ErrorDetail, ...], *, has_sent: bool, number: str = "") -> Step:
        """
        Our rejected document is gone from Factus; but a DELETE of ours that had no answer may arrive yet.

        It would take whatever bears the reference by then: nothing is issued under it before that is settled.
        """
        waits_s = max(self.removal_waits_ms, 0) / 1000
        if not self._is_of_an_earlier_job(has_sent=has_sent):
            return replace(self._final_rejected(verdict, number=number), free_in_s=waits_s)
        if waits_s:
            reason = error("factus.unavailable", "Una eliminación sin respuesta aún puede llegar a Factus.")
            return Retry("job", waits_s, reason, SendState.DELETING, is_failure=False)
        return Send()

    def _is_of_an_earlier_job(self, *, has_sent: bool) -> bool:
        """What was found cannot be this job's: it has sent nothing that Factus took."""
        return not (has_sent or self.job.attempts)

    def _final_rejected(
        self, errors: tuple[ErrorDetail, ...], block: Block | None = None, number: str = ""
    ) -> Finished:
        message = f"{self.family.noun} {self.family.said('rechazad')}: {errors[0].message}"
        number = number or self.job.number
        data = {"number": number} if number else None
        return Finished("rejected", message, data=data, errors=errors, number=number, block=block)

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

    def _pending(self, number: str) -> Retry:
        reason = error("dian.pending", "Factus tiene el documento; la DIAN no ha respondido.")
        return self.retry("lane", reason, SendState.NOTHING, pending=True, number=number)

    def _narrow(self) -> Retry:
        """Factus takes one create of the family at a time: ours waits for the other one, and neither has failed."""
        reason = error("factus.conflict", "Factus recibe de a un documento de esta familia (409): espera al otro.")
        return Retry("lane", 0.0, reason, is_failure=False, narrows=True)

    def _conflict(self) -> Step:
        # The first time it may be a create of ours that is still under way: it passes by itself.
        if self.standing.conflict_since_ms:
            return FindBlocker()
        reason = error("factus.conflict", "Otro documento sin validar bloquea la familia en Factus (409).")
        return self.retry("lane", reason, SendState.NOTHING)

    def _not_stored(self, why: str) -> Retry:
        lone = self.job.failures + 1 >= self.patience.lone_failures
        why_text = f" ({why})" if why else ""
        reason = unavailable(f"el envío falló y Factus no guardó el documento{why_text}")
        return self.retry("job" if lone else "lane", reason, SendState.UNKNOWN)


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
