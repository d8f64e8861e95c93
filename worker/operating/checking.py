"""
What is wrong with the objects of a file, found without Redis or credentials, by the intake itself.

Pure. Which accounts exist is not looked at: the machine that checks need not have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from jobs.intake import DEFAULT_ACCOUNT, Accepted, Entry, IntakeDesk, Refused
from schemas import strict_json
from schemas.envelope import Remains
from schemas.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.family import Family
from schemas.preflight import Preflight, examine
from schemas.records import JobRecord
from worker.operating.job_files import BadRow, Defaults, Row, fill

_ENTRY: Final = "0-1"
"""Stands for the id that Redis gives: nothing that is told depends on it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning and where it stands."""

    source: str
    line: int
    reference: str
    is_error: bool
    detail: ErrorDetail

    @property
    def place(self) -> str:
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs are fine, have warnings only, and have errors."""

    n_checked: int
    n_fine: int
    n_warned: int
    n_wrong: int


def counts_of(findings: Sequence[Finding], n_checked: int) -> Counts:
    """Add up what was found in so many jobs."""
    wrong = {finding.place for finding in findings if finding.is_error}
    warned = {finding.place for finding in findings} - wrong
    return Counts(n_checked, n_checked - len(wrong) - len(warned), len(warned), len(wrong))


def check_rows(rows: Sequence[Row | BadRow], job_type: str, *, today: date) -> list[Finding]:
    """Everything that is wrong or doubtful, in the order of the rows. *job_type* is that of bare payloads."""
    checker = _Checker(Defaults(type=job_type), today)
    return [finding for row in rows for finding in checker.check(row)]


@dataclass(slots=True)
class _Checker:
    """Judges rows one after the other, and remembers what the next ones must not repeat."""

    defaults: Defaults
    today: date
    _contents: dict[tuple[str, ...], tuple[str, str]] = field(default_factory=dict)

    def check(self, row: Row | BadRow) -> list[Finding]:
        if isinstance(row, BadRow):
            return [_finding(row, "", ErrorDetail(code="envelope.invalid", message=row.reason), is_error=True)]
        envelope = fill(row.value, self.defaults)
        remains = Remains(envelope, entry_id=_ENTRY)
        # Whoever it is for counts as known: the desk of one account takes every job of it, named or not.
        desk = IntakeDesk({remains.account or DEFAULT_ACCOUNT: BOGOTA}, self._examine)
        found = desk.examine(Entry("", _ENTRY, strict_json.dump(envelope).encode()))
        reference = remains.reference_code or ""
        if isinstance(found, Refused):
            return [_finding(row, reference, error, is_error=True) for error in found.errors]
        return [_finding(row, reference, warning, is_error=False) for warning in self._doubts(row, envelope, found)]

    def _examine(self, family: Family, payload: object) -> Preflight:
        return examine(family, payload, today=self.today)

    def _doubts(self, row: Row, envelope: dict[str, Any], found: Accepted) -> list[ErrorDetail]:
        record = found.record
        told = strict_json.parse(record.warnings) if record.warnings else []
        return [ErrorDetail.model_validate(one) for one in told] + self._repetitions(row, envelope, record)

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


def _finding(row: Row | BadRow, reference: str, detail: ErrorDetail, *, is_error: bool) -> Finding:
    return Finding(row.source, row.line, reference, is_error, detail)
