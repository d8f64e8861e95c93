"""
What can be done with an account: reception of bills, numbering ranges, company, subscriptions, acquirers, and the
shipped tables.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from jobs.archive_files import archived_row, read_file, store_file, taken_error
from jobs.archive_names import unique_code_name
from jobs.attempt_policy import unavailable
from jobs.calls import CallContext, Stop, data_of
from jobs.errors import ArchiveConflict
from jobs.factus_requests import Request, Upload, get
from jobs.families import segment
from jobs.outcomes import Ending, Finished
from jobs.pagination import pages, query, whole
from schemas.catalogs import search, tables
from schemas.records import SendState

_RECEPTION: Final = "/v2/receptions"
RANGES: Final = {
    "numbering_range": "/v2/numbering-ranges",
    "payroll_numbering_range": "/v2/numbering-ranges/payrolls",
}
"""Where the ranges of a family of jobs live: those of invoicing, and those of payroll."""

_MOST_ROWS: Final = 20
"""Rows of a table when the payload says no limit."""

_RANGE_DOCUMENTS: Final = ("numbering-range-document-types", "payroll-numbering-range-document-types")
_ROUTING_NAMES: Final = frozenset({"bill_id", "event_type"})


# -- reception ---------------------------------------------------------------------------------------------------------
async def upload_received(context: CallContext) -> Ending:
    """Load a supplier's bill by its CUFE, which is also how a load of unknown outcome is found again."""
    track_id = context.payload["track_id"]
    if context.is_uncertain:
        known = await _first(context, f"{_RECEPTION}/bills", {"cufe": track_id})
        if known:
            return context.completed("Factura recibida: ya estaba cargada.", {"factus": known})
    request = Request("POST", f"{_RECEPTION}/upload", body={"track_id": track_id})
    body = await context.write(request, when_unknown="look")
    return context.completed("Factura recibida cargada.", {"factus": data_of(body)})


async def list_received(context: CallContext) -> Ending:
    return await pages(context, f"{_RECEPTION}/bills")


async def emit_event(context: CallContext) -> Ending:
    """Register 030-033 on a received bill. Factus lists no events of one, so an unknown outcome ends the job."""
    bill, code = context.payload["bill_id"], context.payload["event_type"]
    if context.is_uncertain:
        return context.unknown_outcome(f"el evento {code} quedó registrado")
    body = {name: value for name, value in context.payload.items() if name not in _ROUTING_NAMES}
    path = f"{_RECEPTION}/bills/{segment(str(bill))}/radian/events/{segment(code)}"
    reply = await context.write(
        Request("PATCH", path, body=body), when_unknown="stop", unknown=f"el evento {code} quedó registrado"
    )
    return context.completed(f"Evento {code} registrado.", {"factus": reply.get("data")})


# -- anybody's documents -----------------------------------------------------------------------------------------------
async def download_document(context: CallContext) -> Ending:
    """The XML of a document by its CUFE, CUDE, CUDS or CUNE, into the archive. One code typed two ways is one file."""
    code = context.payload["unique_code"].lower()
    content = await read_file(context, f"/v2/documents/{segment(code)}/download-xml")
    try:
        stored = await store_file(context, unique_code_name(context.policy.job.account, code), content, "xml")
    except ArchiveConflict as exc:
        return context.policy.failed(taken_error(exc.held.uri))
    data = {"unique_code": code, "documents": [archived_row("xml", stored)]}
    return context.completed("XML del documento guardado.", data)


# -- numbering ranges --------------------------------------------------------------------------------------------------
async def list_ranges(context: CallContext) -> Ending:
    return await pages(context, _ranges(context))


async def get_range(context: CallContext) -> Ending:
    return context.completed("Rango de numeración leído.", {"factus": await _range(context)})


async def create_range(context: CallContext) -> Ending:
    """Create a range. After an unknown outcome the list says whether one of that document and prefix is there."""
    wanted = dict(context.payload)
    if context.is_uncertain:
        known = await _first(context, _ranges(context), {}, lambda row: _is_range(row, wanted))
        if known:
            return context.completed(f"Rango {wanted['prefix']} creado.", {"factus": known})
    body = await context.write(Request("POST", _ranges(context), body=wanted), when_unknown="look")
    return context.completed(f"Rango {wanted['prefix']} creado.", {"factus": data_of(body)})


async def update_range(context: CallContext) -> Ending:
    """
    Set the next number of a range.

    Documents move it on from there, so repeating it would move it back: what it was is written down first, and after
    an unknown outcome what it is says whether it was done.
    """
    await context.acquire_change_lock(_range_thing(context))
    wanted = int(context.payload["current"])
    if "from" not in context.progress:
        held = await _range(context, is_look_up=True)
        return context.more({"from": _current_of(held)}, "Faltaba cambiar el consecutivo")
    if context.is_uncertain:
        held = await _range(context, is_look_up=True)
        if _is_moved(_current_of(held), wanted, context.progress["from"]):
            return context.completed("Consecutivo del rango actualizado.", {"factus": held})
    request = Request("PATCH", f"{_range_path(context)}/current", body={"current": context.payload["current"]})
    body = await context.write(request, when_unknown="look")
    return context.completed("Consecutivo del rango actualizado.", {"factus": data_of(body)})


def _current_of(held: Mapping[str, Any]) -> int | None:
    """The next number of a range; None where Factus says none that can be read."""
    told = str(held.get("current", ""))
    return int(told) if told.isascii() and told.isdecimal() else None


def _is_moved(now: int | None, wanted: int, before: int | None) -> bool:
    """Whether a range was set to a number, and maybe moved on from there by documents."""
    if now is None or before is None:
        return False
    return now >= wanted if wanted >= before else wanted <= now < before


