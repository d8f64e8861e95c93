"""Numbering ranges: two collections, of invoicing and of payrolls, with the same routes and other ids and fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from starlette.responses import Response

from sandbox.families.request_parts import require
from sandbox.routes import responses
from sandbox.routes.middleware import Call
from sandbox.routes.read_many import answer_passing
from sandbox.state.numbering import PAYROLL_DOCUMENTS, NumberingRange
from sandbox.values.catalogs import code_and_name
from sandbox.values.datetimes import iso_utc
from sandbox.values.fields import Check, Errors, from_catalog, invalid, optional, pattern, record, required, text, whole

_DOCUMENTS: Final = "numbering-range-document-types"
_START: Final = date(2019, 1, 19)
_END: Final = date(2030, 1, 19)
_NEED_RESOLUTION: Final = frozenset({"21", "24", "30"})
_ASSOCIATED: Final = (
    ("18760000001", "SETP", 990_000_000, 995_000_000, "fc8eac422eba16e22ffd8c6f94b3f40a6e38162c"),
    ("18760000003", "SEDS", 984_000_000, 985_000_000, ""),
    ("18760000009", "FV", 1, 1_000_000, "dfs3dfs334d8d8s96s8d"),
)


def _has_a_resolution(sent: dict[str, Any], prefix: str, errors: Errors) -> None:
    if sent.get("document") in _NEED_RESOLUTION:
        require("resolution_number", sent, prefix, errors)


_PREFIX: Final = required(pattern(r"[A-Za-z0-9]{1,4}"))
_CURRENT: Final = required(whole(0, 999_999_999_999))
_check_current = record({"current": _CURRENT})


def _name(one: NumberingRange) -> str:
    catalog = "payroll-numbering-range-document-types" if one.document in PAYROLL_DOCUMENTS else _DOCUMENTS
    return code_and_name(catalog, one.document)["name"]


@dataclass(frozen=True, slots=True)
class Collection:
    """What tells the two collections apart."""

    of_payroll: bool
    check: Check
    filters: Mapping[str, Callable[[NumberingRange, str], bool]]


INVOICING: Final = Collection(
    of_payroll=False,
    check=record(
        {
            "document": required(from_catalog(_DOCUMENTS)),
            "prefix": _PREFIX,
            "resolution_number": optional(text()),
            "current": _CURRENT,
        },
        _has_a_resolution,
    ),
    filters={
        "filter[id]": lambda one, wanted: str(one.id) == wanted,
        # The name of the document passes as well as its code (seen).
        "filter[document]": lambda one, wanted: wanted in (one.document, _name(one)),
        "filter[resolution_number]": lambda one, wanted: one.resolution_number == wanted,
        "filter[technical_key]": lambda one, wanted: one.technical_key == wanted,
        "filter[is_active]": lambda one, wanted: one.is_active is (wanted == "1"),
    },
)
PAYROLL: Final = Collection(
    of_payroll=True,
    check=record(
        {
            "document": required(from_catalog("payroll-numbering-range-document-types")),
            "prefix": _PREFIX,
            "current": _CURRENT,
        }
    ),
    filters={
        "filter[code]": lambda one, wanted: one.document == wanted,
        "filter[is_enabled]": lambda one, wanted: one.is_active is (wanted == "true"),
    },
)


class RangeHandlers:
    """The handlers of one collection."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def list(self, call: Call) -> Response:
        await call.state.pause(call.state.config.reading_latency)
        ranges = call.account.ranges.all(self._collection.of_payroll)
        return answer_passing(call, ranges, self._collection.filters, lambda one: _row(one, call.state.now()))

    async def show(self, call: Call) -> Response:
        found = await self._find(call)
        return _unknown() if found is None else responses.ok(_shown(found, call.state.now()))

    async def add(self, call: Call) -> Response:
        """A new range is not active until it is toggled, as in the example of v1."""
        await call.state.pause(call.state.config.reading_latency)
        if call.body is None:
            return responses.malformed()
        errors: Errors = {}
        sent, book, now = self._collection.check(call.body, "", errors), call.account.ranges, call.state.now()
        if not errors and _stands_already(book.all(self._collection.of_payroll), sent):
            errors["prefix"] = ["El prefijo ya está en uso"]
        if errors:
            return responses.fields_refused(errors)
        key = book.next_id(self._collection.of_payroll, call.state.config.seed)
        added = _new_range(key, sent, now)
        book.add(added)
        return responses.created("Rango de numeración creado con éxito", _shown(added, now))

    async def renumber(self, call: Call) -> Response:
        found = await self._find(call)
        if found is None:
            return _unknown()
        errors: Errors = {}
        current = _check_current(call.body or {}, "", errors).get("current", 0)
        if not errors and not found.first <= current <= found.last:
            invalid("current", errors)
        if errors:
            return responses.fields_refused(errors)
        found.current = current
        return self._updated(call, found)

    async def toggle(self, call: Call) -> Response:
        """Not idempotent: it flips."""
        found = await self._find(call)
        if found is None:
            return _unknown()
        found.is_active = not found.is_active
        return self._updated(call, found)

    async def delete(self, call: Call) -> Response:
        """A range that numbered something stays (assumed: what Factus answers was not recorded)."""
        found = await self._find(call)
        if found is None:
            return _unknown()
        if found.n_issued:
            return responses.plain(409, "El rango de numeración está en uso")
        call.account.ranges.remove(found)
        return responses.plain(200, "Rango de numeración eliminado con éxito")

    async def _find(self, call: Call) -> NumberingRange | None:
        await call.state.pause(call.state.config.reading_latency)
        key = call.reference
        found = call.account.ranges.find(key if self._collection.of_payroll else int(key) if key.isdecimal() else key)
        if found is None or (found.document in PAYROLL_DOCUMENTS) is not self._collection.of_payroll:
            return None
        return found

    def _updated(self, call: Call, found: NumberingRange) -> Response:
        found.updated_at = call.state.now()
        shown = _shown(found, call.state.now())
        return responses.plain(200, "Rango de numeración actualizado con éxito", data=shown)


