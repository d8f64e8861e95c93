"""
Every job type that issues nothing: a payload that succeeds and what must be at Factus before, one that is refused, and
what may become of it when its answer is lost.

Written down from the contract's table, not from the service's registry: a new job type is missed here.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.builders import fiscal_day
from tests.integration.families import FAMILY_CASES, FamilyCase, a_credit_bill
from tests.integration.service import TestedAccount, new_reference

WhenLost = Literal["read", "once", "again", "stop"]
"""Harmless; found by a look; repeated to the same effect; not repeated: the job fails, and a person decides."""

Payload = dict[str, Any]
PERSON = {"identification_document_code": "13", "identification": "52123456", "first_name": "Ana", "last_name": "Ríos"}
COMPANY = {"legal_organization_code": "1", "company": "Papelería Andina SA", "municipality_code": "08001"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PAYROLL_RANGE = "01kpdv25zepw0vzn39th90h1a7"


@dataclass(frozen=True)
class Call:
    """
    One job type.

    Args:
        area: What fault plans call the part of Factus; empty for a job that asks nothing of it.
        prepare: Makes what must be there, and the payload.
        keys: Of ``data``.
        bad: A payload that is refused before any call, and the field and rule that are told.
        changes: What the report calls its change at Factus.
    """

    job: str
    area: str
    prepare: Callable[[TestedAccount], Payload]
    keys: frozenset[str]
    bad: tuple[Payload, str, str]
    changes: str = ""
    when_lost: WhenLost = "read"

    def __str__(self) -> str:
        return self.job


def _of(paper: FamilyCase, **more: Any) -> Callable[[TestedAccount], Payload]:
    return lambda tenant: {"number": paper.number(tenant), **more}


def an_acceptable_bill(tenant: TestedAccount) -> str:
    """A validated bill on credit whose goods were received (030, 032); its number."""
    number = str(FAMILY_CASES["invoice"].at_factus(tenant, a_credit_bill())["number"])
    for code in ("030", "032"):
        tenant.control("events", number=number, event_code=code)
    return number


_ONE = ({}, "number", "CALL-001")
_SHOWN, _LISTED = frozenset({"factus"}), frozenset({"items", "pagination"})
_NO_FILTER = ({"filters": {"color": "azul"}}, "filters.color", "GEN-002")


def _of_family(paper: FamilyCase) -> Iterator[Call]:
    name, area = paper.name, paper.area
    yield Call(f"{name}.get", area, _of(paper), _SHOWN, _ONE)
    yield Call(f"{name}.list", area, lambda tenant: {"page": 1} if paper.number(tenant) else {}, _LISTED, _NO_FILTER)
    yield Call(
        f"{name}.download",
        area,
        _of(paper, kinds=["xml"]),
        frozenset({"number", "documents"}),
        ({"number": "X1", "kinds": ["xml", "zip"]}, "kinds.1", "CALL-012"),
    )
    yield Call(
        f"{name}.delete",
        area,
        lambda tenant: {"reference_code": paper.rejected_at_factus(tenant)},
        frozenset({"deleted", "reference_code"}),
        ({"number": "X1"}, "number", "GEN-002"),
        changes=f"{area}.delete",
        when_lost="once",
    )
    if paper.is_mailed:
        yield Call(
            f"{name}.email",
            area,
            _of(paper, email="compras@empresa.example"),
            frozenset({"sent", "email"}),
            ({"number": "X1", "email": "nadie"}, "email", "CALL-002"),
            changes=f"{area}.email",
            when_lost="stop",
        )
        yield Call(f"{name}.email_content", area, _of(paper), _SHOWN, _ONE)


def a_cufe() -> str:
    return hashlib.sha384(new_reference("cufe").encode()).hexdigest()


def a_received_bill(tenant: TestedAccount) -> str:
    """The id of a supplier's bill that has been loaded."""
    answer = tenant.ask("POST", "/v2/receptions/upload", json={"track_id": a_cufe()})
    return str(answer.json()["data"]["id"])


def _nothing(tenant: TestedAccount) -> Payload:
    return {}


def _received(tenant: TestedAccount) -> Payload:
    return {"filters": {"id": a_received_bill(tenant)}}


def _uploaded(tenant: TestedAccount) -> Payload:
    return {"track_id": a_cufe()}


def _event(tenant: TestedAccount) -> Payload:
    return {"bill_id": a_received_bill(tenant), "event_type": "030", **PERSON}


def _accepted(tenant: TestedAccount) -> Payload:
    return {"number": an_acceptable_bill(tenant), **PERSON}


_MORE_OF_INVOICE = (
    Call("invoice.events", "bills", _of(FAMILY_CASES["invoice"]), frozenset({"number", "events"}), _ONE),
    Call(
        "invoice.accept",
        "bills",
        _accepted,
        _SHOWN,
        ({"number": "X1", **PERSON, "identification_document_code": "31"}, "dv", "EVT-006"),
        changes="bills.accept",
        when_lost="once",
    ),
)


@dataclass(frozen=True)
class Ranges:
    """One of the two collections of numbering ranges; *known* is a range that everybody has."""

    family: str
    area: str
    path: str
    known: str
    document: Payload

    def wanted(self) -> Payload:
        """A range that is not there yet."""
        return {**self.document, "prefix": f"{next(_prefixes):04d}"[-4:], "current": "1"}

    def make(self, tenant: TestedAccount, *, is_active: bool = False) -> str:
        """One more range; its id."""
        found = str(tenant.ask("POST", self.path, json=self.wanted()).json()["data"]["id"])
        if is_active:
            assert tenant.ask("PATCH", f"{self.path}/{found}/toggle-status").status_code == 200
        return found

    def shown(self, tenant: TestedAccount, key: str) -> Any:
        return tenant.data_at_factus(f"{self.path}/{key}")


