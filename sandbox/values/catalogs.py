"""
Names for codes, from the catalog tables that ship with the project.

The tables are read as data, once, when first asked for. Where Factus echoes another label than the table prints, the
echoed one is kept here (bill responses as reconstructed in `facts/examples/bills`).
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

_ECHOED_LABELS: Final = {
    "document-types": {"01": "Factura electrónica de Venta"},
    "operation-types": {"11": "Mandato"},
    "identity-document-types": {"13": "Cédula ciudadanía"},
    "allowance-charge-concepts": {"03": "Recargo Condicionado"},
}
_V1_UNITS: Final = {"414": "KGM", "874": "GLL"}


@cache
def rows(catalog: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by code. Of a code that stands twice, the first row counts."""
    text = (files("schemas") / "catalogs" / f"{catalog}.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = {}
    for row in json.loads(text):
        table.setdefault(row["code"], row)
    return table


@cache
def code_and_name(catalog: str, code: str) -> dict[str, str]:
    """The pair Factus answers for a code. One object per code: never change it."""
    label = _ECHOED_LABELS.get(catalog, {}).get(code)
    return {"code": code, "name": label or rows(catalog)[code]["name"]}


@cache
def tribute(code: str, catalog: str = "taxes") -> dict[str, str]:
    """As code_and_name, by the short name that documents print: IVA, INC, ReteIVA."""
    row = rows(catalog)[code]
    return {"code": code, "name": row["short_name"] or row["name"]}


def municipality(code: str) -> dict[str, Any]:
    return rows("municipalities")[code]


def unit_of_cargo(code: str) -> dict[str, str]:
    """Unit of a transport property; two v1 ids are still taken for it."""
    return code_and_name("unit-measures", _V1_UNITS.get(code, code))
