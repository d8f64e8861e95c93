"""
Numbers that Factus gives: a prefix and a consecutive number, written as one.

A prefix may end in digits, and then only who knows it can tell the two apart: what the ledger knows of the ranges that
issued is tried first, the longest before the others; without it the digits at the end are the consecutive number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_PARTS: Final = re.compile(r"(.*?)(0|[1-9][0-9]{0,17})\Z", re.DOTALL | re.ASCII)
_LARGEST: Final = 10**18


@dataclass(frozen=True, slots=True)
class Numbered:
    """A number in its parts; a text that is none has the whole of it as prefix, and no consecutive number."""

    prefix: str
    consecutive: int | None


class Prefixes:
    """The prefixes of a family that are known for sure."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({one for one in known if one}, key=lambda one: (-len(one), one))

    def split(self, number: str) -> Numbered:
        for prefix in self._known:
            rest = number.removeprefix(prefix)
            if rest != number and rest.isascii() and rest.isdecimal() and str(int(rest[:19])) == rest:
                consecutive = int(rest)
                return Numbered(prefix, consecutive) if consecutive < _LARGEST else Numbered(number, None)
        match = _PARTS.fullmatch(number)
        return Numbered(match[1], int(match[2])) if match else Numbered(number, None)
