"""
What Factus API v1 called things, where that differs from v2: keys and the values of codes.

v1 numbered its tables of municipalities, units and countries by position: every published pair of id and code agrees
with the order of the tables that v2 publishes (docs/decisions/0022-version-1-ids-are-positions.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from schemas.catalogs import tables


class Meant(NamedTuple):
    """Where a key of v1 stands in v2."""

    path: str
    """Below the object in which the key stood."""
    table: str = ""
    """The table of its codes, when its values are others in v2."""


_NAMES: Final[Mapping[str, tuple[Meant, ...]]] = {
    "identification_document_id": (Meant("identification_document_code", "identity-document-types"),),
    "legal_organization_id": (Meant("legal_organization_code", "legal-organizations"),),
    "tribute_id": (
        Meant("tribute_code", "customer-tributes"),
        Meant("taxes.0.code", "taxes"),
        Meant("code", "taxes"),
    ),
    "municipality_id": (Meant("municipality_code", "municipalities"),),
    "country_id": (Meant("country_code", "countries"),),
    "unit_measure_id": (Meant("unit_measure_code", "unit-measures"),),
    "standard_code_id": (Meant("standard_code", "product-standard-codes"),),
    "standard_id": (Meant("standard_code", "product-standard-codes"),),
    "tax_rate": (Meant("taxes.0.rate"), Meant("rate")),
    "withholding_tax_rate": (Meant("withholding_taxes.0.rate"), Meant("rate")),
    "bill_id": (Meant("bill_number"),),
}
_NAMES_AT_ROOT: Final[Mapping[str, Meant]] = {
    "payment_form": Meant("payment_details.0.payment_form"),
    "payment_method_code": Meant("payment_details.0.payment_method_code"),
    "payment_due_date": Meant("payment_details.0.due_date"),
}
_CODES: Final[Mapping[str, Mapping[str, str]]] = {
    "identity-document-types": {
        str(number): code
        for number, code in enumerate(("11", "12", "13", "21", "22", "31", "41", "42", "47", "50", "91"), 1)
    },
    "customer-tributes": {"18": "01", "21": "ZZ"},
    "legal-organizations": {"1": "1", "2": "2"},
    "product-standard-codes": {"1": "999", "2": "001", "3": "020", "4": "010"},
    "taxes": {"1": "01", "4": "04"},
}
BY_POSITION: Final = frozenset({"municipalities", "unit-measures", "countries"})
"""Tables whose ids in v1 are the positions of their rows, from 1."""


def is_name(key: str, *, is_root: bool) -> bool:
    """Whether v1 had this key, and v2 has it nowhere (or not at the root, when it stands there)."""
    return key in _NAMES or (is_root and key in _NAMES_AT_ROOT)


def meant(key: str, known: Collection[str], *, is_root: bool) -> Meant | None:
    """What a key of v1 is in an object that has the *known* keys; None when that has nothing of the kind."""
    at_root = (_NAMES_AT_ROOT[key],) if is_root and key in _NAMES_AT_ROOT else ()
    return next((one for one in (*_NAMES.get(key, ()), *at_root) if one.path.partition(".")[0] in known), None)


def code_of(table: str, value: Any) -> str:
    """The code of v2 for an id of v1, an integer or its digits; empty when there is none."""
    digits = str(value) if type(value) is int and 0 < value < 10_000 else value
    if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
        return ""
    if table not in BY_POSITION:
        return _CODES.get(table, {}).get(digits, "")
    rows = tables.rows(table)
    position = int(digits)
    return str(rows[position - 1]["code"]) if 1 <= position <= len(rows) else ""
