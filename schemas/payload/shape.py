"""
A model compiled into one quick walk: tables of codes, calendar dates and decimals, and what goes on the wire.

pydantic has seen to types and forms before; this pass does what its core cannot do cheaply, and makes the two readings
of a payload: typed (decimals in decimal fields, for the rules and the fingerprint) and wire (texts, as documented).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeAlias, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from schemas import money
from schemas.money import EXACT, ZERO
from schemas.payload import messages
from schemas.payload.fields import Kind, Part, RuleIds
from schemas.payload.findings import Place, Violation, dotted

_ABSENT: Final = object()


@dataclass(slots=True)
class Walk:
    """What one walk over a payload brings to light."""

    faults: list[Violation] = field(default_factory=list)
    n_respelled: int = 0
    """Values that are sent in another form than they came in."""
    first_decimal_number: str = ""
    negative: list[Violation] = field(default_factory=list)
    """Amounts below zero where there can be none: told unless a rule about the field has its own word for it."""


Reader: TypeAlias = Callable[[Any, Place, Walk], Any]
"""Reads the value of its field in the node at a place. Returns what stands in the typed payload, or _ABSENT: after
reporting a fault, or for a null or an empty list that means nothing."""


@dataclass(frozen=True, slots=True)
class FieldShape:
    """What is known of one field of a model."""

    key: str
    label: str
    kind: Kind | None
    bad: str
    missing: str
    is_required: bool
    empty: str
    """The rule that null breaks as an element of its list."""
    part: Shape | None
    is_list: bool

    def is_left_out(self, value: object) -> bool:
        """Whether a value says no more than the key's absence would: null, and {} or [] where data have a form."""
        if self.is_required:
            return False
        return value is None or (type(value) in (dict, list) and not value and (self.is_list or self.part is not None))

    def plain(self, value: Any) -> Any:
        """A value in its plain form (``Shape.plain``)."""
        if self.part is not None:
            if self.is_list and type(value) is list:
                return [_plain_node(self.part, one) for one in value]
            return _plain_node(self.part, value)
        if type(value) is str and self.kind is not None and self.kind.name == "decimal":
            return _without_idle_zeros(value, self.kind.places)
        return value


class Shape:
    """One model, compiled."""

    __slots__ = ("code_lists", "fields", "model", "nullable", "numbers", "parts", "readers")

    def __init__(self, model: type[Part]) -> None:
        self.model = model
        self.fields = {key: _field_shape(model, key, info) for key, info in model.model_fields.items()}
        self.readers: dict[str, Reader] = {key: reader for key, it in self.fields.items() if (reader := _reader(it))}
        self.numbers = tuple(key for key, it in self.fields.items() if it.kind and _may_be_number(it.kind))
        self.nullable = tuple(key for key, it in self.fields.items() if it.kind and it.kind.is_nullable)
        self.parts = tuple(it for it in self.fields.values() if it.part)
        self.code_lists = tuple(key for key, it in self.fields.items() if it.kind and it.kind.name == "codes")

    def plain(self, node: dict[str, Any]) -> dict[str, Any]:
        """
        Copy a node in the one form of all that mean the same.

        Optional keys without data are gone, an empty list in the place of an object is an empty object, and decimals
        have no zeros beyond those that Factus takes. Whatever else is wrong stays as it is. Not on the quick path:
        a payload that the model takes as it is needs none of this.
        """
        found = {}
        for key, value in node.items():
            it = self.fields.get(key)
            if it is not None:
                value = it.plain(value)
                if it.is_left_out(value):
                    continue
            found[key] = value
        return found

    def typed(self, node: dict[str, Any], at: Place, walk: Walk) -> dict[str, Any]:
        """
        Copy a node in the order of its keys, with normal decimals in decimal fields and texts in code fields.

        Values that are refused on the way are reported in *walk* and left out, so that no rule trips over them.
        """
        found = {}
        readers = self.readers
        for key in sorted(node):
            value = node[key]
            reader = readers.get(key)
            if reader is not None:
                value = reader(value, at, walk)
                if value is _ABSENT:
                    continue
            found[key] = value
        return found

    def all_keys(self) -> frozenset[str]:
        """Every key of the model and of all models below it."""
        below = [it.part.all_keys() for it in self.parts if it.part is not None]
        return frozenset(self.fields).union(*below)

    def wire(self, node: dict[str, Any]) -> dict[str, Any]:
        """
        Copy a node with its numbers as Factus documents them, texts in decimal and code fields, and without keys that
        hold no data.

        Only for a payload without faults.
        """
        found = node.copy()
        for key in self.nullable:
            if key in node and node[key] is None:
                del found[key]
        for key in self.code_lists:
            if key in node and not node[key]:
                del found[key]
        for key in self.numbers:
            if key in node:
                found[key] = _as_sent(self.fields[key].kind, node[key])
        for it in self.parts:
            value = node.get(it.key)
            if value is not None and it.part is not None:
                found[it.key] = [it.part.wire(one) for one in value] if it.is_list else it.part.wire(value)
                if it.is_left_out(found[it.key]):
                    del found[it.key]
        return found


