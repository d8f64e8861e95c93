"""
The ledger's records as a closing needs them: fields as they are stored become plain values.

A field that is damaged counts as not there: one bad record leaves a number unexplained, and not a day unclosed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from jobs.closing.days import day_at
from jobs.closing.rows import prefix_of
from jobs.day_facts import EndedJob, KnownDocument, OpenJob
from jobs.outcomes import Finished
from schemas import names, strict_json
from schemas.factus import amount
from schemas.records import SendState

ENDED_FIELDS: Final = (
    "type",
    "reference_code",
    "final_type",
    "number",
    "total",
    "tax_amount",
    "prefix",
    "issued_ms",
    "last_error",
    "sending_at",
    "pending_since",
)
OPEN_FIELDS: Final = (
    "type",
    "reference_code",
    "number",
    "state",
    "sent",
    "sending_at",
    "pending_since",
    "issue_on",
    "start_at",
    "accepted_at",
    "next_at",
    "total",
    "last_error",
)
_LONGEST_REASON: Final = 300
_NEAR_MS: Final = 900_000
"""Between a sending and Factus's date of it: the clocks' difference, and a create that was answered late."""

Stored = Mapping[str, str]


def of_validated(ending: Finished) -> dict[str, str]:
    """What the record of a validated document keeps for whoever closes its day, as it is stored."""
    data = ending.data if ending.state == "validated" else None
    if data is None:
        return {}
    tax, raw = data.get("tax_amount"), data.get("factus")
    prefix = prefix_of(raw) if isinstance(raw, Mapping) else ""
    issued_at = data.get("issued_at")
    issued_ms = str(round(datetime.fromisoformat(issued_at).timestamp() * 1000)) if issued_at else ""
    found = {"tax_amount": tax if isinstance(tax, str) else "", "prefix": prefix, "issued_ms": issued_ms}
    return {name: value for name, value in found.items() if value}


def known_document(state: str, job_id: str, stored: Stored) -> KnownDocument:
    return KnownDocument(
        number=stored.get("number", ""),
        is_validated=state == "validated",
        is_open=state == "open",
        asked_total=_money(stored.get("total", "")),
        tax_amount=_money(stored.get("tax_amount", "")),
        prefix=stored.get("prefix", ""),
        job_id=job_id,
    )


def ended_job(job_id: str, stored: Stored, at_ms: int) -> EndedJob:
    error = _error(stored["last_error"])
    return EndedJob(
        job_id=job_id,
        family=names.family_of(stored["type"]),
        reference_code=stored["reference_code"],
        type=stored["final_type"],
        number=stored["number"],
        total=_money(stored["total"]),
        tax_amount=_money(stored["tax_amount"]),
        prefix=stored["prefix"],
        code=_text(error, "code"),
        rule=_text(error, "rule"),
        reason=_text(error, "message"),
        at_ms=at_ms,
        sent_ms=_issued_ms(stored),
    )


def refused_job(told: Mapping[str, Any], at_ms: int) -> EndedJob:
    """A refusal that has no record."""
    return EndedJob(
        job_id=_text(told, "job_id") or "",
        family=_text(told, "family") or "",
        reference_code=_text(told, "reference_code") or "",
        type="job.refused",
        number="",
        total=None,
        tax_amount=None,
        prefix="",
        code=_text(told, "code"),
        rule=_text(told, "rule"),
        reason=_text(told, "reason"),
        at_ms=at_ms,
        sent_ms=0,
    )


def open_job(job_id: str, stored: Stored, zone: ZoneInfo) -> OpenJob:
    is_pending, may_be_there = bool(_ms(stored["pending_since"])), stored["sent"] != SendState.NOTHING
    sent_ms = _sent_ms(stored) if is_pending or may_be_there else 0
    state = "pending" if is_pending else "sent" if sent_ms else "delayed" if _ms(stored["next_at"]) else "waiting"
    begins_ms = max(_ms(stored["start_at"]), _ms(stored["accepted_at"]))
    return OpenJob(
        job_id=job_id,
        family=names.family_of(stored["type"]),
        reference_code=stored["reference_code"],
        number=stored["number"],
        state=state,
        why=_why(state, stored),
        total=_money(stored["total"]),
        first_day=stored["issue_on"] or day_at(begins_ms, zone),
        is_bound_to_day=bool(stored["issue_on"]),
        sent_ms=sent_ms,
    )


def _sent_ms(stored: Stored) -> int:
    """
    When Factus got it, as near as is known; 0 where nobody has sent it. ``pending_since`` comes with the first answer,
    up to a minute later; ``sending_at`` is of the last sending, which is another one where DIAN was silent.
    """
    return min(filter(None, (_ms(stored["pending_since"]), _ms(stored["sending_at"]))), default=0)


def _issued_ms(stored: Stored) -> int:
    """
    When Factus made it, whose list goes by that: it may be on the other side of midnight. What is far from the sending
    is no such difference, and would leave a number out of the day on which it is missed.
    """
    sent_ms, issued_ms = _sent_ms(stored), _ms(stored["issued_ms"])
    return issued_ms if abs(issued_ms - sent_ms) <= _NEAR_MS else sent_ms


def _why(state: str, stored: Stored) -> str:
    reason = _text(_error(stored["last_error"]), "message")
    if reason:
        return reason
    return {
        "pending": "Factus lo tiene y la DIAN no ha respondido.",
        "sent": "Se está enviando, o no se sabe si Factus lo tiene: se consulta.",
        "delayed": "Espera a la hora o al día desde el que puede salir.",
    }.get(state, "Espera su turno.")


def _money(stored: str) -> Decimal | None:
    return amount(stored) if stored else None


def _ms(stored: str) -> int:
    return int(stored) if stored.isascii() and stored.isdecimal() and len(stored) < 16 else 0


def _error(stored: str) -> Mapping[str, Any]:
    try:
        found = strict_json.parse(stored) if stored else {}
    except strict_json.JsonRefused:
        return {}
    return found if isinstance(found, Mapping) else {}


def _text(told: Mapping[str, Any], name: str) -> str | None:
    found = told.get(name)
    return found[:_LONGEST_REASON] if isinstance(found, str) else None
