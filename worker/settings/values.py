"""
How the value of a setting is read, whichever way it comes.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

DAY_S: Final = 86400.0
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY_S}


def parse_duration(value: object) -> object:
    """Seconds from a number and a unit: ``250ms``, ``60s``, ``5m``, ``4h``, ``90d``. Others pass to pydantic."""
    if isinstance(value, bool):
        raise ValueError("a duration is a number and ms, s, m, h or d, such as 60s")  # noqa: TRY004  # pydantic's way
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(ms|s|m|h|d)\s*", value)
        if not match:
            raise ValueError("a duration is a number and ms, s, m, h or d, such as 60s")
        return float(match[1]) * _UNITS_S[match[2]]
    return value


def counted(value: object) -> object:
    """Whole numbers in plain digits: no ``1_000``, no ``80.0``, no ``true``."""
    if isinstance(value, bool) or (isinstance(value, str) and not re.fullmatch(r"[0-9]{1,15}", value)):
        raise ValueError("a whole number in digits")
    return value


def language(value: object) -> object:
    """``es_CO.UTF-8`` is Spanish too."""
    return re.split(r"[_.-]", value.strip().lower())[0] if isinstance(value, str) else value


def words(value: object) -> object:
    """``a.example,b.example``."""
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def dates(value: object) -> object:
    """``2026-12-24, 2026-12-31``: each a day as it is written in the contract."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(_date(part.strip()) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("dates with commas between, such as 2026-12-24,2026-12-31") from None


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("no date")
    return date.fromisoformat(text)


Language = Annotated[Literal["es", "en"], BeforeValidator(language)]
Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(counted)]
DayPolicy = Literal["free", "push"]
"""Which day a document must carry that says none: any, or the one on which it was pushed."""
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
RateLimit = Annotated[Count, Field(ge=1, le=100_000)]
RateWindow = Annotated[Seconds, Field(le=DAY_S)]
Concurrency = Annotated[Count, Field(ge=1, le=64)]
LaneWidth = Annotated[Count, Field(ge=1, le=16)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")]


def trimmed(value: Any) -> Any:
    """Text without the blanks around it; everything else as it is."""
    return value.strip() if isinstance(value, str) else value


def reason(message: str) -> str:
    """Why a value is refused, without pydantic's own words before it."""
    return message.removeprefix("Value error, ")


def describe(error: ValidationError) -> str:
    """Which key is wrong and why, without the value: it may be a secret."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'value'}: {reason(fault['msg'])}" for fault in error.errors()
    )


def toml_place(error: ValueError) -> str:
    """Where in a TOML file, without the words: they may quote it."""
    found = re.search(r"at line (\d+), column (\d+)", str(error))
    return f", line {found[1]}, column {found[2]}" if found else ""
