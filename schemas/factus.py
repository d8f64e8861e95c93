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
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

_RULE: Final = re.compile(r"^\s*Regla:\s*(?P<rule>[^,]+?)\s*,\s*(?P<word>[^:]+?)\s*:\s*(?P<text>.*)$", re.DOTALL)
_RULE_ID: Final = re.compile(r"[A-Z]{2,6}-?\d{1,4}[a-z]?|\d{1,3}", re.ASCII)
_LONGEST_RULE: Final = 50
_MOST_REMARKS: Final = 100
_LONGEST_TEXT: Final = 1000
"""Characters of one foreign text: it goes into errors, which everybody who follows the stream reads."""

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
            return match["rule"][:_LONGEST_RULE]
        return self.key if self.key and _RULE_ID.fullmatch(self.key) else None

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
            return tuple(islice(_flatten(holder["errors"], None), _MOST_REMARKS))
    return ()


def _flatten(errors: Any, key: str | None) -> Iterator[Remark]:
    match errors:
        case str():
            if errors.strip():
                yield Remark(shortened(errors), key)
        case list():
            for item in errors:
                yield from _flatten(item, key)
        case {"message": str() as message, **rest}:
            detail, code = rest.get("detail"), rest.get("code")
            text = f"{message}: {detail}" if isinstance(detail, str) else message
            yield Remark(shortened(text), code if isinstance(code, str) and _RULE_ID.fullmatch(code) else key)
        case dict():
            for name, item in errors.items():
                yield from _flatten(item, name[:_LONGEST_TEXT])


def shortened(text: str) -> str:
    """A foreign text as long as a person reads it."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def message_of(body: Any) -> str:
    """The text for a person: the root message, else that of ``data`` or of the first error; may be empty."""
    if not isinstance(body, Mapping):
        return ""
    data = body.get("data")
    for holder in (body, data):
        if isinstance(holder, Mapping) and isinstance(holder.get("message"), str):
            return shortened(holder["message"])
    found = remarks(body)
    return found[0].text if found else ""


Word = Literal["rules", "fields", "message", "route", "stranger"]
"""
What a body says of a refusal: DIAN's rules, faults by field, a message of Factus, that Factus has no such route, or
nothing that Factus would say (another server's JSON, or none).
"""

_NO_ROUTE: Final = re.compile(
    r"^the route .* could not be found|method is not supported for (?:this )?route|no route matched", re.IGNORECASE
)
_PHRASES: Final = frozenset(status.phrase.casefold() for status in HTTPStatus)


def word_of(body: Any) -> Word:
    """
    Who speaks in a body that is no success, and of what.

    Factus answers with an object that has ``message`` or ``errors``. Its framework, when no route is there, answers so
    too, in English; and any gateway may say the name of the status, which tells nothing of a document.
    """
    if not isinstance(body, Mapping):
        return "stranger"
    if is_dian_refusal(body):
        return "rules"
    message = message_of(body).strip()
    if _NO_ROUTE.search(message):
        return "route"
    if remarks(body):
        return "fields"
    return "message" if message and message.strip(".!").casefold() not in _PHRASES else "stranger"


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
        """A whole number is one as text; what is neither is none."""
        found = self.raw.get("number")
        return str(found) if type(found) is int and 0 <= found <= _LARGEST_FIGURE else _text(found)

    @property
    def is_validated(self) -> bool:
        """Nothing else decides: not the HTTP status, not the message, not ``errors``."""
        return self.raw.get("is_validated") is True

    @property
    def remarks(self) -> tuple[Remark, ...]:
        return remarks(self.raw)


_LONGEST_AMOUNT: Final = 40
_LARGEST_FIGURE: Final = 2**53 - 1
"""Of what counts something: beyond it not every reader of JSON has the same number."""


def figure(value: Any) -> int | None:
    """A count of an answer, or None when it is not there or none."""
    return value if type(value) is int and 0 <= value <= _LARGEST_FIGURE else None


def amount(value: Any) -> Decimal | None:
    """A decimal of an answer, or None when it is not there or not one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    if isinstance(value, str) and len(value) > _LONGEST_AMOUNT:
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    # Written out, 1e300000000 has 300 MB.
    return found if found.is_finite() and abs(found.adjusted()) <= _LONGEST_AMOUNT else None


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


_LONGEST_NAME: Final = 255
"""Characters of a number or reference: what is longer is none."""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME else None