@cache
def shape_of(model: type[Part]) -> Shape:
    """The compiled form of a model, made once."""
    return Shape(model)


def _field_shape(model: type[Part], key: str, info: FieldInfo) -> FieldShape:
    kind = next((one for one in info.metadata if isinstance(one, Kind)), None)
    ids = next(one for one in info.metadata if isinstance(one, RuleIds))
    is_list = get_origin(info.annotation) is list
    inner = get_args(info.annotation)[0] if is_list else info.annotation
    is_part = isinstance(inner, type) and issubclass(inner, Part)
    bad = ids.bad or ("GEN-007" if kind and kind.name == "decimal" else "GEN-010")
    return FieldShape(
        key=key,
        label=info.title or key,
        kind=kind,
        bad=model.rule_ids.get(bad, bad),
        missing=model.rule_ids.get(ids.missing, ids.missing),
        is_required=info.is_required(),
        empty=model.empty_rule,
        part=shape_of(cast("type[Part]", inner)) if is_part else None,
        is_list=is_list,
    )


def _plain_node(part: Shape, value: Any) -> Any:
    # PHP writes [] for an empty associative array.
    if type(value) is list and not value:
        return {}
    return part.plain(value) if type(value) is dict else value


def _without_idle_zeros(text: str, places: int) -> str:
    """``1.000`` as ``1.00``: digits that change nothing, as they change nothing in a JSON number."""
    whole, _, fraction = text.partition(".")
    if len(fraction) <= places or fraction[places:].strip("0"):
        return text
    return f"{whole}.{fraction[:places]}"


def _may_be_number(kind: Kind) -> bool:
    return kind.name in ("decimal", "number_text", "whole") or kind.takes_number


def _as_sent(kind: Kind | None, value: Any) -> Any:
    if kind is not None and kind.name == "whole":
        return int(value) if kind.is_sent_as_number else str(int(value))
    if type(value) is str:
        return value
    if not isinstance(value, Decimal):
        return str(value)
    return money.spell(value, places=kind.places if kind is not None else 2)


def _reader(it: FieldShape) -> Reader | None:
    if it.part is not None:
        return _list_reader(it, it.part) if it.is_list else _part_reader(it, it.part)
    match it.kind:
        case Kind(name="decimal"):
            return _decimal_reader(it, it.kind)
        case Kind(name="number_text"):
            return _number_text_reader(it)
        case Kind(name="whole"):
            return _whole_reader(it, it.kind)
        case Kind(name="code", table=str() as table):
            return _code_reader(it, table, it.kind.codes)
        case Kind(name="codes"):
            return _read_codes
        case Kind(name="text", is_nullable=True):
            return _read_nullable
        case Kind(name="date"):
            return _date_reader(it)
        case Kind(name="moment"):
            return _moment_reader(it)
        case _:
            return None


