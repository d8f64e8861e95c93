"""One check of mail addresses, wherever one stands."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import pytest

from schemas.payload.validate import DOCUMENT_SPECS, validate
from tests.builders import changed
from tests.families import a_document_payload
from tests.unit.schemas.payload.cases.calls import ROWS, a_payload
from tests.unit.schemas.payload.cases.case import ESTABLISHMENT

TODAY = date(2026, 11, 30)

NO_ADDRESSES = [
    "ana",
    "@empresa.co",
    "ana@",
    "a..b@empresa.co",
    "ana.@empresa.co",
    ".ana@empresa.co",
    "ana,b@empresa.co",
    "ana@empresa,co",
    "ana@-empresa.co",
    "ana@empresa-.co",
    "ana@empresa..co",
    "ana@.empresa.co",
    "ana@empresa.co.",
    "(a)@empresa.co",
    "a;b@empresa.co",
    "ana@empresa.co;luis@empresa.co",
    "ana@empresa.co, luis@empresa.co",
    "ana@empresa.co/luis@empresa.co",
    "ana @empresa.co",
    "ana@ empresa.co",
    " ana@empresa.co",
    "ana@empresa.co ",
    "ana@empresa.co\n",
    "Ana <ana@empresa.co>",
    "<ana@empresa.co>",
    "mailto:ana@empresa.co",
    "ana@empresa.co>",
    "ana@empresa_x.co",
    "ana@empresa@co.co",
    "a[b]@empresa.co",
    "a\\b@empresa.co",
    '"a b"@empresa.co',
    f"{'a' * 65}@empresa.co",
    f"ana@{'a' * 64}.co",
    f"ana@{'a.' * 130}co",
]
ADDRESSES = [
    "ana@empresa.co",
    "ana.ruiz@empresa.com.co",
    "ana+facturas@empresa.co",
    "o'hara@empresa.co",
    "a_b-c@sub.empresa-x.co",
    "1@2.co",
    "ANA@EMPRESA.CO",
    "ana@correo.museum",
    "josé@empresa.co",
    "ana@cañón.co",
    f"{'a' * 64}@empresa.co",
]
PLACES = [
    ("invoice", "customer.email", {}),
    ("invoice", "establishment.email", {"establishment": ESTABLISHMENT}),
    ("credit_note", "customer.email", {}),
    ("debit_note", "customer.email", {}),
    ("support_document", "provider.email", {}),
    ("adjustment_note", "provider.email", {}),
    ("email", "email", {}),
    ("company.update", "email", {}),
]
each_place = pytest.mark.parametrize(("row", "path", "changes"), PLACES, ids=lambda one: one if one else "")


def refused(row: str, path: str, changes: dict[str, Any], address: str) -> list[str | None]:
    family = DOCUMENT_SPECS.get(row) or ROWS[row]
    payload = a_document_payload(row) if row in DOCUMENT_SPECS else a_payload(row)
    return [one.field for one in validate(family, changed(payload, {**changes, path: address}), today=TODAY).errors]


@each_place
def test_what_is_no_address_is_refused_everywhere(row: str, path: str, changes: dict[str, Any]) -> None:
    assert [one for one in NO_ADDRESSES if refused(row, path, changes, one) != [path]] == []


@each_place
def test_an_address_is_taken_everywhere(row: str, path: str, changes: dict[str, Any]) -> None:
    assert [one for one in ADDRESSES if refused(row, path, changes, one)] == []


@pytest.mark.parametrize("text", ["a." * 120, "a@" + "a-" * 120, "-" * 250, "a@" + "a." * 120 + "-", "@" * 250])
def test_no_address_is_slow(text: str) -> None:
    began = time.process_time()
    for _ in range(50):
        refused("email", "email", {}, text)
    assert time.process_time() - began < 0.5