_prefixes = itertools.count(1)
# No range of bills is chosen for its own sake among those of paper invoices, so one more of them is in nobody's way.
RANGES = (
    Ranges(
        "numbering_range",
        "numbering-ranges",
        "/v2/numbering-ranges",
        "389",
        {"document": "30", "resolution_number": "18760000077"},
    ),
    Ranges(
        "payroll_numbering_range", "payroll-ranges", "/v2/numbering-ranges/payrolls", PAYROLL_RANGE, {"document": "27"}
    ),
)


def _of_ranges(kind: Ranges) -> Iterator[Call]:
    def that(**more: Any) -> Callable[[TestedAccount], Payload]:
        return lambda tenant: {"numbering_range_id": kind.make(tenant), **more}

    def switched_off(tenant: TestedAccount) -> Payload:
        return {"numbering_range_id": kind.make(tenant, is_active=True), "is_active": False}

    family, area, no_id = kind.family, kind.area, ({"id": "1"}, "id", "GEN-002")
    yield Call(f"{family}.list", area, _nothing, _LISTED, _NO_FILTER)
    yield Call(f"{family}.get", area, that(), _SHOWN, no_id)
    yield Call(
        f"{family}.create",
        area,
        lambda _: kind.wanted(),
        _SHOWN,
        ({**kind.document, "prefix": "N-X", "current": "1"}, "prefix", "CALL-008"),
        changes=f"{area}.add",
        when_lost="once",
    )
    yield Call(
        f"{family}.update",
        area,
        that(current="7"),
        _SHOWN,
        no_id,
        changes=f"{area}.renumber",
        when_lost="once",
    )
    yield Call(
        f"{family}.set_status",
        area,
        switched_off,
        frozenset({"is_active", "factus"}),
        no_id,
        changes=f"{area}.toggle",
        when_lost="once",
    )
    yield Call(
        f"{family}.delete",
        area,
        that(),
        frozenset({"deleted"}),
        no_id,
        changes=f"{area}.delete",
        when_lost="once",
    )


_OTHERS = (
    Call(
        "reception.upload",
        "receptions",
        _uploaded,
        _SHOWN,
        ({"cufe": "x"}, "cufe", "GEN-002"),
        changes="receptions.upload",
        when_lost="once",
    ),
    Call("reception.list", "receptions", _received, _LISTED, _NO_FILTER),
    Call(
        "reception.emit_event",
        "receptions",
        _event,
        _SHOWN,
        ({"bill_id": "1", "event_type": "034", **PERSON}, "event_type", "EVT-002"),
        changes="receptions.emit",
        when_lost="stop",
    ),
    Call(
        "document.download",
        "documents",
        lambda tenant: {"unique_code": FAMILY_CASES["invoice"].at_factus(tenant)["cufe"].upper()},
        frozenset({"unique_code", "documents"}),
        ({"unique_code": "SETP990000001"}, "unique_code", "CALL-016"),
    ),
    Call("numbering_range.software", "numbering-ranges", _nothing, _LISTED, ({"all": True}, "all", "GEN-002")),
    Call("company.get", "companies", _nothing, _SHOWN, ({"nit": "1"}, "nit", "GEN-002")),
    Call(
        "company.update",
        "companies",
        lambda _: COMPANY,
        _SHOWN,
        ({"legal_organization_code": "1", "municipality_code": "68679"}, "company", "CALL-009"),
        changes="companies.update",
        when_lost="again",
    ),
    Call(
        "company.logo",
        "companies",
        lambda _: {"image_base_64_encoded": PNG},
        _SHOWN,
        ({"image_base_64_encoded": "aG9sYQ=="}, "image_base_64_encoded", "CALL-010"),
        changes="companies.logo",
        when_lost="again",
    ),
    Call("subscription.list", "subscriptions", _nothing, _LISTED, ({"page": 1}, "page", "GEN-002")),
    Call(
        "acquirer.get",
        "acquirers",
        lambda _: {"identification_document_code": "13", "identification_number": "1399991"},
        _SHOWN,
        ({"identification_document_code": "13", "nit": "1"}, "nit", "GEN-002"),
    ),
    Call(
        "catalog.search",
        "",
        lambda _: {"catalog": "municipalities", "query": "bogota", "limit": 3},
        frozenset({"catalog", "items"}),
        ({"catalog": "municipios"}, "catalog", "CALL-011"),
    ),
    Call(
        "day.close",
        "bills",
        lambda _: {"day": fiscal_day(-2).isoformat()},
        frozenset(("account", "day", "made_at", "is_final", "prefixes", "open", "refused", "failed", "control"))
        | {"calls", "previous_sha256", "sha256"},
        ({"day": "2026-01-15", "control": [{"family": "invoice"}]}, "control.0.total", "CALL-019"),
    ),
    Call(
        "job.cancel",
        "",
        lambda _: {"job_id": "nobody"},
        frozenset({"cancelled", "kept"}),
        ({"job_id": "a", "batch": "b"}, "batch", "CALL-017"),
    ),
)

_documents = (one for paper in FAMILY_CASES.values() for one in _of_family(paper))
_ranged = (one for kind in RANGES for one in _of_ranges(kind))
CALLS: Mapping[str, Call] = {one.job: one for one in (*_documents, *_MORE_OF_INVOICE, *_ranged, *_OTHERS)}
