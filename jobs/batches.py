"""
Batches: how a final job counts in its batch, and the event that closes one.

Pure. The counting itself is part of the scripts that make jobs final, so a batch is never behind its events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from jobs.results import operator_event
from schemas import strict_json
from schemas.event import ErrorDetail, Event

_SUCCESSES: Final = (".validated", ".completed")


@dataclass(frozen=True, slots=True)
class Tally:
    """
    What one final job adds to its batch; ``member`` empty when it has none.

    ``document`` names what ``cents`` are of: several jobs may have the same document, and its money counts once.
    """

    member: str = ""
    cents: int = 0
    number: str = ""
    failure: str = ""
    document: str = ""


NO_TALLY: Final = Tally()


def tally_of(event: Event) -> Tally:
    """What a final event adds to the batch of its job."""
    if not event.batch:
        return NO_TALLY
    member = f"{event.account or '?'}/{event.batch}"
    if event.success:
        if not event.type.endswith(".validated"):
            return Tally(member)
        data = event.data or {}
        total = data.get("total")
        cents = int(Decimal(total) * 100) if isinstance(total, str) else 0
        number = data.get("number")
        document = f"{event.type.removesuffix('.validated')}/{event.reference_code}"
        return Tally(member, cents, number if isinstance(number, str) else "", document=document)
    first = event.errors[0] if event.errors else None
    failure = {
        "job_id": event.job_id,
        "reference_code": event.reference_code,
        "type": event.type,
        "code": first.code if first else None,
        "message": first.message if first else event.message,
    }
    return Tally(member, failure=strict_json.dump(failure))


def completed_event(member: str, held: Mapping[str, str], failures: Sequence[str], *, now: datetime) -> Event:
    """
    ``batch.completed``.

    Args:
        member: ``account/batch``; the account is ``?`` where none could be read.
        held: The batch's counts, as stored.
        failures: JSON of the failures that are kept by name.
    """
    account, _, batch = member.partition("/")
    counts = {name.removeprefix("type:"): int(n) for name, n in sorted(held.items()) if name.startswith("type:")}
    n_final = sum(counts.values())
    n_good = sum(n for name, n in counts.items() if name.endswith(_SUCCESSES))
    cents = int(held.get("cents", "0"))
    data: dict[str, Any] = {
        "batch": batch,
        "size": int(held.get("size", "0")),
        "counts": counts,
        "total": f"{Decimal(cents) / 100:.2f}",
        "first_number": held.get("first_number"),
        "last_number": held.get("last_number"),
        "failures": [strict_json.parse(failure) for failure in failures],
    }
    errors = None
    message = f"Lote {batch} completo: {n_good} de {n_final} trabajos con éxito."
    if n_good < n_final:
        text = f"{n_final - n_good} de {n_final} trabajos del lote no terminaron con éxito."
        errors = (ErrorDetail(code="batch.partial", message=text),)
    known = None if account == "?" else account
    id_ = f"{member}/batch.completed"
    return operator_event(id_, "batch.completed", known, now, message, data, errors, batch=batch)
