"""
Texts of others on a page: what is shown of them, however they were made. Pure.

Escaping is the templates' part. Here goes what escaping leaves: signs that turn the direction of a line, that take no
room or too much of it. What a viewer is not to see is masked by ``worker/http/masking.py``.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, tzinfo
from typing import Final

_REPLACEMENT: Final = "\ufffd"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_MOST_MARKS: Final = 2
_MORE: Final = "…"

_TYPED: Final = re.compile(r"(factus-worker(?: [^\s;,:()]+)*[^\s;,:().…])")

_MONTHS: Final = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")
_WEEKDAYS: Final = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_LONG_MONTHS: Final = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre"),
    *("noviembre", "diciembre"),
)


def shown(text: object, most: int) -> str:
    """
    A text in one line of at most *most* characters.

    What no screen shows (controls, signs of direction, lone surrogates) is a replacement character each: whoever looks
    sees that something stands there. Of accents piled on one letter two are left.
    """
    found: list[str] = []
    n_marks = 0
    # A text may have a megabyte, of which a line is shown.
    for sign in str(text)[: most * 4]:
        if sign.isspace():
            found.append(" ")
            continue
        if unicodedata.combining(sign):
            n_marks += 1
            if n_marks > _MOST_MARKS:
                continue
        else:
            n_marks = 0
        found.append(_REPLACEMENT if unicodedata.category(sign) in _INVISIBLE else sign)
    line = " ".join("".join(found).split(" ")).strip()
    line = re.sub(r" {2,}", " ", line)
    is_cut = len(line) > most or len(str(text)) > most * 4
    return line[: most - 1].rstrip() + _MORE if is_cut else line


def pieces(text: str) -> list[tuple[bool, str]]:
    """A sentence in parts, each with whether it is a command to be typed: as far as the next sign."""
    found = [(n % 2 == 1, part) for n, part in enumerate(_TYPED.split(text))]
    return [(is_typed, part) for is_typed, part in found if part]


def moment(at_ms: float, zone: tzinfo, now_ms: float) -> str:
    """An instant for a person: ``23:40``; of another day ``29 nov 23:40``; empty for 0."""
    if not at_ms:
        return ""
    at, now = (datetime.fromtimestamp(ms / 1000, zone) for ms in (at_ms, now_ms))
    clock = f"{at:%H:%M}"
    if at.date() == now.date():
        return clock
    year = f" {at.year}" if at.year != now.year else ""
    return f"{at.day} {_MONTHS[at.month - 1]}{year} {clock}"


def long_day(at_ms: float, zone: tzinfo) -> str:
    """``lunes 30 de noviembre de 2026``."""
    at = datetime.fromtimestamp(at_ms / 1000, zone)
    return f"{_WEEKDAYS[at.weekday()]} {at.day} de {_LONG_MONTHS[at.month - 1]} de {at.year}"


def minutes(seconds: float) -> str:
    """A duration in whole minutes: ``menos de 1 min``, ``47 min``, ``2 h 5 min``, ``3 d 4 h``. What is begun counts."""
    if seconds <= 0:
        return "nada"
    whole = -int(-seconds // 60)
    if whole <= 1:
        return "menos de 1 min"
    if whole < 60:
        return f"{whole} min"
    hours, rest = divmod(whole, 60)
    if hours < 48:
        return f"{hours} h" + (f" {rest} min" if rest else "")
    days, hours = divmod(hours, 24)
    return f"{days} d" + (f" {hours} h" if hours else "")


def today(now_ms: int, zone: tzinfo) -> str:
    """The date of an instant in a zone, as ISO 8601 has it."""
    return datetime.fromtimestamp(now_ms / 1000, zone).date().isoformat()


def on_its_own(text: str) -> str:
    """A text with a capital, so that it stands for itself; a name of a command stays as it is typed."""
    if not text or text.startswith("factus-"):
        return text
    return text[0].upper() + text[1:]