async def set_range_status(context: CallContext) -> Ending:
    """
    Switch a range on or off.

    Factus has a toggle, which repeated undoes itself; so the range is read, and toggled only when it stands otherwise.
    """
    await context.acquire_change_lock(_range_thing(context))
    wanted: bool = context.payload["is_active"]
    held = await _range(context, is_look_up=True)
    if bool(held.get("is_active")) != wanted:
        held = data_of(
            await context.write(Request("PATCH", f"{_range_path(context)}/toggle-status"), when_unknown="look")
        )
    is_active = bool(held.get("is_active", wanted))
    if is_active != wanted:
        # Somebody else has toggled it between our look and our call.
        reason = unavailable("otro cambió el estado del rango al mismo tiempo")
        raise Stop(context.policy.retry("job", reason, SendState.NOTHING))
    word = "activo" if wanted else "inactivo"
    return context.completed(f"El rango de numeración está {word}.", {"is_active": is_active, "factus": dict(held)})


async def delete_range(context: CallContext) -> Ending:
    await context.acquire_change_lock(_range_thing(context))
    if context.is_uncertain and not await _is_there(context):
        return context.completed("Rango de numeración eliminado.", {"deleted": True})
    await context.write(Request("DELETE", _range_path(context)), when_unknown="look")
    return context.completed("Rango de numeración eliminado.", {"deleted": True})


async def list_software_ranges(context: CallContext) -> Ending:
    return await whole(context, f"{_ranges(context)}/dian")


def _is_range(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Lists give the name of a document where the create takes its code."""
    code = wanted["document"]
    names = {code, *(tables.name_of(table, code) for table in _RANGE_DOCUMENTS)}
    # A prefix may come back under a later resolution.
    is_resolution = wanted.get("resolution_number") in (None, row.get("resolution_number"))
    # A new range issues nothing before it is switched on: one that stands elsewhere is older than ours.
    is_new = "current" not in wanted or _current_of(row) in (None, int(wanted["current"]))
    return row.get("prefix") == wanted["prefix"] and row.get("document") in names and is_resolution and is_new


def _ranges(context: CallContext) -> str:
    return RANGES[context.policy.job.family]


def _range_path(context: CallContext) -> str:
    return f"{_ranges(context)}/{segment(str(context.payload['numbering_range_id']))}"


def _range_thing(context: CallContext) -> str:
    return f"{context.policy.job.family}/{context.payload['numbering_range_id']}"


async def _range(context: CallContext, *, is_look_up: bool = False) -> dict[str, Any]:
    return data_of(await context.read(get(_range_path(context)), is_look_up=is_look_up))


async def _is_there(context: CallContext) -> bool:
    wanted = str(context.payload["numbering_range_id"])
    found = await _first(context, _ranges(context), {}, lambda row: str(row.get("id")) == wanted)
    return found is not None


# -- company, subscriptions, acquirers ---------------------------------------------------------------------------------
async def get_company(context: CallContext) -> Ending:
    return context.completed(
        "Datos de la empresa leídos.", {"factus": data_of(await context.read(get("/v2/companies")))}
    )


async def update_company(context: CallContext) -> Ending:
    await context.acquire_change_lock("company")
    body = await context.write(Request("PUT", "/v2/companies", body=dict(context.payload)), when_unknown="again")
    return context.completed("Datos de la empresa actualizados.", {"factus": data_of(body)})


async def update_logo(context: CallContext) -> Ending:
    await context.acquire_change_lock("logo")
    content = base64.b64decode(context.payload["image_base_64_encoded"])
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    upload = Upload("image", f"logo.{kind}", content, f"image/{kind}")
    body = await context.write(Request("POST", "/v2/companies/logo", upload=upload), when_unknown="again")
    return context.completed("Logo de la empresa actualizado.", {"factus": data_of(body)})


async def list_subscriptions(context: CallContext) -> Ending:
    return await whole(context, "/v2/subscriptions")


async def get_acquirer(context: CallContext) -> Ending:
    body = await context.read(get("/v2/dian/acquirer", {name: str(value) for name, value in context.payload.items()}))
    return context.completed("Datos del adquiriente leídos.", {"factus": data_of(body)})


# -- shipped tables ----------------------------------------------------------------------------------------------------
async def search_catalog(context: CallContext) -> Ending:
    """Answered from the tables; only a job that had to wait for its time comes here."""
    return searched(context.payload)


def searched(payload: Mapping[str, Any]) -> Finished:
    """The end of ``catalog.search``: rows of a shipped table, best first."""
    rows = search.search(payload["catalog"], payload.get("query", ""), payload.get("limit", _MOST_ROWS))
    data = {"catalog": payload["catalog"], "items": rows}
    return Finished("completed", f"Filas encontradas: {len(rows)}.", data=data)


# -- parts -------------------------------------------------------------------------------------------------------------
_MOST_PAGES: Final = 20


async def _first(
    context: CallContext, path: str, filters: Mapping[str, Any], wanted: Any = lambda row: True
) -> dict[str, Any] | None:
    """The first row of a list that is wanted, over its pages."""
    for page in range(1, _MOST_PAGES + 1):
        body = await context.read(get(path, {**query(filters), "page": str(page)}), is_look_up=True)
        data = data_of(body)
        rows = data.get("data")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and wanted(row):
                return row
        pagination = data.get("pagination")
        last = pagination.get("last_page") if isinstance(pagination, dict) else None
        if not rows or not isinstance(last, int) or page >= last:
            return None
    return None
