"""
The example jobs of the contract, as a producer pushes them and as the intake takes them in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from jobs import example_payloads
from jobs.entry import Accepted, Entry
from jobs.intake import EntryValidator
from schemas import strict_json
from schemas.factus import BOGOTA
from schemas.names import family_of, job_type_of, verb_of
from schemas.records import JobRecord

NOW: Final = datetime(2026, 11, 25, 8, 21, 50, 512000, BOGOTA)
ACCOUNT: Final = "acme"
_ENTRY: Final = f"{int(NOW.timestamp() * 1000)}-0"


def envelope(name: str, **more: Any) -> dict[str, Any]:
    """
    A job of a type; *name* may also be one of ``example_payloads.MORE``.

    Args:
        more: Further fields of the envelope.
    """
    job_type = job_type_of(family_of(name), verb_of(name).partition(".")[0])
    return {
        "type": job_type,
        "id": f"erp-{name}-1",
        "account": ACCOUNT,
        **more,
        "payload": example_payloads.example(name),
    }


def record(pushed: dict[str, Any]) -> JobRecord:
    """A job as the intake writes it down."""
    validator = EntryValidator({ACCOUNT: BOGOTA}, lambda: int(NOW.timestamp() * 1000))
    found = validator.validate(Entry("factus:jobs", _ENTRY, strict_json.dump(pushed).encode()))
    assert isinstance(found, Accepted), found
    return found.record
