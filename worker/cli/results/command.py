"""``factus-worker results``: print events, those that are there and those that come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option, say
from worker.cli.console import emit, escaped, is_terminal, open_redis, told_settings

if TYPE_CHECKING:
    from worker.cli.results.reader import Filter, Published
    from worker.settings.model import Settings


_ES: Final = """Muestra los eventos que hay, del más viejo al más nuevo: hora, tipo, referencia, número o código de
error, mensaje.

Un grupo se crea si es nuevo, desde el comienzo de la lista, y recuerda hasta dónde leyó. Con --group, lo que
--type o --account dejan por fuera también queda confirmado.
"""
_NAME: Final = ("NOMBRE", "NAME")


@spoken_command("results", _ES)
@option(
    "--follow",
    "-f",
    is_flag=True,
    told=("Sigue con los eventos que lleguen, hasta Ctrl-C.", "Go on with the events that come, until Ctrl-C."),
)
@option(
    "--group",
    named=_NAME,
    told=(
        "Lee como este grupo de consumidores: cada evento una vez, confirmado al mostrarlo.",
        "Read as this consumer group: each event once, acknowledged when printed.",
    ),
)
@option(
    "--radian",
    is_flag=True,
    told=(
        "Los eventos RADIAN de las facturas vigiladas, en lugar de los resultados de los trabajos.",
        "The RADIAN events of tracked bills instead of the outcomes of jobs.",
    ),
)
@option(
    "--type",
    "type_glob",
    named=("PATRÓN", "GLOB"),
    told=(
        "Solo estos tipos: 'payroll*.validated', '*.failed', 'invoice.email.*'.",
        "Only these types: 'payroll*.validated', '*.failed', 'invoice.email.*'.",
    ),
)
@option("--account", named=_NAME, told=("Solo eventos de esta cuenta.", "Only events of this account."))
@option(
    "--since",
    named=("CUÁNDO", "WHEN"),
    told=(
        "Desde entonces: 10m, 2026-11-30, 2026-11-30T08:00:00-05:00, o el id de una entrada.",
        "From then on: 10m, 2026-11-30, 2026-11-30T08:00:00-05:00, or a stream entry id.",
    ),
)
@option(
    "--count",
    type=click.IntRange(min=1),
    named=("N", "N"),
    told=("Termina después de N eventos.", "End after N events."),
)
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("Un evento por línea, tal como se publicó.", "One event a line, exactly as published."),
)
def command(
    follow: bool,
    group: str | None,
    radian: bool,
    type_glob: str | None,
    account: str | None,
    since: str | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Print the events that are there, oldest first: time, type, reference, number or error code, message.

    A group is made if it is new, from the beginning of the stream, and remembers its place from one call to the next.
    With --group, events that --type or --account leave out are acknowledged as well.
    """
    import asyncio
    from datetime import UTC, datetime

    from worker.cli.results.reader import SINCE, Filter, since_entry

    if group is not None and since is not None:
        raise click.UsageError(
            say(
                "--since no va con --group: un grupo sigue desde donde quedó.",
                "--since cannot be used with --group: a group goes on from its own place.",
            )
        )
    try:
        start = since_entry(since, now=datetime.now(UTC)) if since is not None else "0-0"
    except ValueError as exc:
        raise click.BadParameter(say(*SINCE), param_hint="--since") from exc
    settings = told_settings()
    streams = _streams(settings, is_radian=radian)
    try:
        asyncio.run(_print(settings, streams, Filter(type_glob, account), start, group, follow, count, as_json))
    except KeyboardInterrupt:
        if not follow:
            raise
        click.echo(err=True)  # --follow is ended so: nothing has failed


def _streams(settings: Settings, *, is_radian: bool) -> list[str]:
    """The common stream, and those of the accounts that have their own."""
    from worker.store.keys import Keys

    keys = Keys(settings.namespace)
    owners = [None, *(name for name, account in sorted(settings.accounts().items()) if account.own_streams)]
    return [keys.radian(owner) if is_radian else keys.results(owner) for owner in owners]


async def _print(
    settings: Settings,
    streams: list[str],
    wanted: Filter,
    start: str,
    group: str | None,
    follow: bool,
    count: int | None,
    as_json: bool,
) -> None:
    from worker.cli.results.reader import GroupReader, before, followed, there
    from worker.speech import Speech

    async with open_redis(settings, must_exist=True) as redis:
        if group is None:
            places = dict.fromkeys(streams, before(start))
            events = followed(redis, places) if follow else there(redis, streams, start)
            n_shown = await _show(events, wanted, count, as_json)
        else:
            reader = GroupReader(redis, streams, group)
            await reader.open()
            try:
                n_shown = await _show(reader.read(follow=follow), wanted, count, as_json, reader)
            finally:
                await reader.close()
    if not n_shown:
        emit(Speech(settings.lang).say("No hay eventos.", "No events."), err=True)


async def _show(
    events: AsyncGenerator[Published, None],
    wanted: Filter,
    count: int | None,
    as_json: bool,
    reader: object = None,
) -> int:
    from worker.cli.results.reader import GroupReader
    from worker.cli.results.rendering import show_event

    n_shown = 0
    async with aclosing(events) as opened:
        async for found in opened:
            if wanted.takes(found):
                if as_json:
                    click.echo(_exactly(found.raw))
                else:
                    show_event(found.raw)
                n_shown += 1
            if isinstance(reader, GroupReader):
                await reader.ack(found)  # after it was printed: killed in between, it is printed again
            if n_shown == count:
                break
    return n_shown


def _exactly(raw: bytes) -> bytes:
    """An event as published, for programs; what a terminal would obey or hide is escaped there, and means the same."""
    return escaped(raw.decode(errors="backslashreplace")).encode() if is_terminal() else raw
