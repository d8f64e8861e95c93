"""
Batches: how a final job counts in its batch, and the event that closes one.

Pure. The counting itself is part of the scripts that make jobs final, so a batch is never behind its events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from jobs.events import operator_event
from schemas import names, strict_json
from schemas.contract.event import ErrorDetail, Event
from schemas.factus import amount

_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_MOST_MONEY: Final = 10**15
_SUCCESSES: Final = ("validated", "completed")


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
    member = names.in_account(event.account or "?", event.batch)
    if event.success:
        if names.ending_of(event.type) != "validated":
            return Tally(member)
        data = event.data or {}
        cents = _cents(data.get("total"))
        number = data.get("number")
        document = f"{names.subject_of(event.type)}/{event.reference_code}"
        return Tally(member, cents, number if isinstance(number, str) else "", document=document)
    first = event.errors[0] if event.errors else None
    failure = {
        "job_id": event.job_id,
        "reference_code": event.reference_code,
        "type": event.type,
        "code": first.code if first else None,
        "message": first.message if first else event.message,
        "number": (event.data or {}).get("number"),
        "rule": first.rule if first else None,
    }
    return Tally(member, failure=strict_json.dump(failure))


def completed_event(member: str, held: Mapping[str, str], failures: Sequence[str], *, now: datetime) -> Event:
    """
    ``batch.completed``.

    Args:
        member: ``account/batch``; the account is ``?`` where none could be read.
        held: The batch's counts, as stored. One that cannot be read counts as 0, a size as the number of its jobs.
        failures: JSON of the failures that are kept by name.
    """
    account, batch = names.account_of(member), names.within_account(member)
    counts = {name.removeprefix("type:"): _whole(n) for name, n in sorted(held.items()) if name.startswith("type:")}
    n_final = sum(counts.values())
    n_good = sum(n for name, n in counts.items() if names.ending_of(name) in _SUCCESSES)
    cents = _whole(held.get("cents", "0"))
    data: dict[str, Any] = {
        "batch": batch,
        "size": _whole(held.get("size", "0")) or n_final,
        "counts": counts,
        "total": f"{Decimal(cents) / 100:.2f}",
        "first_number": held.get("first_number"),
        "last_number": held.get("last_number"),
        "failures": [found for failure in failures if (found := _failure(failure)) is not None],
    }
    errors = None
    message = f"Lote {batch} completo: {n_good} de {n_final} trabajos con éxito."
    if n_good < n_final:
        text = f"{n_final - n_good} de {n_final} trabajos del lote no terminaron con éxito."
        errors = (ErrorDetail(code="batch.partial", message=text),)
    known = None if account == "?" else account
    id_ = f"{member}/batch.completed"
    return operator_event(id_, "batch.completed", known, now, message, data, errors, batch=batch)


def _cents(total: Any) -> int:
    """The money of a document; 0 where Factus said none that a sum can be made of."""
    found = amount(total) if isinstance(total, str) else None
    return int(found * 100) if found is not None and 0 <= found < _MOST_MONEY else 0


def _whole(stored: str) -> int:
    return int(stored) if _WHOLE_NUMBER.fullmatch(stored) else 0


def _failure(stored: str) -> Any:
    try:
        return strict_json.parse(stored)
    except strict_json.JsonRefused:
        return None
