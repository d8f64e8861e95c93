"""
What can be done with documents that are issued: get, list, download, e-mail, delete, and the RADIAN events of a bill.

The same for every family; the rows of ``families.py`` say where each lives and what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from jobs.calls import Desk, Stop, data_of
from jobs.deciding import error, unavailable
from jobs.families import Family, Kind
from jobs.fetching import fetch_next, files_late, files_of
from jobs.outcomes import Ending, Finished, Retry
from jobs.requests import Request, get
from schemas.contract.event import ErrorDetail
from schemas.factus import DocumentView, instant

ACCEPTED_TACITLY: Final = "034"


async def get_document(desk: Desk) -> Ending:
    document = await desk.document(is_look_up=False)
    named = document.number or desk.payload.get("number") or f"con referencia {desk.payload.get('reference_code')}"
    return desk.completed(f"{desk.family.noun} {named}: datos leídos.", {"factus": dict(document.raw)})


async def email(desk: Desk) -> Ending:
    address = desk.payload["email"]
    if desk.is_uncertain:
        return desk.unknown_outcome("el correo salió")
    number = await desk.number()
    body = {name: desk.payload[name] for name in ("email", "pdf_base_64_encoded") if name in desk.payload}
    request = Request("POST", f"{desk.family.show(number)}/send-email", body=body)
    await desk.write(request, when_unknown="stop", unknown="el correo salió")
    return desk.completed(
        f"{desk.family.noun} {number} {desk.family.said('enviad')} por correo.", {"sent": True, "email": address}
    )


async def email_content(desk: Desk) -> Ending:
    number = await desk.number()
    body = await desk.read(get(f"{desk.family.show(number)}/email-content"))
    return desk.completed(f"{desk.family.noun} {number}: contenido del correo leído.", {"factus": data_of(body)})


async def delete(desk: Desk) -> Ending:
    """
    Remove a document that DIAN rejected.

    It is looked at first, whatever the payload hopes: one that waits for DIAN may be valid a moment later, and a valid
    one is a legal document.
    """
    reference = desk.payload["reference_code"]
    is_free = await desk.turn_to_remove(reference)
    found = await desk.find()
    if found is None:
        _wait_for_the_last_delete(desk)
        # Ours may have been the delete whose answer was lost: gone is what was asked for.
        return _deleted(desk, reference) if desk.is_uncertain else desk.not_found()
    refusal = _why_kept(desk.family, found)
    if refusal is None and not is_free:
        # A document of that reference may wait for DIAN before our delete arrives.
        refusal = _kept(
            "Un trabajo emite ahora este documento: si la DIAN lo rechaza, él mismo lo elimina.", for_now=True
        )
    if refusal:
        return desk.decide.failed(refusal)
    _wait_for_the_last_delete(desk)
    await desk.write(Request("DELETE", desk.family.delete_of(reference)), when_unknown="look")
    return _deleted(desk, reference)


def _wait_for_the_last_delete(desk: Desk) -> None:
    """
    Not before a DELETE without an answer has taken effect, or never will, may this job send another or end.

    With its end the reference is free: what arrives late would take the document that is issued under it then.
    """
    waits_ms = desk.decide.removal_waits_ms
    if waits_ms > 0:
        reason = error("factus.unavailable", "La eliminación no tuvo respuesta y aún puede llegar a Factus.")
        raise Stop(Retry("job", waits_ms / 1000, reason, "unknown", is_failure=False))


def _why_kept(family: Family, document: DocumentView) -> ErrorDetail | None:
    if document.is_validated:
        undo = f" Para anularlo: {family.undone_by}.issue." if family.undone_by else ""
        return _kept(f"El documento está validado por la DIAN: no se elimina.{undo}")
    if any(remark.is_processed_before for remark in document.remarks):
        return _kept("La DIAN dice que ya procesó este documento (regla 90): no se elimina; revíselo con Factus.")
    if not any(remark.is_rejection for remark in document.remarks):
        text = "El documento espera respuesta de la DIAN: no se elimina. Vuelva a pedirlo si la DIAN lo rechaza."
        return _kept(text, for_now=True)
    return None


def _kept(text: str, *, for_now: bool = False) -> ErrorDetail:
    return error("factus.conflict", text, "reference_code", retryable=for_now)


def _deleted(desk: Desk, reference: str) -> Finished:
    return desk.completed(f"Documento {reference} eliminado en Factus.", {"deleted": True, "reference_code": reference})


async def events(desk: Desk) -> Ending:
    number = await desk.number()
    rows = await radian_rows(desk, number)
    return desk.completed(f"Factura {number}, eventos RADIAN: {len(rows)}.", {"number": number, "events": rows})


async def radian_rows(desk: Desk, number: str, *, is_look_up: bool = False) -> list[dict[str, Any]]:
    """The RADIAN events of a bill, as Factus lists them; each once, and nothing that is none."""
    body = await desk.read(get(f"{desk.family.show(number)}/radian/events"), is_look_up=is_look_up)
    rows = body.get("data")
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


async def accept(desk: Desk) -> Ending:
    """Emit 034, the tacit acceptance. After an unknown outcome the bill's events say whether it is there."""
    number = desk.payload["number"]
    if desk.is_uncertain:
        rows = await radian_rows(desk, number, is_look_up=True)
        known = next((row for row in rows if row.get("event_code") == ACCEPTED_TACITLY), None)
        if known:
            return _accepted(desk, number, known)
    person = {name: value for name, value in desk.payload.items() if name != "number"}
    path = f"{desk.family.show(number)}/radian/events/{ACCEPTED_TACITLY}"
    body = await desk.write(Request("POST", path, body=person), when_unknown="look")
    return _accepted(desk, number, body.get("data"))