async def list_associated(call: Call) -> Response:
    """The ranges that DIAN ties to the software: a plain list, and every value a text."""
    await call.state.pause(call.state.config.reading_latency)
    return responses.ok(
        [
            {
                "resolution_number": resolution,
                "prefix": prefix,
                "from": str(first),
                "to": str(last),
                "start_date": f"{_START:%Y-%m-%d}",
                "end_date": f"{_END:%Y-%m-%d}",
                "technical_key": key,
            }
            for resolution, prefix, first, last, key in _ASSOCIATED
        ]
    )


def _unknown() -> Response:
    return responses.unknown_record("rango de numeración")


def _stands_already(ranges: list[NumberingRange], sent: dict[str, Any]) -> bool:
    wanted = (sent["document"], sent["prefix"], sent.get("resolution_number"))
    return any((one.document, one.prefix, one.resolution_number) == wanted for one in ranges)


def _new_range(key: int | str, sent: dict[str, Any], now: float) -> NumberingRange:
    """Its bounds come from DIAN where it knows the resolution and prefix; else there is room for a million."""
    new = NumberingRange(
        key, sent["document"], sent["prefix"], sent["current"], is_active=False, created_at=now, updated_at=now
    )
    if new.document in _NEED_RESOLUTION:
        new.resolution_number = sent["resolution_number"]
        new.first, new.last = new.current, new.current + 1_000_000
        for resolution, prefix, first, last, technical_key in _ASSOCIATED:
            if (resolution, prefix) == (new.resolution_number, new.prefix):
                new.first, new.last, new.technical_key = first, last, technical_key or None
    return new


def _shown(one: NumberingRange, now: float) -> dict[str, Any]:
    """As a single one is shown: the code of its document, dates with the day first."""
    named = {"id": one.id, "document": one.document, "document_name": _name(one)}
    if one.document in PAYROLL_DOCUMENTS:
        return {**named, **_payroll_part(one)}
    return {**named, **_invoicing_part(one, now, "%d-%m-%Y"), **_stamps(one)}


def _row(one: NumberingRange, now: float) -> dict[str, Any]:
    """As lists show it: the name of its document, dates with the year first."""
    named = {"id": one.id, "document": _name(one)}
    if one.document in PAYROLL_DOCUMENTS:
        return {**named, **_payroll_part(one), "resolution_number": None, "deleted_at": None}
    return {**named, **_invoicing_part(one, now, "%Y-%m-%d"), "deleted_at": None, **_stamps(one)}


def _payroll_part(one: NumberingRange) -> dict[str, Any]:
    return {"prefix": one.prefix, "current": one.current, "is_active": int(one.is_active), **_stamps(one)}


def _invoicing_part(one: NumberingRange, now: float, dates: str) -> dict[str, Any]:
    return {
        "prefix": one.prefix,
        "from": one.first,
        "to": one.last,
        "current": one.current,
        "resolution_number": one.resolution_number,
        "start_date": f"{one.start:{dates}}",
        "end_date": f"{one.end:{dates}}",
        "technical_key": one.technical_key,
        "is_expired": one.is_expired(now),
        "is_active": int(one.is_active),
    }


def _stamps(one: NumberingRange) -> dict[str, str]:
    return {"created_at": iso_utc(one.created_at), "updated_at": iso_utc(one.updated_at)}
