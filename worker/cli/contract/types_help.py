"""
worker/cli/job_types.txt: the job types in short, for the help of the commands that take one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from jobs.document_types import VERBS
from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES

_WIDTH: Final = 76
"""Characters of a line; click indents it by two, and a screen has 80."""


def types_help() -> str:
    """Every family with its verbs, in the order of the registry."""
    families: dict[str, list[str]] = {}
    for row in JOB_TYPES.values():
        families.setdefault(row.family, []).append(row.verb)
    rows = families | {name: [verb for verb in VERBS if verb in families[name]] for name in FAMILIES}
    width = max(map(len, rows))
    lines = ["Job types, FAMILY.VERB:", *_lines(rows.items(), width)]
    return "\n".join(lines) + "\n"


def _lines(rows: Iterable[tuple[str, list[str]]], width: int) -> Iterable[str]:
    for family, verbs in rows:
        head = f"  {family:{width}}  "
        yield from textwrap.wrap(
            " ".join(verbs), _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
        )
