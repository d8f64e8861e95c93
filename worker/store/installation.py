"""
What a process that goes on living reads of its installation, once and at its start.

The files may be other ones later: `pip install --upgrade`, and the restart a moment behind it. A script of the next
version that meets the code of this one writes what neither of them knows, and its first use may come in the drain.
"""

from __future__ import annotations

from schemas.catalogs import tables
from worker.store import scripts


def read_installation() -> None:
    """Read every script and every table of codes."""
    for name in scripts.names():
        scripts.source(name)
    for table in tables.names():
        tables.rows(table)