def _decimal_reader(it: FieldShape, kind: Kind) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        if type(value) is str:
            # The model's pattern has seen to the form; only an exchange rate may have more than two decimals.
            number = Decimal(value)
            if value[0] == "-":
                return signed(number, at, walk)
            # money.normal, written out: this is the busiest line of all.
            return number.normalize(EXACT) if number else ZERO
        parsed = money.parse(value, places=kind.places)
        if isinstance(parsed, Decimal):
            walk.n_respelled += 1
            if not (kind.takes_number or walk.first_decimal_number):
                walk.first_decimal_number = dotted((at, it.key))
            return signed(parsed, at, walk) if parsed.is_signed() else money.normal(parsed)
        walk.faults.append(messages.bad_decimal(it.key, it.label, dotted((at, it.key)), parsed))
        return _ABSENT

    def signed(number: Decimal, at: Place, walk: Walk) -> Decimal:
        if not kind.is_signed:
            walk.negative.append(messages.negative(it.key, it.label, dotted((at, it.key))))
        return money.normal(number)

    return read


def _number_text_reader(it: FieldShape) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        if type(value) is str:
            return value
        walk.n_respelled += 1
        parsed = money.parse(value)
        if isinstance(parsed, Decimal):
            return money.spell(parsed)
        walk.faults.append(messages.bad_decimal(it.key, it.label, dotted((at, it.key)), parsed))
        return _ABSENT

    return read


def _read_nullable(value: Any, at: Place, walk: Walk) -> Any:
    if value is not None:
        return value
    walk.n_respelled += 1
    return _ABSENT


def _whole_reader(it: FieldShape, kind: Kind) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        # Compared by type as well: "1" and 1 are one number and two spellings.
        number = int(value)
        if kind.least <= number <= kind.most:
            sent = _as_sent(kind, value)
            walk.n_respelled += type(sent) is not type(value) or sent != value
            return number
        walk.faults.append(messages.bad_whole(it.bad, it.key, it.label, dotted((at, it.key)), kind.least, kind.most))
        return _ABSENT

    return read


def _code_reader(it: FieldShape, table: str, known: frozenset[str]) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        if type(value) is not str:
            walk.n_respelled += 1
            # An integer of a hundred digits is no code; str() of a longer one could be refused by Python itself.
            value = str(value) if -1000 < value < 1000 else ""
        if value in known:
            return value
        walk.faults.append(messages.bad_code(it.bad, it.key, it.label, dotted((at, it.key)), value, table))
        return _ABSENT

    return read


def _read_codes(value: Any, at: Place, walk: Walk) -> Any:
    if value:
        return value
    walk.n_respelled += 1
    return _ABSENT


def _date_reader(it: FieldShape) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        try:
            date.fromisoformat(value)
        except ValueError:
            walk.faults.append(messages.bad_date(it.bad, it.key, it.label, dotted((at, it.key))))
            return _ABSENT
        return value

    return read


def _moment_reader(it: FieldShape) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        try:
            # One form of both spellings: texts of it compare as the moments do.
            return datetime.fromisoformat(value).isoformat()
        except ValueError:
            walk.faults.append(messages.bad_moment(it.bad, it.key, it.label, dotted((at, it.key))))
            return _ABSENT

    return read


def _part_reader(it: FieldShape, part: Shape) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        found = part.typed(value, (at, it.key), walk)
        # What was refused has emptied it as well, and is told.
        if found or it.is_required or walk.faults:
            return found
        walk.n_respelled += 1
        return _ABSENT

    return read


def _list_reader(it: FieldShape, part: Shape) -> Reader:
    def read(value: Any, at: Place, walk: Walk) -> Any:
        if not value and not it.is_required:
            walk.n_respelled += 1
            return _ABSENT
        # None stands for an element that is no object: its place is kept, so that paths stay true.
        here = (at, it.key)
        return [None if one is None else part.typed(one, (here, position), walk) for position, one in enumerate(value)]

    return read
