"""
What can be done with an account: reception of bills, numbering ranges, company, subscriptions, acquirers, and the
shipped tables.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from jobs.calls import Desk, Stop, data_of
from jobs.deciding import unavailable
from jobs.families import segment
from jobs.listing import pages, query, whole
from jobs.outcomes import Ending, Finished
from jobs.requests import Request, Upload, get
from schemas.catalogs import search, tables

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
async def upload_received(desk: Desk) -> Ending:
    """Load a supplier's bill by its CUFE, which is also how a load of unknown outcome is found again."""
    track_id = desk.payload["track_id"]
    if desk.is_uncertain:
        known = await _first(desk, f"{_RECEPTION}/bills", {"cufe": track_id})
        if known:
            return desk.completed("Factura recibida: ya estaba cargada.", {"factus": known})
    request = Request("POST", f"{_RECEPTION}/upload", body={"track_id": track_id})
    body = await desk.write(request, when_unknown="look")
    return desk.completed("Factura recibida cargada.", {"factus": data_of(body)})


async def list_received(desk: Desk) -> Ending:
    return await pages(desk, f"{_RECEPTION}/bills")


async def emit_event(desk: Desk) -> Ending:
    """Register 030-033 on a received bill. Factus lists no events of one, so an unknown outcome ends the job."""
    bill, code = desk.payload["bill_id"], desk.payload["event_type"]
    if desk.is_uncertain:
        return desk.unknown_outcome(f"el evento {code} quedó registrado")
    body = {name: value for name, value in desk.payload.items() if name not in _ROUTING_NAMES}
    path = f"{_RECEPTION}/bills/{segment(str(bill))}/radian/events/{segment(code)}"
    reply = await desk.write(
        Request("PATCH", path, body=body), when_unknown="stop", unknown=f"el evento {code} quedó registrado"
    )
    return desk.completed(f"Evento {code} registrado.", {"factus": reply.get("data")})


# -- numbering ranges --------------------------------------------------------------------------------------------------
async def list_ranges(desk: Desk) -> Ending:
    return await pages(desk, _ranges(desk))


async def get_range(desk: Desk) -> Ending:
    return desk.completed("Rango de numeración leído.", {"factus": await _range(desk)})


async def create_range(desk: Desk) -> Ending:
    """Create a range. After an unknown outcome the list says whether one of that document and prefix is there."""
    wanted = dict(desk.payload)
    if desk.is_uncertain:
        known = await _first(desk, _ranges(desk), {}, lambda row: _is_range(row, wanted))
        if known:
            return desk.completed(f"Rango {wanted['prefix']} creado.", {"factus": known})
    body = await desk.write(Request("POST", _ranges(desk), body=wanted), when_unknown="look")
    return desk.completed(f"Rango {wanted['prefix']} creado.", {"factus": data_of(body)})


async def update_range(desk: Desk) -> Ending:
    """
    Set the next number of a range.

    Documents move it on from there, so repeating it would move it back: what it was is written down first, and after
    an unknown outcome what it is says whether it was done.
    """
    await desk.turn_to_change(_range_thing(desk))
    wanted = int(desk.payload["current"])
    if "from" not in desk.progress:
        held = await _range(desk, is_look_up=True)
        return desk.more({"from": _current_of(held)}, "Faltaba cambiar el consecutivo")
    if desk.is_uncertain:
        held = await _range(desk, is_look_up=True)
        if _is_moved(_current_of(held), wanted, desk.progress["from"]):
            return desk.completed("Consecutivo del rango actualizado.", {"factus": held})
    request = Request("PATCH", f"{_range_path(desk)}/current", body={"current": desk.payload["current"]})
    body = await desk.write(request, when_unknown="look")
    return desk.completed("Consecutivo del rango actualizado.", {"factus": data_of(body)})


def _current_of(held: Mapping[str, Any]) -> int | None:
    """The next number of a range; None where Factus says none that can be read."""
    told = str(held.get("current", ""))
    return int(told) if told.isascii() and told.isdecimal() else None


def _is_moved(now: int | None, wanted: int, before: int | None) -> bool:
    """Whether a range was set to a number, and maybe moved on from there by documents."""
    if now is None or before is None:
        return False
    return now >= wanted if wanted >= before else wanted <= now < before


async def set_range_status(desk: Desk) -> Ending:
    """
    Switch a range on or off.

    Factus has a toggle, which repeated undoes itself; so the range is read, and toggled only when it stands otherwise.
    """
    await desk.turn_to_change(_range_thing(desk))
    wanted: bool = desk.payload["is_active"]
    held = await _range(desk, is_look_up=True)
    if bool(held.get("is_active")) != wanted:
        held = data_of(await desk.write(Request("PATCH", f"{_range_path(desk)}/toggle-status"), when_unknown="look"))
    is_active = bool(held.get("is_active", wanted))
    if is_active != wanted:
        # Somebody else has toggled it between our look and our call.
        raise Stop(desk.decide.again("job", unavailable("otro cambió el estado del rango al mismo tiempo"), ""))
    word = "activo" if wanted else "inactivo"
    return desk.completed(f"El rango de numeración está {word}.", {"is_active": is_active, "factus": dict(held)})


