"""
The options of ``check`` and ``submit`` for spreadsheets: what cannot be known from a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from worker.cli.files.workbooks import SheetOptions

PROFILES: Final = ("siigo", "world-office")


def _encoding(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    import codecs

    if value is None:
        return None
    try:
        found = codecs.lookup(value)
        b"".decode(found.name)
    except (LookupError, ValueError, TypeError) as exc:
        raise click.BadParameter(f"{value!r} no es una codificación; por ejemplo utf-8, cp1252, cp850") from exc
    return found.name


def sheet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of spreadsheets; :func:`gathered` makes one value of them."""
    for option in reversed(
        (
            click.option("--sheet", metavar="NAME", help="Spreadsheets: the sheet to read."),
            click.option(
                "--map",
                "mapped",
                metavar="FIELD=HEADING",
                multiple=True,
                help="Spreadsheets: the heading of a column; repeatable.",
            ),
            click.option(
                "--decimal",
                type=click.Choice([",", "."]),
                help="Spreadsheets: the decimal mark of texts such as 1.234.",
            ),
            click.option("--encoding", callback=_encoding, metavar="NAME", help="CSV: its encoding, such as cp850."),
            click.option("--profile", type=click.Choice(PROFILES), help="Spreadsheets: the export of another program."),
        )
    ):
        command = option(command)
    return command


def gathered(
    sheet: str | None, mapped: tuple[str, ...], decimal: str | None, encoding: str | None, profile: str | None
) -> SheetOptions:
    """The options as the reader takes them."""
    from schemas.sheets.sheet import Options
    from worker.cli.files.workbooks import SheetOptions

    return SheetOptions(Options(decimal or "", mapped, profile or ""), sheet or "", encoding or "")
