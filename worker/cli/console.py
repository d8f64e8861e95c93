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
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from arq.connections import ArqRedis
    from rich.console import Console

    from worker.settings import Settings

_WIDEST: Final = 64
"""Characters to which plain columns are padded at most; longer values are shown whole and push the rest aside."""

_EMBEDDED: Final = "embedded:"
_MOST_ROWS_SHOWN: Final = 2_000


def is_terminal() -> bool:
    """Whether a person watches standard output."""
    return sys.stdout.isatty()


def console() -> Console:
    """A rich console on standard output. Honours NO_COLOR and TERM=dumb by itself; no markup in data."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """
    Rows under headers: a table on a terminal, else aligned plain lines.

    Args:
        right: Indexes of the columns that are aligned to the right (numbers).
    """
    if len(rows) > _MOST_ROWS_SHOWN:
        left = len(rows) - _MOST_ROWS_SHOWN
        show_table(headers, rows[:_MOST_ROWS_SHOWN], right=right)
        click.echo(f"... and {left} rows more")
        return
    if not is_terminal():
        for line in plain_lines([headers, *rows], right=right):
            click.echo(line)
        return
    from rich import box
    from rich.table import Table

    # As narrow as the plain lines: two blanks between columns, none around.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(clean(cell) for cell in row))
    console().print(table)


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


def told_settings() -> Settings:
    """
    The settings of this command; names that mean nothing are told on standard error.

    Raises:
        ConfigurationError: A value cannot be used.
    """
    from worker.settings import load_settings, nearest_variables, unknown_variables

    settings = load_settings()
    for told in nearest_variables(unknown_variables()):
        click.echo(clean(f"factus-worker: {told}"), err=True)
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
    from worker.store import connection

    url = settings.redis_url
    address = shown(url)
    if must_exist and _is_empty(url):
        raise ConfigurationError(
            f"FACTUS_REDIS_URL={address}: no embedded server has ever run in that folder. Push something first, or set "
            "the folder of the worker"
        )
    async with connection.server_url(url) as server:
        client = connection.connect(server)
        try:
            yield client
        except (AuthenticationError, NoPermissionError) as exc:
            raise ServiceError(
                f"Redis at {address} refuses this user: {connection.words_of(exc)}. "
                "Check the user and password in FACTUS_REDIS_URL"
            ) from exc
        except RedisError as exc:
            raise ServiceError(
                f"Redis at {address} failed: {connection.words_of(exc)}. Check FACTUS_REDIS_URL, and that it runs"
            ) from exc
        finally:
            await connection.close(client)


def _is_empty(url: str) -> bool:
    return url.startswith(_EMBEDDED) and not Path(url.removeprefix(_EMBEDDED), "appendonlydir").exists()


def json_text(value: Any) -> str:
    """Indented JSON for people and jq; Decimals and other values as text. Safe to show on a terminal."""
    import json

    return escaped(json.dumps(value, ensure_ascii=False, indent=2, default=str))
