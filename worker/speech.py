"""
How the commands speak to people: Spanish or English, Colombian numbers, one form of time.

Pure. Each text stands in both languages where it is said; ``--json`` is one and the same in both, logs stay English.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final, Literal

Language = Literal["es", "en"]

_UNITS: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


@dataclass(frozen=True, slots=True)
class Speech:
    """One language, with its numbers."""

    language: Language = "es"

    def say(self, es: str, en: str) -> str:
        """The text of this language."""
        return es if self.language == "es" else en

    def count(self, n: int) -> str:
        """A whole number: ``1.234``; in English ``1,234``."""
        return self._separated(f"{n:,}")

    def money(self, amount: Decimal) -> str:
        """Pesos with two decimals: ``162.090.220,11``; in English ``162,090,220.11``."""
        return self._separated(f"{amount:,.2f}")

    def of(self, n: int, one: tuple[str, str], many: tuple[str, str]) -> str:
        """A number of things, each word as (Spanish, English): ``1 trabajo``, ``1.234 trabajos``."""
        return f"{self.count(n)} {self.say(*(one if n == 1 else many))}"

    def jobs(self, n: int) -> str:
        return self.of(n, ("trabajo", "job"), ("trabajos", "jobs"))

    def documents(self, n: int) -> str:
        return self.of(n, ("documento", "document"), ("documentos", "documents"))

    def _separated(self, text: str) -> str:
        return text.translate(str.maketrans(",.", ".,")) if self.language == "es" else text


SPANISH: Final = Speech("es")
ENGLISH: Final = Speech("en")


def clock(at_ms: float, zone: tzinfo) -> str:
    """An instant for a person, the one form that all commands have: ``2026-11-29 02:43:10 -05:00``."""
    if not at_ms:
        return "-"
    text = datetime.fromtimestamp(at_ms / 1000, zone).isoformat(sep=" ", timespec="seconds")
    return f"{text[:19]} {text[19:]}"


def hour(at_ms: float, zone: tzinfo) -> str:
    """The same where the day is today's: ``02:43:10``."""
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%H:%M:%S}"


def span(seconds: float) -> str:
    """A duration for a person, in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = round(seconds)
    for unit_s, unit, small_s, small in _UNITS:
        if whole >= unit_s:
            rest = whole % unit_s // small_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def iso(at_ms: float, zone: tzinfo) -> str | None:
    """An instant for a program; None for 0."""
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="milliseconds") if at_ms else None
