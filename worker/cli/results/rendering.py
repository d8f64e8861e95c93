"""
One event on the screen: a line in a pipe and on a wide terminal, a block on a narrow one.
"""

from __future__ import annotations

from typing import Final

import click

from schemas.names import ending_of, subject_of
from worker.cli.console import NARROW, emit, is_terminal, width
from worker.cli.own_events import event_of
from worker.cli.results.reader import columns_of, line_of

_MESSAGE_AT: Final = 98
"""The column at which a line has its message."""

_STYLES: Final = {"validated": "green", "completed": "green", "rejected": "red", "failed": "red", "refused": "red"}


def show_event(raw: bytes) -> None:
    """Print an event for a person; what somebody else wrote there is passed over."""
    if event_of(raw) is None:
        return
    if not is_terminal():
        click.echo(line_of(raw))
        return
    at, type_, reference, found, message = columns_of(raw)
    style = _STYLES.get(ending_of(type_), "yellow" if subject_of(type_) == "account" else "")
    if width() < NARROW + 60:
        emit(f"{at}  {type_}  {reference}  {found}", style)
        emit(message, indent=2, hanging=2)
    else:
        emit(line_of(raw), style, hanging=_MESSAGE_AT + 4)
