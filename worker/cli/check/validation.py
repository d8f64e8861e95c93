"""
What is wrong with the objects of a file, found without Redis or credentials, by the intake itself.

Pure. Which accounts exist is not looked at: the machine that checks need not have them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from jobs.entry import Entry, Refused
from jobs.fiscal_day import start_window_ms
from jobs.intake import DEFAULT_ACCOUNT, EntryValidator
from schemas import strict_json
from schemas.contract.envelope import PartialEnvelope
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.records import JobRecord
from schemas.sheets.sheet import MOST_FAULTS
from worker.cli.files.job_files import AboutFile, BadRow, Defaults, FileRow, Row, fill, is_envelope

_DIGEST_BYTES: Final = 16
_SMALL_BYTES: Final = 50_000
_ENTRY: Final = "0-1"
"""Stands for the id that Redis gives: nothing that is told depends on it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One job of a file and what was found in it."""

    row: FileRow
    reference: str
    errors: tuple[ErrorDetail, ...]
    warnings: tuple[ErrorDetail, ...] = ()
    n_untold: tuple[int, int] = (0, 0)
    """Errors and warnings that are counted and not told: a spreadsheet may have a million."""

    @property
    def n_errors(self) -> int:
        return len(self.errors) + self.n_untold[0]

    @property
    def n_warnings(self) -> int:
        return len(self.warnings) + self.n_untold[1]

    @property
    def is_bare(self) -> bool:
        """Whether it is a payload alone, of the type that the caller named."""
        return isinstance(self.row, Row) and not self.row.is_of_sheet and not is_envelope(self.row.value)


_NOWHERE: Final = Row("", 0, value={})


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs are fine, have warnings only, and have errors."""

    n_checked: int
    n_fine: int
    n_warned: int
    n_wrong: int


def counts_of(checked: Sequence[Checked]) -> Counts:
    """Add up what was found, each job by the worst of it."""
    jobs = [one for one in checked if not isinstance(one.row, AboutFile)]
    n_wrong = sum(1 for one in jobs if one.n_errors)
    n_warned = sum(1 for one in jobs if one.n_warnings and not one.n_errors)
    return Counts(len(jobs), len(jobs) - n_wrong - n_warned, n_warned, n_wrong)


def check_rows(
    rows: Iterable[FileRow],
    job_type: str,
    *,
    now: datetime,
    defaults: Defaults | None = None,
    forget: bool = False,
) -> list[Checked]:
    """
    Everything that is wrong or doubtful, row by row.

    Args:
        job_type: That of bare payloads.
        defaults: What fills the envelopes; of the job type alone where it is left out.
        forget: Whether documents of spreadsheets are let go of when they have been judged.
    """
    checker = _Checker(defaults or Defaults(type=job_type), int(now.timestamp() * 1000))
    bound = _Bound()
    found: list[Checked] = []
    for row in rows:
        judged = checker.check(row)
        if isinstance(row, AboutFile) or (isinstance(row, Row) and row.is_of_sheet):
            judged = bound.of(judged)
        if forget and isinstance(row, Row) and row.is_of_sheet:
            row.forget()
            judged = bound.without_row(judged)
        found.append(judged)
    return found


@dataclass(slots=True)
class _Bound:
    """Of what is said of spreadsheets the first thousands are kept; the rest is counted."""

    n_errors: int = 0
    n_warnings: int = 0
    _same: dict[tuple[int, int], Checked] = field(default_factory=dict)

    def of(self, one: Checked) -> Checked:
        """The same with no more than may still be told."""
        errors = one.errors[: max(MOST_FAULTS - self.n_errors, 0)]
        warnings = one.warnings[: max(MOST_FAULTS - self.n_warnings, 0)]
        self.n_errors += len(errors)
        self.n_warnings += len(warnings)
        if (len(errors), len(warnings)) == (len(one.errors), len(one.warnings)):
            return one
        n_untold = (one.n_errors - len(errors), one.n_warnings - len(warnings))
        return replace(one, errors=errors, warnings=warnings, n_untold=n_untold)

    def without_row(self, one: Checked) -> Checked:
        """Of a document of which nothing is told only its numbers count: there may be two hundred thousand."""
        if one.errors or one.warnings:
            return one
        return self._same.setdefault(one.n_untold, Checked(_NOWHERE, "", (), (), one.n_untold))


def contradictions(rows: Sequence[Row], defaults: Defaults, *, now: datetime) -> list[tuple[str, str]]:
    """
    Ids and references that stand in several rows with different content: where, and why the intake would refuse it.

    Only rows that name something twice are judged: a file of thousands costs no check of each.
    """
    named = [(row, names) for row in rows if (names := _names_in(fill(row.value, defaults)))]
    often = {name for name, n in Counter(name for _, names in named for name in names).items() if n > 1}
    checker = _Checker(defaults, int(now.timestamp() * 1000))
    suspects = [row for row, names in named if not often.isdisjoint(names)]
    return [
        (row.place, error.message)
        for row in suspects
        for error in checker.check(row).errors
        if error.code in ("id.conflict", "reference.conflict")
    ]


