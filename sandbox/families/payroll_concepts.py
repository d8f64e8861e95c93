"""
What a worker earns and what is kept back: the concepts of a payroll, one row for each.

Source: the field tables of the reference of payroll. Most concepts come with an amount and a type code; the rows say
only how they differ.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sandbox.families.request_parts import require
from sandbox.values import catalogs
from sandbox.values.fields import (
    Check,
    Errors,
    Field,
    Rule,
    amount,
    invalid,
    iso_date,
    many,
    optional,
    optional_container,
    record,
    required,
    text,
    text_or_integer,
)

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)
_PERCENTAGE: Final = amount(high=Decimal(1000))


def _moment(value: Any, path: str, errors: Errors) -> str:
    """A date and time with a `T` or a blank between them; the table and the example of Factus differ."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return iso_date(value[:10], path, errors) + " " + value[11:]
    invalid(path, errors)
    return ""


_DAYS: Final[dict[str, Field]] = {
    "quantity": required(text_or_integer),
    "start_date": optional(iso_date),
    "end_date": optional(iso_date),
}
_PERCENT: Final[dict[str, Field]] = {"percentage": required(_PERCENTAGE)}
_DESCRIBED: Final[dict[str, Field]] = {"description": required(text())}


@dataclass(frozen=True, slots=True)
class Concept:
    """
    One accrual or deduction.

    Args:
        label: Its name, where no catalog tells the types apart.
        types: Catalog of its type codes; then the code must be sent, else it is 1.
        is_list: Whether it may stand there several times.
        own: Members beside the amount and the type.
        needed_by: A member, and the only type that needs it.
        spared_by: The only type that needs no amount.
        has_amount: Strikes have none.
        is_required: Salary, health and pension always stand there, also with zero.
        may_be_single: A list that the table calls an object; both are taken.
    """

    label: str = ""
    types: str | None = None
    is_list: bool = False
    own: Mapping[str, Field] = field(default_factory=dict)
    needed_by: tuple[str, str] | None = None
    spared_by: str | None = None
    has_amount: bool = True
    is_required: bool = False
    may_be_single: bool = False


def _listed(label: str = "", types: str | None = None, **more: Any) -> Concept:
    return Concept(label, types, is_list=True, **more)


_MAYBE_PERCENT: Final[dict[str, Field]] = {"percentage": optional(_PERCENTAGE)}
ACCRUALS: Final[dict[str, Concept]] = {
    "suel": Concept("Sueldo", is_required=True),
    "cesa": _listed(types="payroll-severance-types", own=_MAYBE_PERCENT, needed_by=("percentage", "2")),
    "prim": Concept(
        types="payroll-service-bonus-types", own={"quantity": optional(text_or_integer)}, needed_by=("quantity", "1")
    ),
    "boni": _listed(types="payroll-bonus-types"),
    "bono": _listed(types="payroll-epctv-voucher-types"),
    "tra": _listed(types="payroll-transport-allowance-types"),
    "comp": _listed(types="payroll-compensation-types"),
    "otro": _listed(types="payroll-other-concept-types", own=_DESCRIBED),
    "lice": _listed(types="payroll-leave-types", own=_DAYS, spared_by="3"),
    "vaca": _listed(types="payroll-vacation-types", own=_DAYS),
    "inca": _listed(types="payroll-sick-leave-types", own=_DAYS),
    "auxi": _listed(types="payroll-aid-types"),
    "huel": _listed("Huelga legal", own=_DAYS, has_amount=False),
    "comi": _listed("Comisión"),
    "terc": _listed("Pago a tercero"),
    "dota": Concept("Dotación"),
    "apoy": Concept("Apoyo de sostenimiento"),
    "tele": Concept("Teletrabajo"),
    "reti": Concept("Retiro"),
    "inde": Concept("Indemnización"),
    "rein": Concept("Reintegro"),
    "anti": _listed("Anticipo"),
    "hora": _listed(
        types="payroll-overtime-types",
        own={
            "quantity": required(text_or_integer),
            **_PERCENT,
            "start_date": optional(_moment),
            "end_date": optional(_moment),
        },
    ),
}
DEDUCTIONS: Final[dict[str, Concept]] = {
    "salu": Concept("Salud", own=_PERCENT, is_required=True),
    "pens": Concept("Pensión", own=_PERCENT, is_required=True),
    "dedu": _listed(types="payroll-pension-fund-types", own=_PERCENT, may_be_single=True),
    "sind": _listed("Sindicato", own=_PERCENT),
    "sanc": _listed(types="payroll-sanction-types"),
    "libr": _listed("Libranza", own=_DESCRIBED),
    "terc": _listed("Pago a tercero"),
    "anti": _listed("Anticipo"),
    "otra": _listed("Otra deducción"),
    "pevo": Concept("Pensión voluntaria"),
    "rete": Concept("Retención en la fuente"),
    "afco": Concept("AFC"),
    "coop": Concept("Cooperativa"),
    "emba": Concept("Embargo fiscal"),
    "plan": Concept("Plan complementario"),
    "educ": Concept("Educación"),
    "rein": Concept("Reintegro"),
    "deud": Concept("Deuda"),
}


def concepts(table: Mapping[str, Concept], type_name: str) -> Check:
    """The check of all accruals, or of all deductions. An empty one is refused, unlike elsewhere."""
    fields: dict[str, Field] = {}
    for name, concept in table.items():
        check = _holder(concept, _entry(concept, type_name))
        fields[name] = required(check) if concept.is_required else optional_container(check)
    return record(fields)


def _holder(concept: Concept, entry: Check) -> Check:
    if not concept.is_list:
        return entry
    several = many(entry, at_least=1)
    if not concept.may_be_single:
        return several
    return lambda value, path, errors: (entry if isinstance(value, dict) else several)(value, path, errors)


def _entry(concept: Concept, type_name: str) -> Check:
    fields = dict(concept.own)
    if concept.has_amount:
        fields["amount"] = optional(amount()) if concept.spared_by else required(amount())
    fields[type_name] = required(_type_code(concept.types)) if concept.types else optional(text_or_integer)
    return record(fields, _complete(concept, type_name))


def _type_code(catalog: str) -> Check:
    """Text in the table, a number in an example: both are taken."""

    def check(value: Any, path: str, errors: Errors) -> str:
        code = str(value)
        if isinstance(value, str | int) and not isinstance(value, bool) and code in catalogs.rows(catalog):
            return code
        invalid(path, errors)
        return ""

    return check


def _complete(concept: Concept, type_name: str) -> Rule:
    def rule(entry: dict[str, Any], prefix: str, errors: Errors) -> None:
        code = entry.get(type_name)
        if concept.needed_by and code == concept.needed_by[1] and concept.needed_by[0] not in entry:
            require(concept.needed_by[0], entry, prefix, errors)
        if concept.spared_by and code != concept.spared_by and "amount" not in entry:
            require("amount", entry, prefix, errors)

    return rule


def entries(sent: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every entry of all concepts, whether it stood alone or in a list."""
    found: list[dict[str, Any]] = []
    for value in sent.values():
        found += value if isinstance(value, list) else [value]
    return found
