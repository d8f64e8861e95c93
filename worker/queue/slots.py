"""
The slots of a process: how many jobs it runs at once, what a large one takes, and from where on it shares
(docs/decisions/0044).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOT_BYTES: Final = 64 * 1024
"""A job takes a slot of its process, and one more for each so many bytes of its payload: read, it is ten times that."""


@dataclass(frozen=True, slots=True)
class SlotsPolicy:
    """
    How many slots a process has: a job takes one, a large one more (:func:`slots_of`).

    From ``shared_from`` on it claims no more of what it starts: that stays in arq's queue, where a process with less to
    do claims it at once. What nobody has claimed for ``patience_ms`` it claims itself, up to ``most``.
    """

    most: int = 256
    shared_from: int = 64
    patience_ms: int = 10


SLOTS: Final = SlotsPolicy()


def slots_of(payload: str) -> int:
    """How many slots a job takes, much as the script has reckoned that handed it over (lib/claims.lua)."""
    return 1 + len(payload) // SLOT_BYTES
