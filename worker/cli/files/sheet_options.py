"""
The options of ``check`` and ``submit`` for spreadsheets: what cannot be known from a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.bilingual import option, say

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
        raise click.BadParameter(
            say(
                f"{value!r} no es una codificación; por ejemplo utf-8, cp1252, cp850",
                f"{value!r} is no encoding; such as utf-8, cp1252, cp850",
            )
        ) from exc
    return found.name


_OPTIONS: Final = (
    option(
        "--sheet",
        named=("NOMBRE", "NAME"),
        told=("Hojas de cálculo: la hoja que se lee.", "Spreadsheets: the sheet to read."),
    ),
    option(
        "--map",
        "mapped",
        named=("CAMPO=ENCABEZADO", "FIELD=HEADING"),
        multiple=True,
        told=(
            "Hojas de cálculo: el encabezado de una columna; se puede repetir.",
            "Spreadsheets: the heading of a column; repeatable.",
        ),
    ),
    option(
        "--decimal",
        type=click.Choice([",", "."]),
        told=(
            "Hojas de cálculo: la marca decimal de textos como 1.234.",
            "Spreadsheets: the decimal mark of texts such as 1.234.",
        ),
    ),
    option(
        "--encoding",
        callback=_encoding,
        named=("NOMBRE", "NAME"),
        told=("CSV: su codificación, como cp850.", "CSV: its encoding, such as cp850."),
    ),
    option(
        "--profile",
        type=click.Choice(PROFILES),
        told=("Hojas de cálculo: lo que exporta otro programa.", "Spreadsheets: the export of another program."),
    ),
)


def sheet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of spreadsheets; :func:`gathered` makes one value of them."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def gathered(
    sheet: str | None, mapped: tuple[str, ...], decimal: str | None, encoding: str | None, profile: str | None
) -> SheetOptions:
    """The options as the reader takes them."""
    from schemas.sheets.sheet import Options
    from worker.cli.files.workbooks import SheetOptions

    return SheetOptions(Options(decimal or "", mapped, profile or ""), sheet or "", encoding or "")
