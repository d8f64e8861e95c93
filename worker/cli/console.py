"""
What the commands share: columns on a terminal and in a pipe, and a Redis client that is closed again.

On a terminal tables are drawn; elsewhere every row is one plain line with aligned columns. Heavy imports stay inside
the functions, so that ``--help`` never pays for them.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

if TYPE_CHECKING:
    from arq.connections import ArqRedis
    from rich.console import Console

    from worker.settings.model import Settings
    from worker.speech import Speech

_WIDEST: Final = 64
"""Characters to which plain columns are padded at most; longer values are shown whole and push the rest aside."""

NARROW: Final = 100
"""Columns below which a table is a block for each row."""

_SENTENCE: Final = 30
"""Characters of a cell from which it may be wrapped; shorter ones, such as times, stay on a line."""

_READABLE: Final = 24
"""Columns that a wrapped cell has at least."""

_EMBEDDED: Final = "embedded:"
_MOST_ROWS_SHOWN: Final = 2_000


def is_terminal() -> bool:
    """Whether a person watches standard output."""
    return _is_watched(sys.stdout)


def _is_watched(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # None: it was closed by whoever called


def console(*, err: bool = False) -> Console:
    """A rich console on standard output or error. Honours NO_COLOR and TERM=dumb by itself; no markup in data."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, stderr=err)


def width() -> int:
    """Columns of the terminal; of a pipe as many as one likes."""
    return console().width if is_terminal() else 10_000


def emit(text: str, style: str = "", *, indent: int = 0, hanging: int = 0, err: bool = False) -> None:
    """
    One line of text, cleaned; on a terminal wrapped between words and in a colour where it has them.

    Args:
        style: As rich names it: ``bold``, ``red`` ...; nothing in a pipe, with NO_COLOR or TERM=dumb.
        hanging: Blanks before the second and later lines, more than *indent*.
        err: To standard error.
    """
    if not (_is_watched(sys.stderr) if err else is_terminal()):
        click.echo(" " * indent + clean(text), err=err)
        return
    from rich.text import Text

    out = console(err=err)
    for line in wrapped(clean(text), out.width, indent=indent, hanging=hanging):
        out.print(Text(line, style=style), soft_wrap=True)


def wrapped(text: str, columns: int, *, indent: int = 0, hanging: int = 0) -> list[str]:
    """Text as lines of at most *columns*, broken between words only: a longer word stands alone, and is whole."""
    import textwrap

    first, later = " " * indent, " " * (indent + hanging)
    return textwrap.wrap(
        text, max(columns, 20), initial_indent=first, subsequent_indent=later, break_long_words=False,
        break_on_hyphens=False, drop_whitespace=True,
    ) or [""]  # fmt: skip


def show_fields(pairs: Sequence[tuple[str, str]], *, indent: int = 0, style: str = "") -> None:
    """Names and texts, a line each, the texts under each other; what is empty is left out."""
    told = [(f"{name}:", text) for name, text in pairs if text]
    wide = max((len(name) for name, _ in told), default=0) + 1
    for name, text in told:
        emit(f"{name:{wide}}{text}", style, indent=indent, hanging=wide)


def show_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    styles: Sequence[str] = (),
    more: str = "...",
) -> None:
    """
    Rows under headers: a table where they fit side by side, on a terminal of 100 columns or more also with cells that
    are wrapped; a block for each row on a narrower one; aligned plain lines in a pipe.

    Args:
        right: Indexes of the columns that are aligned to the right (numbers).
        styles: A colour for each row, on a terminal.
        more: What is said of the rows that are left out, with ``{}`` for their number.
    """
    shown = rows[:_MOST_ROWS_SHOWN]
    if not is_terminal():
        for line in plain_lines([headers, *shown], right=right):
            click.echo(line)
    elif widths := column_widths([headers, *shown], width()):
        _draw(headers, shown, widths, right, styles)
    else:
        _show_blocks(headers, shown, styles)
    if len(rows) > len(shown):
        click.echo(more.format(len(rows) - len(shown)))


def column_widths(rows: Sequence[Sequence[str]], columns: int) -> list[int]:
    """
    The widths in which rows stand as a table: every one on a line of its own, or on a wide terminal with the sentences
    among its cells wrapped between words; no widths where that would not be easy to read.

    rich could find widths too, but lets a table grow past the terminal, and cuts what is beyond it.
    """
    room = columns - 2 * (len(rows[0]) - 1)
    whole = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(whole) <= room:
        return whole
    words = [max(len(word) for cell in column for word in (cell.split() or [""])) for column in zip(*rows, strict=True)]
    widths = [
        full if full <= _SENTENCE else max(word, _READABLE) for full, word in zip(whole, words, strict=True)
    ]  # fmt: skip
    if columns < NARROW or sum(widths) > room:
        return []
    for _ in range(room - sum(widths)):
        missing = [full - width for full, width in zip(whole, widths, strict=True)]
        widths[missing.index(max(missing))] += 1
    return widths


