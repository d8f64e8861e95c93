"""
The kinds of value that Factus fields hold, and how a field names itself and its rules.

A kind is what the models, the JSON Schema, the checks of codes and dates and the fingerprint all read; a field is
declared once, with :func:`part`. Nothing here looks at a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

from schemas.catalogs import tables
from schemas.money import DECIMAL_PATTERN

MAX_ELEMENTS: Final = 10_000
"""More elements than this do not fit into a job of 1 MiB; it bounds the work on a list of trifles."""

DATE_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
TIME_PATTERN: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
MOMENT_PATTERN: Final = DATE_PATTERN[:-1] + "[T ]" + TIME_PATTERN[1:]
_EXCHANGE_PATTERN: Final = DECIMAL_PATTERN.replace("{1,2}", "{1,20}")
_FILLED_PATTERN: Final = r"\S"
_MAX_ENUM: Final = 20

KindName: TypeAlias = Literal[
    "text", "code", "decimal", "number_text", "whole", "date", "time", "moment", "flag", "integer", "codes"
]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, beyond its JSON type."""

    name: KindName
    table: str | None = None
    places: int = 2
    is_signed: bool = False
    """An amount that may be below zero."""
    takes_number: bool = False
    """A code or amount that Factus documents as text and as JSON number, in its tables or its examples."""
    also: frozenset[str] = frozenset()
    """Codes that this field takes beyond its table."""
    least: int = 0
    most: int = 0
    """The range of a whole number."""
    is_sent_as_number: bool = False
    """A whole number goes out as text otherwise."""
    is_nullable: bool = False
    """null is the same as no key here, and goes out as no key."""
    is_filled: bool = False
    """A text where a number may stand as well is not blank."""
    longest: int | None = None
    """Characters of a text where a number may stand as well."""

    @property
    def codes(self) -> frozenset[str]:
        """The codes of its table, and what it takes beyond it."""
        assert self.table is not None
        return tables.codes(self.table) | self.also

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True)
        integer = core_schema.int_schema(strict=True)
        number = core_schema.is_instance_schema(Decimal)
        if self.name == "decimal":
            pattern = DECIMAL_PATTERN if self.places == 2 else _EXCHANGE_PATTERN
            text = core_schema.str_schema(strict=True, pattern=pattern)
            # The digits of a JSON number are looked at by money.parse, a sign where it is read: here the type counts.
            return _one_of("decimal_form", text, integer, number)
        if self.name == "number_text":
            filled = _FILLED_PATTERN if self.is_filled else None
            text = core_schema.str_schema(strict=True, pattern=filled, max_length=self.longest)
            return _one_of("number_text_form", text, integer, number)
        if self.name == "whole":
            # Ten digits: nothing that is counted here needs more, and a text of a thousand is no work to read.
            return _one_of("whole_form", core_schema.str_schema(strict=True, pattern="^[0-9]{1,10}$"), integer)
        if self.takes_number:
            return _one_of("code_form", text, integer)
        return handler(source)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        match self.name:
            case "decimal":
                return self._decimal_json_schema()
            case "number_text":
                filled = {"pattern": _FILLED_PATTERN} if self.is_filled else {}
                return {"type": ["string", "number"], **filled, **({"maxLength": self.longest} if self.longest else {})}
            case "whole":
                number = {"type": "integer", "minimum": self.least, "maximum": self.most}
                return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]{1,10}$"}]}
            case "code" if self.table is not None:
                return self._code_json_schema(self.table)
            case "date":
                return {"type": "string", "format": "date", "pattern": DATE_PATTERN}
            case _:
                return handler(schema)

    def _decimal_json_schema(self) -> dict[str, Any]:
        # What the model refuses for idle zeros alone is taken all the same (Shape.plain).
        pattern = (DECIMAL_PATTERN if self.places == 2 else _EXCHANGE_PATTERN).replace("})?$", "}0*)?$")
        if self.is_signed:
            return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "number"}]}
        unsigned = pattern.replace("-?", "", 1)
        return {"anyOf": [{"type": "string", "pattern": unsigned}, {"type": "number", "minimum": 0}]}

    def _code_json_schema(self, table: str) -> dict[str, Any]:
        found: dict[str, Any] = {"type": ["string", "integer"] if self.takes_number else "string", "x-table": table}
        codes = sorted(self.codes)
        if len(codes) <= _MAX_ENUM:
            found["enum"] = [*codes, *(int(code) for code in codes)] if self.takes_number else codes
        return found


