"""
Answers of Factus, as loose as they are.

``errors`` comes as a map, a map of lists, a list of texts or a list of objects, in four places; a success body may
carry them too. This module reads all of that into a few small values and decides nothing.
Source: Factus API v2, error handling; shapes as recorded by integrators up to 2026-10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

_RULE: Final = re.compile(r"^\s*Regla:\s*(?P<rule>[^,]+?)\s*,\s*(?P<word>[^:]+?)\s*:\s*(?P<text>.*)$", re.DOTALL)
_DIAN_MESSAGE: Final = "contiene errores de validaci"
_PROCESSED_BEFORE: Final = "procesado anteriormente"
BOGOTA: Final = ZoneInfo("America/Bogota")


@dataclass(frozen=True, slots=True)
class Remark:
    """One text of ``errors``: a field's fault, or a rule of DIAN."""

    text: str
    key: str | None = None

    @property
    def rule(self) -> str | None:
        """DIAN's rule (``FAK24``), from the text; else from a key that is no field path."""
        match = _RULE.match(self.text)
        if match:
            return match["rule"]
        return None

    @property
    def words(self) -> str:
        """The text without ``Regla: X, Rechazo:``."""
        match = _RULE.match(self.text)
        return match["text"].strip() if match else self.text.strip()

    @property
    def is_rejection(self) -> bool:
        """The word decides, never the code: FAJ43b appears with both."""
        match = _RULE.match(self.text)
        return "rechazo" in (match["word"] if match else self.text).casefold()

    @property
    def is_processed_before(self) -> bool:
        """Rule 90: DIAN already holds the document. No ordinary rejection."""
        return self.rule == "90" or _PROCESSED_BEFORE in self.text.casefold()


def remarks(body: Any) -> tuple[Remark, ...]:
    """Every text of ``errors``, wherever and in whichever shape it stands."""
    if not isinstance(body, Mapping):
        return ()
    data = body.get("data")
    for holder in (data, body):
        if isinstance(holder, Mapping) and holder.get("errors"):
            return tuple(_flatten(holder["errors"], None))
    return ()


def _flatten(errors: Any, key: str | None) -> Iterator[Remark]:
    match errors:
        case str():
            yield Remark(errors, key)
        case list():
            for item in errors:
                yield from _flatten(item, key)
        case {"message": str() as message, **rest}:
            detail = rest.get("detail")
            yield Remark(f"{message}: {detail}" if isinstance(detail, str) else message, key)
        case dict():
            for name, item in errors.items():
                yield from _flatten(item, name)


def message_of(body: Any) -> str:
    """The text for a person: the root message, else that of ``data`` or of the first error; may be empty."""
    if not isinstance(body, Mapping):
        return ""
    data = body.get("data")
    for holder in (body, data):
        if isinstance(holder, Mapping) and isinstance(holder.get("message"), str):
            return str(holder["message"])
    found = remarks(body)
    return found[0].text if found else ""


def is_dian_refusal(body: Any) -> bool:
    """Whether a 422 is DIAN's (the document is stored and blocks) and not one about fields (nothing is stored)."""
    return _DIAN_MESSAGE in message_of(body).casefold() or any(
        remark.is_rejection or remark.is_processed_before for remark in remarks(body)
    )


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document as Factus gave it, in full (create, show) or as a row of a list."""

    raw: Mapping[str, Any]

    @property
    def reference_code(self) -> str | None:
        return _text(self.raw.get("reference_code"))

    @property
    def number(self) -> str | None:
        return _text(self.raw.get("number"))

    @property
    def is_validated(self) -> bool:
        """Nothing else decides: not the HTTP status, not the message, not ``errors``."""
        return self.raw.get("is_validated") is True

    @property
    def remarks(self) -> tuple[Remark, ...]:
        return remarks(self.raw)


def amount(value: Any) -> Decimal | None:
    """A decimal of an answer, or None when it is not there or not one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


_INSTANT: Final = re.compile(
    r"\s*(\d\d)-(\d\d)-(\d{4}) (\d{1,2}):(\d\d):(\d\d)(?: ([AP])M)?\s*", re.ASCII | re.IGNORECASE
)


def instant(value: Any) -> str | None:
    """
    An RFC 3339 time from Factus's ``13-05-2026 08:21:47 AM``, Bogotá time; None when it is no such text.

    Some pages show a 24-hour clock with the same mask; both are read.
    """
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, month, year, hour, minute, second = (int(text) for text in match.groups()[:6])
    half = (match[7] or "").upper()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "P" else 0)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=BOGOTA).isoformat(timespec="seconds")
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
