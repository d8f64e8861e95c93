"""
The certificate of a day, made of what was gathered: pure, and the same for the same facts.

``sha256`` is that of the canonical JSON without itself: UTF-8 that is not escaped, keys in order, no spaces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from jobs.closing.classes import FamilyDay, PrefixDay, prefix_days
from jobs.closing.control import Lacking, compared, not_compared
from jobs.closing.days import instant_text
from jobs.day_facts import Day, EndedJob, LedgerDay, OpenJob
from schemas.names import ending_of, subject_of, verb_of

MOST_GAPS: Final = 5_000
MOST_JOBS: Final = 2_000
"""Gaps of a certificate, and jobs of each of its lists, that are named. What is left out is counted in a warning."""

SHA256: Final = "sha256"
PREVIOUS: Final = "previous_sha256"


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a certificate is made of. ``unread``: families whose list Factus refuses the account, and why."""

    account: str
    day: Day
    zone: ZoneInfo
    made_ms: int
    families: Sequence[FamilyDay]
    ledger: LedgerDay
    control: Sequence[Mapping[str, Any]] | None
    calls: int
    unread: Mapping[str, str]

    @property
    def is_over(self) -> bool:
        return self.made_ms >= self.day.ends_ms


def canonical(certificate: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed: the certificate without its own ``sha256``."""
    told = {name: value for name, value in certificate.items() if name != SHA256}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha256_of(certificate: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(certificate)).hexdigest()


def chained(body: Mapping[str, Any], previous: str | None) -> dict[str, Any]:
    """A certificate in the chain of its account, behind the one of *previous*."""
    found = {**body, PREVIOUS: previous}
    return {**found, SHA256: sha256_of(found)}


def certificate_of(facts: Gathered) -> dict[str, Any]:
    """The certificate, but for its place in the chain."""
    prefixes = [one for family in facts.families for one in prefix_days(family, facts.day)]
    warnings = [*_of_the_ledger(facts), *_of_families(facts), *_of_amounts(prefixes)]
    rows: list[dict[str, Any]] = []
    n_left_out = 0
    for one in prefixes:
        n_named = sum(len(row["gaps"]) for row in rows)
        row, n_more = one.summed(facts.zone, MOST_GAPS - n_named)
        rows.append(row)
        n_left_out += n_more
    still_open = [job for job in facts.ledger.open if is_of_day(job, facts.day, is_over=facts.is_over)]
    refused, failed = _not_issued(facts, prefixes)
    lists = {
        "open": [_open(job) for job in sorted(still_open, key=lambda one: (one.family, one.reference_code))],
        "refused": refused,
        "failed": failed,
    }
    n_left_out += sum(max(len(found) - MOST_JOBS, 0) for found in lists.values())
    if n_left_out:
        warnings.append(
            _warning("left_out", f"Sin nombrar, por ser demasiados: {n_left_out}. Las cuentas son de todos.")
        )
    control = None
    if facts.control is not None:
        control = compared(facts.control, prefixes, _lacking(facts, still_open))
        warnings += [
            _warning("control.partial", "Los totales de control no nombran esta familia: no se comparó.", family)
            for family in not_compared(facts.control, prefixes)
        ]
    is_settled = not still_open and all(one.n_unsettled == 0 for one in prefixes)
    return {
        "account": facts.account,
        "day": facts.day.name,
        "made_at": instant_text(facts.made_ms, facts.zone),
        "is_final": facts.is_over and is_settled,
        "prefixes": rows,
        **{name: found[:MOST_JOBS] for name, found in lists.items()},
        "control": control,
        **({"warnings": warnings} if warnings else {}),
        "calls": facts.calls,
    }


def is_of_day(job: OpenJob, day: Day, *, is_over: bool) -> bool:
    """
    Whether an open job belongs to a day: what was sent by the day of its sending, what waits by the day on which it may
    go out. While the day lasts, so does what has waited since an earlier one: it may still go out on it.
    """
    if job.sent_ms:
        return day.has(job.sent_ms)
    if job.is_bound_to_day or is_over:
        return job.first_day == day.name
    return job.first_day <= day.name


# -- jobs --------------------------------------------------------------------------------------------------------------
def _open(job: OpenJob) -> dict[str, Any]:
    return {"reference_code": job.reference_code, "family": job.family, "state": job.state, "why": job.why}


def _not_issued(facts: Gathered, prefixes: Sequence[PrefixDay]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """
    What was refused and what failed. What the DIAN rejected is among the refused where no number stands for it: it had
    none, or Factus has given it again.
    """
    deleted = {
        (one.family, place.number) for one in prefixes for place in one.places.values() if place.class_ == "deleted"
    }
    numbers = _numbers(facts)
    refused, failed = [], []
    for job in sorted(facts.ledger.ended, key=lambda one: (one.at_ms, one.family, one.reference_code, one.job_id)):
        if not facts.day.has(job.at_ms):
            continue
        told = _told(job, numbers.get((job.family, job.reference_code)), facts.zone)
        if job.ending == "failed" and not _removes(job):
            failed.append(told)
        elif job.ending == "refused" or (job.ending == "rejected" and (job.family, job.number) not in deleted):
            refused.append(told)
    return refused, failed


def _told(job: EndedJob, number: str | None, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "reference_code": job.reference_code or None,
        "family": job.family,
        "job_id": job.job_id,
        "type": job.type,
        "code": job.code,
        "rule": job.rule,
        "reason": job.reason,
        "at": instant_text(job.at_ms, zone),
        "number": number,
    }


def _removes(job: EndedJob) -> bool:
    """Whether a job was to remove a document: that it could not is no document that failed."""
    return verb_of(subject_of(job.type)) == "delete" and ending_of(job.type) == "failed"


def _numbers(facts: Gathered) -> dict[tuple[str, str], str]:
    """Under which number a reference is validated, whatever its earlier jobs came to."""
    known = {
        (family.family, reference): one.number
        for family in facts.families
        for reference, one in family.known.items()
        if one.is_validated and one.number
    }
    listed = {
        (family.family, row.reference_code): row.number
        for family in facts.families
        for row in family.rows
        if row.is_validated and row.reference_code
    }
    return {**known, **listed}


def _lacking(facts: Gathered, still_open: Iterable[OpenJob]) -> list[Lacking]:
    numbers = _numbers(facts)
    found = [Lacking(job.family, job.reference_code, job.total) for job in still_open]
    found += [
        Lacking(job.family, job.reference_code, job.total)
        for job in facts.ledger.ended
        if facts.day.has(job.at_ms) and job.ending in ("refused", "rejected", "failed")
    ]
    return [one for one in found if (one.family, one.reference_code) not in numbers]


# -- what a reader must know -------------------------------------------------------------------------------------------
def _warning(code: str, message: str, family: str | None = None) -> dict[str, Any]:
    return {"code": code, "family": family, "message": message}


def _of_the_ledger(facts: Gathered) -> list[dict[str, Any]]:
    found, ledger, day = [], facts.ledger, facts.day
    if day.starts_ms < ledger.forgets_ms:
        text = (
            "Este servicio ya no recuerda todo este día: lo que no está en Factus puede faltar, o quedar sin explicar."
        )
        found.append(_warning("ledger.forgotten", text))
    elif ledger.since_ms > day.starts_ms:
        since = instant_text(ledger.since_ms, facts.zone)
        text = (
            f"Este servicio anota cómo termina cada trabajo desde {since}: lo rechazado, negado o fallido antes no "
            "está aquí, y sus números quedan sin explicar."
        )
        found.append(_warning("ledger.younger", text))
    if ledger.is_full:
        found.append(
            _warning("ledger.full", "Este día terminaron más trabajos de los que se anotan: faltan los últimos.")
        )
    return found


def _of_families(facts: Gathered) -> list[dict[str, Any]]:
    return [
        _warning("family.unread", f"Factus no dio la lista de esta familia: {why}", family)
        for family, why in sorted(facts.unread.items())
    ]


def _of_amounts(prefixes: Iterable[PrefixDay]) -> list[dict[str, Any]]:
    return [
        _warning(
            "amount.unknown",
            f"De {one.n_unpriced} documentos con prefijo {one.prefix or '(sin prefijo)'} no se sabe el "
            "impuesto o el total: no está sumado.",
            one.family,
        )
        for one in prefixes
        if one.n_unpriced
    ]