def _one_of(error: str, *choices: CoreSchema) -> CoreSchema:
    # One error for the whole choice: the default names every branch that failed.
    return core_schema.union_schema(
        list(choices), mode="left_to_right", custom_error_type=error, custom_error_message=error
    )


Text = Annotated[str, Kind("text")]
Nullable = Annotated[str | None, Kind("text", is_nullable=True)]
"""A text that the tables of Factus also allow to be null."""
Filled = Annotated[str, Kind("text"), StringConstraints(pattern=_FILLED_PATTERN)]
"""A text that is not empty and not only spaces."""
Amount = Annotated[str | int | Decimal, Kind("decimal")]
SignedAmount = Annotated[str | int | Decimal, Kind("decimal", is_signed=True)]
ExchangeRate = Annotated[str | int | Decimal, Kind("decimal", places=20)]
NumberText = Annotated[str | int | Decimal, Kind("number_text")]
"""A text that official examples also send as a JSON number."""
FilledNumber = Annotated[str | int | Decimal, Kind("number_text", is_filled=True)]
"""The same where it must say something."""
DateText = Annotated[str, Kind("date"), StringConstraints(pattern=DATE_PATTERN)]
TimeText = Annotated[str, Kind("time"), StringConstraints(pattern=TIME_PATTERN)]
Moment = Annotated[str, Kind("moment"), StringConstraints(pattern=MOMENT_PATTERN)]
"""A date and a time, with "T" or a space between them: the tables of Factus print the one, its examples the other."""
Count = Annotated[str | int | Decimal, Kind("decimal", takes_number=True)]
"""Days or hours: an integer in the tables, a text in the examples."""
Flag = Annotated[bool, Kind("flag")]
RangeId = Annotated[int, Kind("integer"), Field(ge=1, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class RuleIds:
    """Which rules a field reports: for a bad value, and for its absence."""

    bad: str | None
    missing: str


class Absent(NamedTuple):
    """A key that a sister of this object has and this one lacks: Factus would drop it without a word."""

    rule: str
    mend: str = "Quítela."


class Part(BaseModel):
    """A JSON object of a payload: typed strictly, without unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    not_here: ClassVar[dict[str, Absent]] = {}
    """Keys of sister objects, which are refused by a rule of their own; other unknown keys break GEN-002."""
    rule_ids: ClassVar[Mapping[str, str]] = {}
    """What an inherited field breaks in this object: its own rule id, and the one that stands for it here."""
    empty_rule: ClassVar[str] = "GEN-006"
    """What null breaks as an element of a list of an optional field."""


def absent(rule: str, keys: str) -> dict[str, Absent]:
    """Keys (space between them) that are simply to be taken out."""
    return {key: Absent(rule) for key in keys.split()}


def part(
    label: str,
    about: str,
    *,
    optional: bool = False,
    bad: str | None = None,
    missing: str = "GEN-004",
    may_stand_alone: bool = False,
    **constraints: Any,
) -> Any:
    """
    Declare a field.

    Args:
        label: What an accountant calls it, in Spanish, lower case; stands in messages and as the schema's title.
        about: English description for the JSON Schema.
        optional: May be left out; null says the same, and so do {} and [] where an object or a list stands.
        bad: The rule that a value of the wrong form or outside its table breaks; by its kind when not given.
        missing: The rule that its absence breaks.
        may_stand_alone: Of a list: its one element is taken without the list around it (``Family.wrap_in_list``).
        constraints: Passed on to pydantic's ``Field``.
    """

    def describe(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        if may_stand_alone:
            rows = {name: schema.pop(name) for name in ("type", "items", "minItems", "maxItems") if name in schema}
            schema["anyOf"] = [rows, rows["items"]]

    default: Any = None if optional else ...
    info: Any = Field(default, title=label, description=about, json_schema_extra=describe, **constraints)
    info.metadata.append(RuleIds(bad, missing))
    return info