def _draw(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    right: Sequence[int],
    styles: Sequence[str],
) -> None:
    from rich import box
    from rich.table import Table

    # As narrow as the plain lines: two blanks between columns, none around.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index in right else "left", overflow="fold", width=widths[index])
    for index, row in enumerate(rows):
        table.add_row(*(clean(cell) for cell in row), style=styles[index] if styles else None)
    console().print(table)


def _show_blocks(headers: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str]) -> None:
    for index, row in enumerate(rows):
        style = styles[index] if styles else ""
        emit(row[0], f"bold {style}".strip())
        show_fields([*zip(headers[1:], row[1:], strict=True)], indent=2)


def plain_lines(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows as lines with aligned columns, two blanks between them."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cleaned, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cleaned
    ]


def clean(text: str) -> str:
    """
    Text from outside as one line: line breaks, terminal control sequences (C1 as well), and what turns the direction of
    writing or has no width become blanks.
    """
    return "".join(char if char.isprintable() else " " for char in text)


def escaped(json: str) -> str:
    """
    JSON that means the same and holds nothing that a terminal obeys or hides: written as ``\\u009b``.

    All of these stand inside of strings: outside of them JSON has line breaks and blanks only.
    """
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in json)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def spoken() -> Speech:
    """
    How this command speaks (``FACTUS_LANG``).

    Raises:
        ConfigurationError: It names no language that there is.
    """
    from worker.settings.environment import spoken_language
    from worker.speech import Speech

    return Speech(spoken_language())


def told_settings() -> Settings:
    """
    The settings of this command; names that mean nothing are told on standard error.

    Raises:
        ConfigurationError: A value cannot be used.
    """
    from worker.settings.environment import load_settings, nearest_variables, unknown_variables

    settings = load_settings()
    for told in nearest_variables(unknown_variables()):
        emit(f"factus-worker: {told}", err=True)
    return settings


@asynccontextmanager
async def open_redis(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[ArqRedis]:
    """
    A client of the configured Redis while the block lasts.

    Args:
        must_exist: Refuse an embedded folder that holds no data, instead of making a new, empty server of it.

    Raises:
        ConfigurationError: The address cannot be used.
        ServiceError: Redis does not answer, or refuses what was asked.
    """
    from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

    from jobs.errors import ConfigurationError, ServiceError
    from worker.addresses import shown
    from worker.speech import Speech
    from worker.store import connection

    url, say = settings.redis_url, Speech(settings.lang).say
    address = shown(url)
    if must_exist and _is_empty(url):
        raise ConfigurationError(
            say(
                f"FACTUS_REDIS_URL={address}: en esa carpeta nunca corrió un servidor integrado. Envíe algo primero, o "
                "ponga la carpeta del trabajador",
                f"FACTUS_REDIS_URL={address}: no embedded server has ever run in that folder. Push something first, or "
                "set the folder of the worker",
            )
        )
    async with connection.server_url(url) as server:
        client = connection.connect(server)
        try:
            yield client
        except (AuthenticationError, NoPermissionError) as exc:
            words = connection.words_of(exc)
            raise ServiceError(
                say(
                    f"Redis en {address} rechaza este usuario: {words}. Revise usuario y clave en FACTUS_REDIS_URL",
                    f"Redis at {address} refuses this user: {words}. Check the user and password in FACTUS_REDIS_URL",
                )
            ) from exc
        except RedisError as exc:
            words = connection.words_of(exc)
            raise ServiceError(
                say(
                    f"Redis en {address} falló: {words}. Revise FACTUS_REDIS_URL, y que esté en marcha",
                    f"Redis at {address} failed: {words}. Check FACTUS_REDIS_URL, and that it runs",
                )
            ) from exc
        finally:
            await connection.close(client)


def _is_empty(url: str) -> bool:
    return url.startswith(_EMBEDDED) and not Path(url.removeprefix(_EMBEDDED), "appendonlydir").exists()


def json_text(value: Any) -> str:
    """Indented JSON for people and jq; Decimals and other values as text. Safe to show on a terminal."""
    import json

    return escaped(json.dumps(value, ensure_ascii=False, indent=2, default=str))
