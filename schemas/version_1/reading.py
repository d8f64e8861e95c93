"""
Reading values of a v1 body: numbers as exact decimals, ids by the tables of v2, and where nothing can be made of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from schemas import money
from schemas.catalogs import tables, version_1

_KINDS: Final = {
    "municipalities": "municipio",
    "unit-measures": "unidad de medida",
    "countries": "país",
    "identity-document-types": "tipo de documento de identidad",
    "legal-organizations": "tipo de organización",
    "customer-tributes": "tributo del cliente",
    "product-standard-codes": "estándar del código del producto",
    "taxes": "tributo",
}
_IN_WORDS: Final = {
    "taxes": "solo 1 (IVA) y 4 (INC) tienen código en la versión 2",
    "customer-tributes": "solo 18 (IVA) y 21 (no aplica) tienen código en la versión 2",
}
_LONGEST_SHOWN: Final = 40


@dataclass(slots=True)
class Notes:
    """What a conversion has inferred, and what it could not carry over."""

    inferred: dict[str, int] = field(default_factory=dict)
    """Sentences with the number of places."""
    faults: list[tuple[str, str]] = field(default_factory=list)
    """Field and why, for what v2 cannot say."""

    def infer(self, sentence: str) -> None:
        self.inferred[sentence] = self.inferred.get(sentence, 0) + 1

    def refuse(self, at: str, why: str) -> None:
        self.faults.append((at, why))

    def told(self) -> list[str]:
        return [text if n == 1 else f"{text} ({n} veces)" for text, n in self.inferred.items()]


def rename_id(part: dict[str, Any], old: str, new: str, table: str, at: str, notes: Notes) -> None:
    """Replace an id of v1 by the code of v2. What is null or empty counts as left out; a code that is there stands."""
    if old not in part:
        return
    value = part.pop(old)
    if value in (None, "") or new in part:
        return
    code = version_1.code_of(table, value)
    if not code:
        known = _IN_WORDS.get(table) or f"no es un id de la tabla ({_range_of(table)})"
        notes.refuse(f"{at}{old}", f"El id de {_KINDS[table]} {shown(value)} no se puede convertir: {known}.")
        return
    part[new] = code
    notes.infer(f'{_KINDS[table]} {value} → "{code}" ({tables.name_of(table, code)})')


def _range_of(table: str) -> str:
    return f"de 1 a {len(tables.rows(table))}" if table in version_1.BY_POSITION else "de la versión 1"


def shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def number(part: Mapping[str, Any], key: str, at: str, notes: Notes, default: Decimal | None = None) -> Decimal | None:
    """A number of a body; None, with a fault, where there is none and no default."""
    value = part.get(key)
    if value in (None, ""):
        if default is None:
            notes.refuse(f"{at}{key}", f'Falta "{key}": sin ese valor no se puede convertir la línea.')
        return default
    found = money.parse(value)
    if isinstance(found, Decimal) and found >= 0:
        return found
    notes.refuse(f"{at}{key}", f'"{key}" no es un número de hasta dos decimales, cero o mayor: no se puede convertir.')
    return None


def is_true(value: object) -> bool:
    """v1 writes true as 1, "1" or true."""
    return value is True or value == 1 or value == "1"
