"""What Factus's answers mean to ``doctor --calls``."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Final

import pytest

from jobs import answers
from schemas.factus import DocumentView
from worker.doctor.checks import CALL_IDS
from worker.doctor.factus_checks import factus_checks, ranges_of
from worker.doctor.factus_facts import FactusSeen, Heard, Pending
from worker.speech import SPANISH

TODAY: Final = date(2026, 11, 30)
ROW: Final = {
    "id": 8, "document": "Factura de Venta", "prefix": "SETP", "from": 1, "to": 1000, "current": 10, "is_active": 1,
    "resolution_number": "18760000001", "end_date": "2030-01-19", "is_expired": False,
}  # fmt: skip


def ranges(*rows: dict[str, Any]) -> answers.Replied:
    return answers.Replied({"data": {"data": [{**ROW, **row} for row in rows or ({},)]}})


SEEN: Final = FactusSeen(
    "acme", 80, 0, True, None, ranges(), (("invoice", answers.Absent()),), (), (Heard(100.0, 80, 77),), 3
)
FOREIGN: Final = DocumentView({"reference_code": "POS-77", "number": "SETP9", "is_validated": False})

CASES: Final = {
    "wrong password": (
        replace(SEEN, token=answers.CredentialsRefused("invalid_grant"), ranges=answers.CredentialsRefused("x")),
        {"factus.credentials": ("failure", "corrija usuario, clave"), "factus.version": ("skipped", "credentials"),
         "factus.allowance": ("skipped", ""), "factus.pending": ("skipped", ""), "factus.ranges": ("skipped", "")},
    ),
    "a token that is refused": (
        replace(SEEN, ranges=answers.CredentialsRefused("401")),
        {"factus.credentials": ("failure", "corrija usuario"), "factus.version": ("skipped", ""),
         "factus.allowance": ("skipped", ""), "factus.pending": ("skipped", ""), "factus.ranges": ("skipped", "")},
    ),
    "wrong address": (
        replace(SEEN, token=answers.Misrouted(404, True), ranges=answers.Misrouted(404)),
        {"factus.credentials": ("failure", "FACTUS_BASE_URL"), "factus.version": ("skipped", ""),
         "factus.allowance": ("skipped", ""), "factus.pending": ("skipped", ""), "factus.ranges": ("skipped", "")},
    ),
    "version 2 is off": (
        replace(SEEN, ranges=answers.Denied("version", "versión de API")),
        {"factus.version": ("failure", "pida a Factus"), "factus.ranges": ("skipped", "factus.version")},
    ),
    "402": (
        replace(SEEN, ranges=answers.PaymentRequired("sin saldo")),
        {"factus.version": ("failure", "renueve el plan"), "factus.ranges": ("skipped", "")},
    ),
    "a larger allowance than Factus gives": (
        replace(SEEN, limit=100), {"factus.allowance": ("failure", "FACTUS_RATE_LIMIT=80")},
    ),
    "others use it": (
        replace(SEEN, heard=(Heard(0.0, 80, 40),)), {"factus.allowance": ("warning", "37 solicitudes")},
    ),
    "no heads": (
        replace(SEEN, heard=(Heard(),)), {"factus.allowance": ("skipped", ""), "factus.clock": ("skipped", "")},
    ),
    "a foreign document": (
        replace(SEEN, pending=(Pending("invoice", FOREIGN, is_ours=False),)),
        {"factus.pending": ("failure", "valide o elimine")},
    ),
    "a document of ours": (
        replace(SEEN, pending=(Pending("invoice", FOREIGN, is_ours=True),)),
        {"factus.pending": ("warning", "no lo elimine")},
    ),
    "a range ends": (
        replace(SEEN, ranges=ranges({"end_date": "2026-12-30"})), {"factus.ranges": ("warning", "en 30 días")},
    ),
    "a range has ended": (
        replace(SEEN, ranges=ranges({"end_date": "29-11-2026"})), {"factus.ranges": ("failure", "se venció")},
    ),
    "few numbers": (
        replace(SEEN, ranges=ranges({"current": 960})), {"factus.ranges": ("warning", "le quedan 41 de 1.000")},
    ),
    "no range": (
        replace(SEEN, ranges=ranges({"is_active": 0})), {"factus.ranges": ("warning", "active uno")},
    ),
    "clock": (replace(SEEN, heard=(Heard(-3000.0, 80, 77),)), {"factus.clock": ("warning", "chrony")}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_on_its_line_and_on_no_other(name: str) -> None:
    seen, told = CASES[name]
    found = {one.id: one for one in factus_checks(seen, TODAY, SPANISH)}
    assert found.keys() == set(CALL_IDS)
    for id_, one in found.items():
        status, words = told.get(id_, ("ok", ""))
        assert (id_, one.status) == (id_, status)
        assert words in f"{one.found} {one.mend}"


def test_what_documents_keep_from_being_asked_is_skipped() -> None:
    found = factus_checks(FactusSeen("acme", 80, why_not="el cupo lo usan los documentos"), TODAY, SPANISH)
    assert [(one.id, one.status) for one in found] == [(id_, "skipped") for id_ in CALL_IDS]


def test_dates_of_ranges_without_a_resolution_mean_nothing() -> None:
    """Factus's own example of a credit note's range begins and ends on one day."""
    (row,) = ranges_of(
        "a", ranges({"resolution_number": None, "end_date": "2020-01-01", "is_expired": True}).body, TODAY
    )
    assert (row.ends_on, row.is_expired) == (None, False)


@pytest.mark.parametrize("body", [None, [], {}, {"data": 1}, {"data": {"data": [1, {"from": "x"}]}}])
def test_ranges_that_cannot_be_read_are_left_out(body: Any) -> None:
    assert ranges_of("a", body, TODAY) == []
