"""
What can be done with documents that are issued: get, list, download, e-mail, delete, and the RADIAN events of a bill.

The same for every family; the rows of ``families.py`` say where each lives and what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

from jobs.archive_files import fetch_next, files_late, files_of
from jobs.attempt_policy import error, unavailable
from jobs.calls import CallContext, Stop, data_of
from jobs.factus_requests import Request, get
from jobs.families import Family, Kind
from jobs.outcomes import Ending, Finished, Retry
from schemas.contract.event import ErrorDetail
from schemas.factus import DocumentView, instant
from schemas.names import ISSUE, job_type_of
from schemas.records import SendState

ACCEPTED_TACITLY: Final = "034"
REGISTERED_BEFORE: Final = "LGC01"
"""The rule of DIAN with which an event is refused that it has already."""


async def get_document(context: CallContext) -> Ending:
    document = await context.document(is_look_up=False)
    named = (
        document.number or context.payload.get("number") or f"con referencia {context.payload.get('reference_code')}"
    )
    return context.completed(f"{context.family.noun} {named}: datos leídos.", {"factus": dict(document.raw)})


async def email(context: CallContext) -> Ending:
    address = context.payload["email"]
    if context.is_uncertain:
        return context.unknown_outcome("el correo salió")
    number = await context.number()
    body = {name: context.payload[name] for name in ("email", "pdf_base_64_encoded") if name in context.payload}
    request = Request("POST", f"{context.family.show(number)}/send-email", body=body)
    await context.write(request, when_unknown="stop", unknown="el correo salió")
    return context.completed(
        f"{context.family.noun} {number} {context.family.said('enviad')} por correo.", {"sent": True, "email": address}
    )


async def email_content(context: CallContext) -> Ending:
    number = await context.number()
    body = await context.read(get(f"{context.family.show(number)}/email-content"))
    return context.completed(f"{context.family.noun} {number}: contenido del correo leído.", {"factus": data_of(body)})


async def delete(context: CallContext) -> Ending:
    """
    Remove a document that DIAN rejected.

    It is looked at first, whatever the payload hopes: one that waits for DIAN may be valid a moment later, and a valid
    one is a legal document.
    """
    reference = context.payload["reference_code"]
    is_free = await context.acquire_removal_lock(reference)
    if retry := _until_the_last_delete_is_settled(context):
        return retry
    found = await context.find()
    if found is None:
        # Ours may have been the delete whose answer was lost: gone is what was asked for.
        return _deleted(context, reference) if context.is_uncertain else context.not_found()
    refusal = _why_kept(context.family, found)
    if refusal is None and not is_free:
        # A document of that reference may wait for DIAN before our delete arrives.
        refusal = _kept(
            "Un trabajo emite ahora este documento: si la DIAN lo rechaza, él mismo lo elimina.", for_now=True
        )
    if refusal:
        return context.policy.failed(refusal)
    await context.write(Request("DELETE", context.family.delete_of(reference)), when_unknown="look")
    # Its number is used up, or given again: whoever closes the day asks this job.
    return replace(_deleted(context, reference), number=found.number or "")


def _until_the_last_delete_is_settled(context: CallContext) -> Retry | None:
    """
    Not before a DELETE without an answer has taken effect, or never will, may this job send another or end.

    With its end the reference is free: what arrives late would take the document that is issued under it then.
    """
    waits_ms = context.policy.removal_waits_ms
    if waits_ms <= 0:
        return None
    reason = error("factus.unavailable", "La eliminación no tuvo respuesta y aún puede llegar a Factus.")
    return Retry("job", waits_ms / 1000, reason, SendState.UNKNOWN, is_failure=False)


def delete_late(context: CallContext, late: Finished) -> Ending:
    """The end of a removal whose time is up; not before its last DELETE is settled."""
    return _until_the_last_delete_is_settled(context) or late


def _why_kept(family: Family, document: DocumentView) -> ErrorDetail | None:
    if document.is_validated:
        undo = f" Para anularlo: {job_type_of(family.undone_by, ISSUE)}." if family.undone_by else ""
        return _kept(f"El documento está validado por la DIAN: no se elimina.{undo}")
    if any(remark.is_processed_before for remark in document.remarks):
        return _kept("La DIAN dice que ya procesó este documento (regla 90): no se elimina; revíselo con Factus.")
    if not any(remark.is_rejection for remark in document.remarks):
        text = "El documento espera respuesta de la DIAN: no se elimina. Vuelva a pedirlo si la DIAN lo rechaza."
        return _kept(text, for_now=True)
    return None


def _kept(text: str, *, for_now: bool = False) -> ErrorDetail:
    return error("factus.conflict", text, "reference_code", retryable=for_now)


def _deleted(context: CallContext, reference: str) -> Finished:
    return context.completed(
        f"Documento {reference} eliminado en Factus.", {"deleted": True, "reference_code": reference}
    )


async def events(context: CallContext) -> Ending:
    number = await context.number()
    rows = await radian_rows(context, number)
    return context.completed(f"Factura {number}, eventos RADIAN: {len(rows)}.", {"number": number, "events": rows})


async def radian_rows(context: CallContext, number: str, *, is_look_up: bool = False) -> list[dict[str, Any]]:
    """The RADIAN events of a bill, as Factus lists them; each once, and nothing that is none."""
    body = await context.read(get(f"{context.family.show(number)}/radian/events"), is_look_up=is_look_up)
    return events_of_answer(body)


def events_of_answer(body: Any) -> list[dict[str, Any]]:
    """The RADIAN events in an answer."""
    rows = body.get("data") if isinstance(body, dict) else None
    found: dict[str, dict[str, Any]] = {}
    for row in rows if isinstance(rows, list) else ():
        if _is_radian_event(row):
            found.setdefault(radian_key(row), row)
    return [*found.values()]


def radian_key(row: Mapping[str, Any]) -> str:
    """What tells a RADIAN event from the others of its bill."""
    return str(row.get("cude") or f"{row.get('event_code')}/{row.get('number')}")


def _is_radian_event(row: Any) -> bool:
    code = row.get("event_code") if isinstance(row, dict) else None
    return isinstance(code, str) and bool(code.strip())


async def accept(context: CallContext) -> Ending:
    """
    Emit 034, the tacit acceptance.

    After an unknown outcome, and where DIAN says that it has the event already, the bill's events say whether it has.
    """
    number = context.payload["number"]
    if context.is_uncertain and (known := await _acceptance(context, number)):
        return _accepted(context, number, known)
    person = {name: value for name, value in context.payload.items() if name != "number"}
    path = f"{context.family.show(number)}/radian/events/{ACCEPTED_TACITLY}"
    try:
        body = await context.write(Request("POST", path, body=person), when_unknown="look")
    except Stop as stop:
        if not _is_registered_before(stop.ending) or not (known := await _acceptance(context, number)):
            raise
        return _accepted(context, number, known)
    return _accepted(context, number, body.get("data"))


async def _acceptance(context: CallContext, number: str) -> dict[str, Any] | None:
    """The tacit acceptance among the events of a bill; None where it is not there."""
    rows = await radian_rows(context, number, is_look_up=True)
    return next((row for row in rows if row.get("event_code") == ACCEPTED_TACITLY), None)


def _is_registered_before(ending: Ending) -> bool:
    errors = ending.errors if isinstance(ending, Finished) else ()
    return any(one.rule == REGISTERED_BEFORE or REGISTERED_BEFORE in one.message for one in errors)


def _accepted(context: CallContext, number: str, factus: Any) -> Finished:
    return context.completed(f"Factura {number}: aceptación tácita (034) registrada.", {"factus": factus})


async def download(context: CallContext) -> Ending:
    """One file a turn; the first turn also finds out the document's number and day, by which files are named."""
    progress = context.progress or await _start_download(context)
    return await fetch_next(context, files_of(progress, _wanted(context)))


