"""
What can be done with documents that are issued: get, list, download, e-mail, delete, and the RADIAN events of a bill.

The same for every family; the rows of ``families.py`` say where each lives and what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from jobs import seen as s
from jobs.archiving import ARCHIVE_KINDS, archive_name, decode_file
from jobs.calls import Desk, Stop, data_of
from jobs.errors import ArchiveConflict, ArchiveUnavailable
from jobs.families import Kind
from jobs.outcomes import Again, Ending
from jobs.outcomes import Final as Done
from jobs.requests import Request, get
from schemas.event import ErrorDetail
from schemas.factus import DocumentView, instant

ACCEPTED_TACITLY: Final = "034"


async def get_document(desk: Desk) -> Ending:
    document = await desk.document(is_look_up=False)
    return desk.completed(f"{desk.family.noun} {document.number}: datos leídos.", {"factus": dict(document.raw)})


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
    found = await desk.find()
    reference = desk.payload["reference_code"]
    if found is None:
        # Ours may have been the delete whose answer was lost: gone is what was asked for.
        return _deleted(desk, reference) if desk.is_uncertain else desk.not_found()
    refusal = _why_kept(found)
    if not refusal and await desk.is_being_issued(reference):
        # A document of that reference may wait for DIAN before our delete arrives.
        refusal = "Un trabajo abierto emite este documento: si la DIAN lo rechaza, él mismo lo elimina."
    if refusal:
        return desk.decide.failed(ErrorDetail(code="factus.conflict", message=refusal, field="reference_code"))
    await desk.write(Request("DELETE", desk.family.delete_of(reference)), when_unknown="look")
    return _deleted(desk, reference)


def _why_kept(document: DocumentView) -> str:
    if document.is_validated:
        return "El documento está validado por la DIAN: no se elimina. Para anularlo, emita una nota."
    if any(remark.is_processed_before for remark in document.remarks):
        return "La DIAN dice que ya procesó este documento (regla 90): no se elimina; revíselo con Factus."
    if not any(remark.is_rejection for remark in document.remarks):
        return "El documento espera respuesta de la DIAN: no se elimina. Vuelva a pedirlo si la DIAN lo rechaza."
    return ""


def _deleted(desk: Desk, reference: str) -> Done:
    return desk.completed(f"Documento {reference} eliminado en Factus.", {"deleted": True, "reference_code": reference})


async def events(desk: Desk) -> Ending:
    number = await desk.number()
    rows = await radian_rows(desk, number)
    return desk.completed(f"Factura {number}, eventos RADIAN: {len(rows)}.", {"number": number, "events": rows})


async def radian_rows(desk: Desk, number: str, *, is_look_up: bool = False) -> list[dict[str, Any]]:
    """The RADIAN events of a bill, as Factus lists them."""
    body = await desk.read(get(f"{desk.family.show(number)}/radian/events"), is_look_up=is_look_up)
    rows = body.get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


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


def _accepted(desk: Desk, number: str, factus: Any) -> Done:
    return desk.completed(f"Factura {number}: aceptación tácita (034) registrada.", {"factus": factus})


async def download(desk: Desk) -> Ending:
    """One file a turn; the first turn also finds out the document's number and day, by which files are named."""
    progress = desk.progress or await _start_download(desk)
    return await fetch_next(desk, progress, desk.payload.get("kinds") or list(desk.family.kinds))


async def _start_download(desk: Desk) -> dict[str, Any]:
    document = await desk.document()
    if not document.number:
        raise Stop(desk.not_found())
    return {"number": document.number, "day": day_of(document.raw), "documents": []}


async def fetch_next(desk: Desk, progress: Mapping[str, Any], kinds: list[Kind]) -> Ending:
    """Download the first file that is not archived yet, and archive it."""
    documents, conflicts = list(progress["documents"]), dict(progress.get("conflicts", {}))
    have = {row["kind"] for row in documents}
    left = [kind for kind in dict.fromkeys(kinds) if kind not in have and kind not in conflicts]
    if left:
        try:
            documents.append(await _archive(desk, progress, left[0]))
        except ArchiveConflict as exc:
            conflicts[left[0]] = exc.held.uri  # the others are archived all the same
    if len(left) > 1:
        so_far = {**progress, "documents": documents, "conflicts": conflicts}
        return desk.more(so_far, "Faltaban archivos por descargar")
    if conflicts:
        errors = tuple(_conflict(kind, uri) for kind, uri in conflicts.items())
        return Done("failed", errors[0].message, errors=errors)
    number = progress["number"]
    message = f"{desk.family.noun} {number}, archivos guardados: {len(documents)}."
    return desk.completed(message, {"number": number, "documents": documents})


async def _archive(desk: Desk, progress: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    content = decode_file(await desk.read(get(desk.family.download(progress["number"], kind))))
    if content is None:
        raise Stop(desk.decide.after_call(s.Done()))
    day = date.fromisoformat(progress["day"])
    name = archive_name(desk.decide.job.account, day, desk.decide.job.family, progress["number"], kind)
    try:
        stored = await desk.archive.put(name, content, content_type=ARCHIVE_KINDS[kind])
    except ArchiveUnavailable as exc:
        raise Stop(_storage_failed(desk, exc)) from None
    return {"kind": kind, "uri": stored.uri, "sha256": stored.sha256, "bytes": stored.bytes}


def _conflict(kind: str, uri: str) -> ErrorDetail:
    text = f"Ya hay otro contenido guardado en {uri} ({kind}) y nada se reemplaza. Revise cuál es el bueno."
    return ErrorDetail(code="archive.conflict", message=text)


def _storage_failed(desk: Desk, exc: ArchiveUnavailable) -> Again:
    reason = ErrorDetail(code="archive.unavailable", message=f"El archivo no se pudo guardar: {exc}", retryable=True)
    return desk.decide.again("job", reason, "")


def day_of(raw: Mapping[str, Any]) -> str:
    """
    The day of a document in Bogotá (YYYY-MM-DD), by which its files are named.

    Where Factus has said no date that can be read it is the first of all days: the same each time it is asked.
    """
    told = instant(raw.get("created_at")) or instant(raw.get("validated_at"))
    return told[:10] if told else date.min.isoformat()
