"""
The kinds of value that Factus fields hold, and how a field names itself and its rules.

A kind is what the models, the JSON Schema, the checks of codes and dates and the fingerprint all read; a field is
declared once, with :func:`part`. Nothing here looks at a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

from schemas import tables
from schemas.money import DECIMAL_PATTERN

MAX_ELEMENTS: Final = 10_000
"""More elements than this do not fit into a job of 1 MiB; it bounds the work on a list of trifles."""

DATE_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
TIME_PATTERN: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
_EXCHANGE_PATTERN: Final = DECIMAL_PATTERN.replace("{1,2}", "{1,20}")
_MAX_ENUM: Final = 20

KindName: TypeAlias = Literal["text", "code", "decimal", "number_text", "date", "time", "flag", "integer", "codes"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, beyond its JSON type."""

    name: KindName
    table: str | None = None
    places: int = 2
    takes_number: bool = False
    """A code that official examples also send as a JSON number."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True)
        integer = core_schema.int_schema(strict=True)
        number = core_schema.is_instance_schema(Decimal)
        if self.name == "decimal":
            pattern = DECIMAL_PATTERN if self.places == 2 else _EXCHANGE_PATTERN
            text = core_schema.str_schema(strict=True, pattern=pattern)
            # The number of digits of a JSON number is looked at by money.parse; here only the type counts.
            return _one_of("decimal_form", text, integer, number)
        if self.name == "number_text":
            return _one_of("number_text_form", text, integer, number)
        if self.takes_number:
            return _one_of("code_form", text, integer)
        return handler(source)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        match self.name:
            case "decimal":
                pattern = DECIMAL_PATTERN if self.places == 2 else _EXCHANGE_PATTERN
                return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "number"}]}
            case "number_text":
                return {"type": ["string", "number"]}
            case "code" if self.table is not None:
                return self._code_json_schema(self.table)
            case "date":
                return {"type": "string", "format": "date", "pattern": DATE_PATTERN}
            case _:
                return handler(schema)

    def _code_json_schema(self, table: str) -> dict[str, Any]:
        found: dict[str, Any] = {"type": ["string", "integer"] if self.takes_number else "string", "x-table": table}
        codes = sorted(tables.codes(table))
        if len(codes) <= _MAX_ENUM:
            found["enum"] = [*codes, *(int(code) for code in codes)] if self.takes_number else codes
        return found


def _one_of(error: str, *choices: CoreSchema) -> CoreSchema:
    # One error for the whole choice: the default names every branch that failed.
    return core_schema.union_schema(
        list(choices), mode="left_to_right", custom_error_type=error, custom_error_message=error
    )


Text = Annotated[str, Kind("text")]
Filled = Annotated[str, Kind("text"), StringConstraints(pattern=r"\S")]
"""A text that is not empty and not only spaces."""
Amount = Annotated[str | int | Decimal, Kind("decimal")]
ExchangeRate = Annotated[str | int | Decimal, Kind("decimal", places=20)]
NumberText = Annotated[str | int | Decimal, Kind("number_text")]
"""A text that official examples also send as a JSON number."""
DateText = Annotated[str, Kind("date"), StringConstraints(pattern=DATE_PATTERN)]
TimeText = Annotated[str, Kind("time"), StringConstraints(pattern=TIME_PATTERN)]
Flag = Annotated[bool, Kind("flag")]
RangeId = Annotated[int, Kind("integer"), Field(ge=1, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class RuleIds:
    """Which rules a field reports: for a bad value, and for its absence."""

    bad: str | None
    missing: str


class Part(BaseModel):
    """A JSON object of a payload: typed strictly, without unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def part(
    label: str,
    about: str,
    *,
    optional: bool = False,
    bad: str | None = None,
    missing: str = "GEN-004",
    **constraints: Any,
) -> Any:
    """
    Declare a field.

    Args:
        label: What an accountant calls it, in Spanish, lower case; stands in messages and as the schema's title.
        about: English description for the JSON Schema.
        optional: May be left out. It may never be null.
        bad: The rule that a value of the wrong form or outside its table breaks; by its kind when not given.
        missing: The rule that its absence breaks.
        constraints: Passed on to pydantic's ``Field``.
    """

    def describe(schema: dict[str, Any]) -> None:
        schema.pop("default", None)

    default: Any = None if optional else ...
    info: Any = Field(default, title=label, description=about, json_schema_extra=describe, **constraints)
    info.metadata.append(RuleIds(bad, missing))
    return info