def download_late(context: CallContext, late: Finished) -> Finished:
    """How a download ends when its time is up. Nothing has been asked of a document that was not validated yet."""
    return files_late(context, files_of(context.progress, _wanted(context)), late) if context.progress else late


def _wanted(context: CallContext) -> list[Kind]:
    return context.payload.get("kinds") or list(context.family.kinds)


async def _start_download(context: CallContext) -> dict[str, Any]:
    document = await context.document()
    instead = _why_not_stored(context, document)
    if instead:
        raise Stop(instead)
    if not document.number:
        raise Stop(context.not_found())
    return {"number": document.number, "day": day_of(document.raw), "documents": []}


def _why_not_stored(context: CallContext, document: DocumentView) -> Ending | None:
    """
    What happens instead, when DIAN has not validated the document.

    Its files are drafts: what DIAN answers changes them, and the archive keeps for ever what it is given first.
    """
    if document.is_validated:
        return None
    if document.raw.get("is_validated") is not False:
        return context.policy.retry("job", unavailable("no dice si la DIAN validó el documento"), SendState.NOTHING)
    if any(remark.is_processed_before for remark in document.remarks):
        return _no_files(
            context,
            "La DIAN dice que ya procesó este documento (regla 90) y Factus no lo muestra validado: no hay archivos "
            "que guardar. Revíselo con Factus.",
        )
    if any(remark.is_rejection for remark in document.remarks):
        return _no_files(
            context,
            "La DIAN rechazó el documento: no hay archivos que guardar. Corríjalo, emítalo otra vez y pida entonces "
            "sus archivos.",
        )
    text = "La DIAN no ha respondido: el documento no tiene todavía archivos definitivos que guardar."
    return context.policy.retry("job", error("dian.pending", text), SendState.NOTHING)


def _no_files(context: CallContext, text: str) -> Finished:
    field = "number" if context.payload.get("number") else "reference_code"
    return context.policy.failed(ErrorDetail(code="factus.conflict", message=text, field=field))


def day_of(raw: Mapping[str, Any]) -> str:
    """
    The day of a document in Bogotá (YYYY-MM-DD), by which its files are named.

    Where Factus has said no date that can be read it is the first of all days: the same each time it is asked.
    """
    told = instant(raw.get("created_at")) or instant(raw.get("validated_at"))
    return told[:10] if told else date.min.isoformat()