def _names_in(envelope: dict[str, Any]) -> set[tuple[str, str]]:
    payload = envelope.get("payload")
    reference = payload.get("reference_code") if isinstance(payload, dict) else None
    found = {"id": envelope.get("id"), "reference_code": reference}
    return {(kind, name) for kind, name in found.items() if isinstance(name, str)}


@dataclass(slots=True)
class _Checker:
    """Judges rows one after the other, and remembers what the next ones must not repeat."""

    defaults: Defaults
    now_ms: int
    _contents: dict[bytes, bytes] = field(default_factory=dict)
    """Digests of what was named, with the digest of its content and its place: few bytes, there may be many."""
    _validators: dict[str, EntryValidator] = field(default_factory=dict)

    def check(self, row: FileRow) -> Checked:
        if isinstance(row, BadRow):
            return Checked(row, "", (ErrorDetail(code="envelope.invalid", message=row.reason),))
        if isinstance(row, AboutFile):
            return Checked(row, "", row.errors, row.warnings, (row.n_untold, 0))
        found = self._check(row)
        if not row.is_of_sheet:
            return found
        errors, warnings = row.told(found.errors), row.told_warnings(found.warnings)
        return replace(found, errors=errors, warnings=warnings, n_untold=(row.n_untold, 0))

    def _check(self, row: Row) -> Checked:
        envelope = fill(row.value, self.defaults)
        remains = PartialEnvelope(envelope, entry_id=_ENTRY)
        validator = self._validator(remains.account or DEFAULT_ACCOUNT)
        entry = Entry("", _ENTRY, strict_json.dump(envelope).encode())
        # What a row of a sheet became was never text: as long as it is small, reading it again finds nothing in it.
        is_read = row.is_of_sheet and len(entry.raw or b"") <= _SMALL_BYTES
        found = validator.validate_parsed(entry, envelope) if is_read else validator.validate(entry)
        reference = remains.reference_code or ""
        if isinstance(found, Refused):
            return Checked(row, reference, found.errors, found.warnings)
        refusals, doubts = self._repetitions(row, envelope, found.record)
        warnings = (*map(ErrorDetail.model_validate, found.record.parsed_warnings), *doubts)
        return Checked(row, reference, (*self._lateness(found.record), *refusals), warnings)

    def _validator(self, account: str) -> EntryValidator:
        """Whoever it is for counts as known: the desk of one account takes every job of it, named or not."""
        if account not in self._validators:
            self._validators[account] = EntryValidator({account: BOGOTA}, lambda: self.now_ms)
        return self._validators[account]

    def _lateness(self, record: JobRecord) -> tuple[ErrorDetail, ...]:
        """Why a job that is taken can only fail: the time in which it may begin is over, or never comes."""
        starts_ms, ends_ms = start_window_ms(record, BOGOTA)
        if not ends_ms or max(starts_ms, self.now_ms) < ends_ms:
            return ()
        if ends_ms == record.expires_at:
            text = "El trabajo vence (expires_at) antes de poder comenzar."
            return (ErrorDetail(code="job.expired", message=text, field="envelope.expires_at"),)
        text = f"El documento debe llevar la fecha {record.issue_on}, y ya no puede salir ese día."
        return (ErrorDetail(code="date.missed", message=text, field="envelope.issue_on"),)

    def _repetitions(
        self, row: Row, envelope: dict[str, Any], record: JobRecord
    ) -> tuple[list[ErrorDetail], list[ErrorDetail]]:
        """What is wrong, and what is doubtful, with an id or a reference that stands in another row."""
        refusals: list[ErrorDetail] = []
        doubts: list[ErrorDetail] = []
        account = str(envelope.get("account"))
        own = (account, record.id)
        if "id" in envelope:
            if place := self._other_content(own, record.content, row):
                text = f"El mismo id con otro contenido está en {place}: se rechaza."
                refusals.append(ErrorDetail(code="id.conflict", message=text, field="envelope.id"))
            elif self._repeated(own, row):
                # The same job once more: the service drops it, as it does a push whose answer was lost.
                return refusals, doubts
        key = (account, record.family, record.reference_code)
        if record.issues and (place := self._other_content(key, record.fingerprint, row)):
            text = f"El mismo código de referencia con otro contenido está en {place}: se rechaza. Dele otro código."
            refusals.append(ErrorDetail(code="reference.conflict", message=text, field="reference_code"))
        elif record.issues and (place := self._repeated(key, row)):
            text = f"El mismo documento está en {place}: de los dos sale uno solo."
            doubts.append(ErrorDetail(code="payload.warning", message=text, field="reference_code"))
        return refusals, doubts

    def _repeated(self, key: tuple[str, ...], row: Row) -> str:
        """Where else something stands; empty when this row is the first."""
        place = self._contents[_digest(*key)][_DIGEST_BYTES:].decode()
        return "" if place == row.place else place

    def _other_content(self, key: tuple[str, ...], content: str, row: Row) -> str:
        own = _digest(content)
        first = self._contents.setdefault(_digest(*key), own + row.place.encode())
        return "" if first.startswith(own) else first[_DIGEST_BYTES:].decode()


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=_DIGEST_BYTES).digest()
