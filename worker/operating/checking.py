"""
What is wrong with the objects of a file, found without Redis or credentials, by the intake itself.

Pure. Which accounts exist is not looked at: the machine that checks need not have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from jobs.days import window_ms
from jobs.intake import DEFAULT_ACCOUNT, Entry, IntakeDesk, Refused
from schemas import strict_json
from schemas.envelope import Remains
from schemas.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.records import JobRecord
from worker.operating.job_files import BadRow, Defaults, Row, fill, is_envelope

_ENTRY: Final = "0-1"
"""Stands for the id that Redis gives: nothing that is told depends on it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One job of a file and what was found in it."""

    row: Row | BadRow
    reference: str
    errors: tuple[ErrorDetail, ...]
    warnings: tuple[ErrorDetail, ...] = ()

    @property
    def is_bare(self) -> bool:
        """Whether it is a payload alone, of the type that the caller named."""
        return isinstance(self.row, Row) and not is_envelope(self.row.value)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs are fine, have warnings only, and have errors."""

    n_checked: int
    n_fine: int
    n_warned: int
    n_wrong: int


def counts_of(checked: Sequence[Checked]) -> Counts:
    """Add up what was found, each job by the worst of it."""
    n_wrong = sum(1 for one in checked if one.errors)
    n_warned = sum(1 for one in checked if one.warnings and not one.errors)
    return Counts(len(checked), len(checked) - n_wrong - n_warned, n_warned, n_wrong)


def check_rows(rows: Sequence[Row | BadRow], job_type: str, *, now: datetime) -> list[Checked]:
    """Everything that is wrong or doubtful, row by row. *job_type* is that of bare payloads."""
    checker = _Checker(Defaults(type=job_type), int(now.timestamp() * 1000))
    return [checker.check(row) for row in rows]


@dataclass(slots=True)
class _Checker:
    """Judges rows one after the other, and remembers what the next ones must not repeat."""

    defaults: Defaults
    now_ms: int
    _contents: dict[tuple[str, ...], tuple[str, str]] = field(default_factory=dict)

    def check(self, row: Row | BadRow) -> Checked:
        if isinstance(row, BadRow):
            return Checked(row, "", (ErrorDetail(code="envelope.invalid", message=row.reason),))
        envelope = fill(row.value, self.defaults)
        remains = Remains(envelope, entry_id=_ENTRY)
        # Whoever it is for counts as known: the desk of one account takes every job of it, named or not.
        desk = IntakeDesk({remains.account or DEFAULT_ACCOUNT: BOGOTA}, lambda: self.now_ms)
        found = desk.examine(Entry("", _ENTRY, strict_json.dump(envelope).encode()))
        reference = remains.reference_code or ""
        if isinstance(found, Refused):
            return Checked(row, reference, found.errors, found.warnings)
        return Checked(row, reference, self._lateness(found.record), self._doubts(row, envelope, found.record))

    def _lateness(self, record: JobRecord) -> tuple[ErrorDetail, ...]:
        """Why a job that is taken can only fail: the time in which it may begin is over, or never comes."""
        starts_ms, ends_ms = window_ms(record, BOGOTA)
        if not ends_ms or max(starts_ms, self.now_ms) < ends_ms:
            return ()
        if ends_ms == record.expires_at:
            text = "El trabajo vence (expires_at) antes de poder comenzar."
            return (ErrorDetail(code="job.expired", message=text, field="envelope.expires_at"),)
        text = f"El documento debe llevar la fecha {record.issue_on}, y ya no puede salir ese día."
        return (ErrorDetail(code="date.missed", message=text, field="envelope.issue_on"),)

    def _doubts(self, row: Row, envelope: dict[str, Any], record: JobRecord) -> tuple[ErrorDetail, ...]:
        told = strict_json.parse(record.warnings) if record.warnings else []
        return (*map(ErrorDetail.model_validate, told), *self._repetitions(row, envelope, record))

    def _repetitions(self, row: Row, envelope: dict[str, Any], record: JobRecord) -> list[ErrorDetail]:
        """An id or a reference that stands in another row with other content: which account it is for, nobody knows."""
        doubts = []
        account = str(envelope.get("account"))
        if "id" in envelope and (place := self._other_content((account, record.id), record.content, row)):
            text = f"El mismo id con otro contenido está en {place}: en una misma cuenta se rechaza."
            doubts.append(ErrorDetail(code="id.conflict", message=text, field="envelope.id"))
        key = (account, record.family, record.reference_code)
        if record.issues and (place := self._other_content(key, record.fingerprint, row)):
            text = f"El mismo código de referencia con otro contenido está en {place}: en una misma cuenta se rechaza."
            doubts.append(ErrorDetail(code="reference.conflict", message=text, field="reference_code"))
        return doubts

    def _other_content(self, key: tuple[str, ...], content: str, row: Row) -> str:
        first, place = self._contents.setdefault(key, (content, row.place))
        return "" if first == content else place
