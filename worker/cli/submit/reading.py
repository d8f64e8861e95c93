"""
From the files of a ``submit`` to the jobs that are pushed: all of them are read and judged before anything is.

Documents of spreadsheets and bodies of version 1 are judged as ``check`` does; objects of JSON are the intake's to
judge, but for what contradicts itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final

from schemas.factus import BOGOTA
from worker.cli.check.validation import Checked, check_rows, contradictions
from worker.cli.files.all_files import read_all
from worker.cli.files.job_files import AboutFile, Defaults, FileRow, Job, Row, jobs_of, sound_rows
from worker.cli.files.limits import FileRefused
from worker.cli.files.spreadsheets import SheetRow
from worker.cli.files.workbooks import SheetOptions

_MOST_CONTRADICTIONS: Final = 20


@dataclass(slots=True)
class Reading:
    """What the files hold."""

    jobs: list[Job]
    """What can be pushed."""
    judged: list[Checked] = field(default_factory=list)
    """What was said of documents of spreadsheets, of sheets as a whole and of bodies of version 1."""
    left_out: list[Row] = field(default_factory=list)
    """Documents that have errors."""

    @property
    def has_errors(self) -> bool:
        return any(one.n_errors for one in self.judged)


def read_jobs(files: Sequence[str], stdin: BinaryIO, defaults: Defaults, how: SheetOptions) -> Reading:
    """
    Read and judge all files.

    Raises:
        FileRefused: One cannot be read, or two objects contradict each other.
    """
    rows = list(read_all(files, stdin, defaults.type, how))
    now = datetime.now(BOGOTA)
    judged = check_rows([row for row in rows if _is_judged(row, defaults)], defaults.type, now=now, defaults=defaults)
    # Of equal rows each is its own: they are told apart by identity.
    wrong = {id(one.row) for one in judged if one.n_errors or not _is_sound(one.row)}
    left_out = [row for row in rows if isinstance(row, Row) and id(row) in wrong]
    sound = sound_rows(row for row in rows if id(row) not in wrong)
    if found := contradictions(sound, defaults, now=now):
        raise FileRefused("\n".join(f"{place}: {why}" for place, why in found[:_MOST_CONTRADICTIONS]))
    return Reading(jobs_of(sound, defaults, f"submit-{secrets.token_hex(6)}"), judged, left_out)


def _is_judged(row: FileRow, defaults: Defaults) -> bool:
    if isinstance(row, AboutFile | SheetRow):
        return True
    return isinstance(row, Row) and defaults.payload_version is not None


def _is_sound(row: FileRow) -> bool:
    return row.is_sound if isinstance(row, SheetRow) else True