async def delete_range(desk: Desk) -> Ending:
    await desk.turn_to_change(_range_thing(desk))
    if desk.is_uncertain and not await _is_there(desk):
        return desk.completed("Rango de numeración eliminado.", {"deleted": True})
    await desk.write(Request("DELETE", _range_path(desk)), when_unknown="look")
    return desk.completed("Rango de numeración eliminado.", {"deleted": True})


async def list_software_ranges(desk: Desk) -> Ending:
    return await whole(desk, f"{_ranges(desk)}/dian")


def _is_range(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Lists give the name of a document where the create takes its code."""
    code = wanted["document"]
    names = {code, *(tables.name_of(table, code) for table in _RANGE_DOCUMENTS)}
    # A prefix may come back under a later resolution.
    is_resolution = wanted.get("resolution_number") in (None, row.get("resolution_number"))
    # A new range issues nothing before it is switched on: one that stands elsewhere is older than ours.
    is_new = "current" not in wanted or _current_of(row) in (None, int(wanted["current"]))
    return row.get("prefix") == wanted["prefix"] and row.get("document") in names and is_resolution and is_new


def _ranges(desk: Desk) -> str:
    return RANGES[desk.decide.job.family]


def _range_path(desk: Desk) -> str:
    return f"{_ranges(desk)}/{segment(str(desk.payload['numbering_range_id']))}"


def _range_thing(desk: Desk) -> str:
    return f"{desk.decide.job.family}/{desk.payload['numbering_range_id']}"


async def _range(desk: Desk, *, is_look_up: bool = False) -> dict[str, Any]:
    return data_of(await desk.read(get(_range_path(desk)), is_look_up=is_look_up))


async def _is_there(desk: Desk) -> bool:
    wanted = str(desk.payload["numbering_range_id"])
    found = await _first(desk, _ranges(desk), {}, lambda row: str(row.get("id")) == wanted)
    return found is not None


# -- company, subscriptions, acquirers ---------------------------------------------------------------------------------
async def get_company(desk: Desk) -> Ending:
    return desk.completed("Datos de la empresa leídos.", {"factus": data_of(await desk.read(get("/v2/companies")))})


async def update_company(desk: Desk) -> Ending:
    await desk.turn_to_change("company")
    body = await desk.write(Request("PUT", "/v2/companies", body=dict(desk.payload)), when_unknown="again")
    return desk.completed("Datos de la empresa actualizados.", {"factus": data_of(body)})


async def update_logo(desk: Desk) -> Ending:
    await desk.turn_to_change("logo")
    content = base64.b64decode(desk.payload["image_base_64_encoded"])
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    upload = Upload("image", f"logo.{kind}", content, f"image/{kind}")
    body = await desk.write(Request("POST", "/v2/companies/logo", upload=upload), when_unknown="again")
    return desk.completed("Logo de la empresa actualizado.", {"factus": data_of(body)})


async def list_subscriptions(desk: Desk) -> Ending:
    return await whole(desk, "/v2/subscriptions")


async def get_acquirer(desk: Desk) -> Ending:
    body = await desk.read(get("/v2/dian/acquirer", {name: str(value) for name, value in desk.payload.items()}))
    return desk.completed("Datos del adquiriente leídos.", {"factus": data_of(body)})


# -- shipped tables ----------------------------------------------------------------------------------------------------
async def search_catalog(desk: Desk) -> Ending:
    """Answered from the tables; only a job that had to wait for its time comes here."""
    return searched(desk.payload)


def searched(payload: Mapping[str, Any]) -> Finished:
    """The end of ``catalog.search``: rows of a shipped table, best first."""
    rows = search.search(payload["catalog"], payload.get("query", ""), payload.get("limit", _MOST_ROWS))
    data = {"catalog": payload["catalog"], "items": rows}
    return Finished("completed", f"Filas encontradas: {len(rows)}.", data=data)


# -- parts -------------------------------------------------------------------------------------------------------------
_MOST_PAGES: Final = 20


async def _first(
    desk: Desk, path: str, filters: Mapping[str, Any], wanted: Any = lambda row: True
) -> dict[str, Any] | None:
    """The first row of a list that is wanted, over its pages."""
    for page in range(1, _MOST_PAGES + 1):
        body = await desk.read(get(path, {**query(filters), "page": str(page)}), is_look_up=True)
        data = data_of(body)
        rows = data.get("data")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and wanted(row):
                return row
        last = (data.get("pagination") or {}).get("last_page")
        if not rows or not isinstance(last, int) or page >= last:
            return None
    return None
