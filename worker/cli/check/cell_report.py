"""
Faults of spreadsheets as a person needs them: the cell, its heading, what stands in it, and what to do.

On a terminal a table that fits 80 columns; elsewhere one line each. For programs, eight keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from worker.cli.console import clean, console, is_terminal, plain_lines, width, wrapped

if TYPE_CHECKING:
    from worker.cli.files.cell_errors import CellError
    from worker.speech import Speech

_LEAST_WIDTH: Final = 60
_WIDEST_CELL: Final = 24
_WIDEST_HEADING: Final = 16
_WIDEST_VALUE: Final = 18
_MOST_SHOWN: Final = 500


def told(error: CellError) -> dict[str, object]:
    """An error or warning of a cell for programs."""
    return {
        "file": error.file,
        "sheet": error.sheet,
        "cell": error.cell or None,
        "heading": error.heading or None,
        "value": error.value,
        "code": error.code,
        "rule": error.rule,
        "message": error.message,
    }


def each_once(errors: Sequence[CellError]) -> list[CellError]:
    """Equal remarks about a column as one, at the first of their cells."""
    found: dict[tuple[str, str, str | None, str], list[CellError]] = {}
    for one in errors:
        found.setdefault((one.sheet, one.heading, one.rule, one.message), []).append(one)
    return [
        same[0].model_copy(update={"message": f"{same[0].message} (y {len(same) - 1} más)"})
        if len(same) > 1
        else same[0]
        for same in found.values()
    ]


def show_cells(errors: Sequence[CellError], speech: Speech, style: str = "", n_more: int = 0) -> None:
    """Show what is wrong, or doubtful, each with its cell; *n_more* were counted only."""
    headers = (
        speech.say("Celda", "Cell"),
        speech.say("Columna", "Column"),
        speech.say("Valor", "Value"),
        speech.say("Qué hacer", "What to do"),
    )
    shown = errors[:_MOST_SHOWN]
    rows = [[one.place, one.heading, one.value or "", f"{one.message} [{one.rule}]"] for one in shown]
    if is_terminal():
        _draw(headers, rows, max(width(), _LEAST_WIDTH), style)
    else:
        for line in plain_lines([headers, *rows]):
            click.echo(line)
    if left := len(errors) - len(shown) + n_more:
        click.echo(speech.say(f"… y {speech.count(left)} más", f"... and {speech.count(left)} more"))


def _draw(headers: Sequence[str], rows: Sequence[Sequence[str]], columns: int, style: str) -> None:
    """Lines no longer than the terminal; words are never broken, a value that is too long is cut."""
    from rich.text import Text

    most = (_WIDEST_CELL, _WIDEST_HEADING, _WIDEST_VALUE)
    widths = [
        min(max([len(headers[n]), *(len(row[n]) for row in rows)], default=0), widest) for n, widest in enumerate(most)
    ]
    left = max(columns - sum(widths) - 2 * len(widths) - 1, 20)
    screen = console()
    for row, is_head in [(headers, True), *((row, False) for row in rows)]:
        lines = lines_of(row, widths, left)
        for line in lines:
            screen.print(Text(line, style="bold" if is_head else style), soft_wrap=True)


def lines_of(row: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    """One fault as the lines of a table: narrow columns, and the message wrapped beside them."""
    parts = [_wrapped(clean(cell), wide) for cell, wide in zip(row, widths, strict=False)]
    parts.append(wrapped(clean(row[-1]), left))
    n_lines = max(map(len, parts))
    padded = [[*part, *[""] * (n_lines - len(part))] for part in parts]
    return [
        "  ".join([*(cell.ljust(wide) for cell, wide in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in zip(*padded, strict=True)
    ]


def _wrapped(text: str, wide: int) -> list[str]:
    import textwrap

    lines = textwrap.wrap(text, max(wide, 1), break_long_words=False, break_on_hyphens=False) or [""]
    return [line if len(line) <= wide else f"{line[: max(wide - 1, 0)]}…" for line in lines[:3]]
