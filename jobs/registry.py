"""
Which job types exist: name, family, verb and lane.

Lanes are named ``{account}/{family}`` (issuing, one at a time, because Factus answers 409 while one document of a
family is not validated) or ``{account}/calls`` (all else).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CALLS_LANE: Final = "calls"
ISSUING_WIDTH: Final = 1


@dataclass(frozen=True, slots=True)
class JobType:
    """One row of docs/contract.md, section 3."""

    name: str
    family: str
    verb: str

    @property
    def issues(self) -> bool:
        return self.verb == "issue"

    def lane(self, account: str) -> str:
        return f"{account}/{self.family if self.issues else CALLS_LANE}"


JOB_TYPES: Final = {row.name: row for row in (JobType("invoice.issue", "invoice", "issue"),)}

FAMILY_NAMES: Final = {"invoice": "Factura"}
"""What a person calls a document of the family."""


def width(lane: str, concurrency: int) -> int:
    """How many jobs of a lane may be under way at once."""
    return concurrency if lane.endswith(f"/{CALLS_LANE}") else ISSUING_WIDTH
