"""
Certificates held against themselves and against each other: each by its hash, those of an account as one chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from jobs.closing.certificate import PREVIOUS, SHA256, sha256_of

_SHA256: Final = re.compile("[0-9a-f]{64}")

What = Literal["changed", "fork", "gap", "start"]
"""
``changed``: the content is not that of its hash. ``fork``: two follow the same one. ``gap``: the one before it is not
there, and others are. ``start``: the one before the first of those that are there is not; that is no fault.
"""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a certificate, or to be known: its name, and the hash that is meant."""

    what: What
    name: str
    account: str
    sha256: str


def is_certificate(value: Any) -> bool:
    """Whether a JSON value has what every certificate has."""
    if not isinstance(value, Mapping):
        return False
    own, previous = value.get(SHA256), value.get(PREVIOUS, "")
    names = (value.get("account"), value.get("day"))
    is_hash = isinstance(own, str) and _SHA256.fullmatch(own) is not None
    return is_hash and (previous is None or isinstance(previous, str)) and all(isinstance(one, str) for one in names)


def flaws(certificates: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Flaw]:
    """
    What is wrong with certificates, in the order in which they came.

    Args:
        certificates: A name (of the file) and the content of each; one that came twice counts once.
    """
    named = [(name, one) for name, one in certificates]
    found = [Flaw("changed", name, one["account"], one[SHA256]) for name, one in named if sha256_of(one) != one[SHA256]]
    by_account: dict[str, dict[str, tuple[str, Mapping[str, Any]]]] = {}
    for name, one in named:
        by_account.setdefault(one["account"], {}).setdefault(one[SHA256], (name, one))
    for account, own in by_account.items():
        found += _of_chain(account, own)
    return found


def _of_chain(account: str, own: Mapping[str, tuple[str, Mapping[str, Any]]]) -> list[Flaw]:
    found: list[Flaw] = []
    followed: set[str | None] = set()
    begins = [name for name, one in own.values() if one[PREVIOUS] not in own]
    for name, one in own.values():
        previous = one[PREVIOUS]
        if previous in followed:
            found.append(Flaw("fork", name, account, previous or ""))
        elif previous is not None and previous not in own:
            found.append(Flaw("gap" if len(begins) > 1 else "start", name, account, previous))
        followed.add(previous)
    return found
