"""
What the sandbox was asked, from its own log: one line for each request, with its end to the millisecond.

The same outside view for every program that calls it, ours and the peers'.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(
    r"(?P<clock>\d\d:\d\d:\d\d)\.(?P<ms>\d{3}) (?P<method>[A-Z]+) (?P<target>\S+) -> "
    r"(?:(?P<status>\d{3})[^,]*|no answer), (?P<took>\d+) ms ?(?P<account>\S*) ?(?P<reference>\S*)"
)
_CREATE: Final = "/v2/bills/validate"
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Create:
    """One create that was let through; instants as ``time.time()``, to 2 ms. ``status`` 0: no answer was given."""

    account: str
    reference_code: str
    status: int
    began_at: float
    ended_at: float


def creates(folder: Path) -> list[Create]:
    """The creates that passed the allowance, by their beginning; a refused one (429) names no reference in the log."""
    found = []
    for log in folder.glob("sandbox-*.log"):
        for line in log.read_text(errors="replace").splitlines():
            told = _LINE.match(line)
            if told and told["target"] == _CREATE and told["reference"]:
                ended_at = _instant(told["clock"], int(told["ms"]))
                began_at = ended_at - int(told["took"]) / 1000
                found.append(Create(told["account"], told["reference"], int(told["status"] or 0), began_at, ended_at))
    return sorted(found, key=lambda create: create.began_at)


def _instant(clock: str, ms: int) -> float:
    """A time of day of the last 24 hours as an instant."""
    today = time.strftime("%Y-%m-%d ")
    at = time.mktime(time.strptime(today + clock, "%Y-%m-%d %H:%M:%S")) + ms / 1000
    return at - _DAY_S if at > time.time() + 1 else at


def wait_of(reference_code: str, sent_at: float, seen: Sequence[Create]) -> tuple[float, int] | None:
    """
    How long a document waited for its first create, and behind how many others.

    Returns:
        Seconds from *sent_at*; creates of the same account that began in that time. None when it never began.
    """
    own = next((create for create in seen if create.reference_code == reference_code), None)
    if own is None:
        return None
    between = [create for create in seen if create.account == own.account and sent_at < create.began_at < own.began_at]
    return max(own.began_at - sent_at, 0.0), len(between)