def _accepted(desk: Desk, number: str, factus: Any) -> Finished:
    return desk.completed(f"Factura {number}: aceptación tácita (034) registrada.", {"factus": factus})


async def download(desk: Desk) -> Ending:
    """One file a turn; the first turn also finds out the document's number and day, by which files are named."""
    progress = desk.progress or await _start_download(desk)
    return await fetch_next(desk, files_of(progress, _wanted(desk)))


def download_late(desk: Desk, late: Finished) -> Finished:
    """How a download ends when its time is up. Nothing has been asked of a document that was not validated yet."""
    return files_late(desk, files_of(desk.progress, _wanted(desk)), late) if desk.progress else late


def _wanted(desk: Desk) -> list[Kind]:
    return desk.payload.get("kinds") or list(desk.family.kinds)


async def _start_download(desk: Desk) -> dict[str, Any]:
    document = await desk.document()
    instead = _why_not_stored(desk, document)
    if instead:
        raise Stop(instead)
    if not document.number:
        raise Stop(desk.not_found())
    return {"number": document.number, "day": day_of(document.raw), "documents": []}


def _why_not_stored(desk: Desk, document: DocumentView) -> Ending | None:
    """
    What happens instead, when DIAN has not validated the document.

    Its files are drafts: what DIAN answers changes them, and the archive keeps for ever what it is given first.
    """
    if document.is_validated:
        return None
    if document.raw.get("is_validated") is not False:
        return desk.decide.again("job", unavailable("no dice si la DIAN validó el documento"), "")
    if any(remark.is_processed_before for remark in document.remarks):
        return _no_files(
            desk,
            "La DIAN dice que ya procesó este documento (regla 90) y Factus no lo muestra validado: no hay archivos "
            "que guardar. Revíselo con Factus.",
        )
    if any(remark.is_rejection for remark in document.remarks):
        return _no_files(
            desk,
            "La DIAN rechazó el documento: no hay archivos que guardar. Corríjalo, emítalo otra vez y pida entonces "
            "sus archivos.",
        )
    text = "La DIAN no ha respondido: el documento no tiene todavía archivos definitivos que guardar."
    return desk.decide.again("job", error("dian.pending", text), "")


def _no_files(desk: Desk, text: str) -> Finished:
    field = "number" if desk.payload.get("number") else "reference_code"
    return desk.decide.failed(ErrorDetail(code="factus.conflict", message=text, field=field))


def day_of(raw: Mapping[str, Any]) -> str:
    """
    The day of a document in Bogotá (YYYY-MM-DD), by which its files are named.

    Where Factus has said no date that can be read it is the first of all days: the same each time it is asked.
    """
    told = instant(raw.get("created_at")) or instant(raw.get("validated_at"))
    return told[:10] if told else date.min.isoformat()
