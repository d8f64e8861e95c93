"""``factus-worker webhooks``: deliver events to web addresses, and look after these."""

from __future__ import annotations

from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import argument, below, group, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import clean, emit, json_text, open_redis, told_settings
from worker.speech import Speech

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.webhooks.endpoint import Endpoint
    from worker.settings.model import Settings
    from worker.status.facts import EndpointSeen
    from worker.webhooks.book import WebhookBook
    from worker.webhooks.endpoints_file import Endpoints
    from worker.webhooks.replay import Replayed, Wanted

NAME: Final = ("NOMBRE", "NAME")
_TELL_EVERY_S: Final = 2.0
AS_JSON: Final = ("Un documento JSON.", "One JSON document.")

_ES: Final = """Entrega los eventos a las direcciones web de FACTUS_WEBHOOKS_FILE, firmados como Standard Webhooks.

Sin orden, es el proceso que entrega: inicie los que quiera, con la misma configuración. SIGTERM deja terminar las
entregas en curso (30 s a lo sumo); lo demás sigue esperando. docs/webhooks.md dice cómo recibir y verificar.

Código de salida: 0 hecho, 1 no está, no se pudo o la dirección no aceptó la prueba, 2 mal escrito.
"""


@group("webhooks", _ES, runs_alone=True)
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    told=("Desde qué nivel se registra.", "The lowest level that is logged."),
)
@click.pass_context
def command(ctx: click.Context, log_level: str) -> None:
    """Deliver events to the web addresses of FACTUS_WEBHOOKS_FILE, signed as Standard Webhooks.

    Without a command it is the process that delivers: start as many as you like, with the same settings. SIGTERM lets
    the deliveries under way end (30 s at most); everything else stays queued. docs/webhooks.md tells how to receive and
    verify.

    Exit status: 0 done, 1 not there, not possible, or the address did not take the test, 2 wrong usage.
    """
    if ctx.invoked_subcommand is not None:
        return
    import structlog

    from worker import event_loop
    from worker.logs import configure_logging
    from worker.settings.environment import load_settings, nearest_variables, unknown_variables
    from worker.webhooks.process import run_webhooks

    settings = load_settings()
    configure_logging(is_json=settings.is_log_json, level=log_level)
    if unknown := unknown_variables():
        told = "; ".join(nearest_variables(unknown))
        structlog.get_logger().warning("settings.unknown", variables=unknown, detail=told)
    event_loop.run(run_webhooks(settings))


# -- look --------------------------------------------------------------------------------------------------------------
_ES_LIST: Final = """Muestra cada dirección: su estado, cuánto espera, la última entrega buena y el último fallo."""


@partial(below, command)
@spoken_command("list", _ES_LIST, short=("Una línea por cada dirección.", "One line for each address."))
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def list_endpoints(as_json: bool) -> None:
    """Print each endpoint: its state, how much waits, the last success and the last failure."""
    import asyncio

    from worker.cli.webhooks.rendering import overview_json, show_overview

    settings = told_settings()
    endpoints = endpoints_of(settings)
    states, n_processes = asyncio.run(_states(settings, [*endpoints]))
    if as_json:
        click.echo(json_text(overview_json(endpoints, states, n_processes)))
    else:
        show_overview(endpoints, states, n_processes, Speech(settings.lang))


async def _states(settings: Settings, names: list[str]) -> tuple[dict[str, EndpointSeen], int]:
    async with open_redis(settings, must_exist=True) as redis:
        book = book_on(settings, redis)
        return await book.states(names), await book.n_processes()


_ES_SHOW: Final = """Muestra una dirección: lo configurado, su estado y las próximas entregas. Ningún secreto."""


@partial(below, command)
@spoken_command("show", _ES_SHOW, short=("Todo de una dirección.", "Everything about one address."))
@argument("name", named=NAME)
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def show(name: str, as_json: bool) -> None:
    """Print one endpoint: what is configured, its state, and the next deliveries. No secret."""
    import asyncio

    from worker.cli.webhooks.rendering import endpoint_json, show_endpoint

    settings = told_settings()
    endpoint = endpoint_of(settings, name)

    async def ask() -> tuple[EndpointSeen, list[object], object]:
        from worker.webhooks.rotation import Rotations

        async with open_redis(settings, must_exist=True) as redis:
            book = book_on(settings, redis)
            states = await book.states([name])
            rotations = await Rotations(redis, book.keys).all()
            return states[name], [*await book.waiting(name, 10)], rotations.get(name)

    state, waiting, rotation = asyncio.run(ask())
    if as_json:
        click.echo(json_text(endpoint_json(endpoint, state, waiting, rotation)))
    else:
        show_endpoint(endpoint, state, waiting, rotation, Speech(settings.lang), now_ms=time() * 1000)


# -- switch ------------------------------------------------------------------------------------------------------------
_ES_ENABLE: Final = """Activa una dirección desactivada: lo que esperaba se entrega ya, y sus fallos se olvidan."""
_ES_DISABLE: Final = """Desactiva una dirección: no recibe nada más, y lo que llegue espera a que se active."""


@partial(below, command)
@spoken_command("enable", _ES_ENABLE, short=("Activa una dirección.", "Enable an address."))
@argument("name", named=NAME)
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def enable(name: str, as_json: bool) -> None:
    """Enable an endpoint that is disabled: what waits is delivered now, and its failures are forgotten."""
    _switch(name, is_on=True, as_json=as_json)


@partial(below, command)
@spoken_command("disable", _ES_DISABLE, short=("Desactiva una dirección.", "Disable an address."))
@argument("name", named=NAME)
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def disable(name: str, as_json: bool) -> None:
    """Disable an endpoint: it gets nothing more, and what comes waits until it is enabled."""
    _switch(name, is_on=False, as_json=as_json)


def _switch(name: str, *, is_on: bool, as_json: bool) -> None:
    import asyncio

    settings = told_settings()
    endpoint_of(settings, name)
    speech = Speech(settings.lang)
    has_changed, state = asyncio.run(_switched(settings, name, is_on=is_on))
    if as_json:
        told = "disabled" if state.is_disabled else "enabled"
        click.echo(json_text({"name": name, "state": told, "changed": has_changed, "waiting": state.n_waiting}))
        return
    n = speech.count(state.n_waiting)
    already = "" if has_changed else speech.say(" (ya lo estaba)", " (it was already)")
    if is_on:
        emit(speech.say(f"{name}: activada{already}; esperan {n}.", f"{name}: enabled{already}; {n} waiting."))
    else:
        emit(
            speech.say(
                f"{name}: desactivada{already}; esperan {n}, y lo que llegue.",
                f"{name}: disabled{already}; {n} waiting, and what comes.",
            )
        )


async def _switched(settings: Settings, name: str, *, is_on: bool) -> tuple[bool, EndpointSeen]:
    from datetime import datetime

    from jobs.webhooks.notices import About, disabled_event, enabled_event
    from schemas.factus import BOGOTA

    async with open_redis(settings, must_exist=True) as redis:
        book = book_on(settings, redis)
        state = (await book.states([name]))[name]
        since = state.disabled_at_ms if is_on else state.failing_since_ms
        about, now = About(name, since, state.n_waiting, state.last_status), datetime.now(BOGOTA)
        event = enabled_event(about, now=now) if is_on else disabled_event(about, "operator", now=now)
        has_changed = await book.switch(name, is_on=is_on, event=event)
        return has_changed, (await book.states([name]))[name]


# -- replay ------------------------------------------------------------------------------------------------------------
_ES_REPLAY: Final = """Entrega otra vez los eventos de un tiempo, con los mismos ids: el receptor que ya los tiene los
reconoce. Los entrega el proceso webhooks; lo que ya esperaba no se duplica.

Con --failed solo las entregas que se agotaron, también cuando sus eventos ya no están en la lista de resultados.
"""
_WHEN: Final = ("CUÁNDO", "WHEN")


@partial(below, command)
@spoken_command("replay", _ES_REPLAY, short=("Entrega otra vez, con los mismos ids.", "Deliver again, same ids."))
@argument("name", named=NAME)
@option(
    "--since",
    named=_WHEN,
    required=True,
    told=(
        "Desde entonces: 10m, 2026-11-30, 2026-11-30T08:00:00-05:00, o el id de una entrada.",
        "From then on: 10m, 2026-11-30, 2026-11-30T08:00:00-05:00, or a stream entry id.",
    ),
)
@option("--until", named=_WHEN, told=("Hasta antes de entonces.", "Up to then, which is not included."))
@option(
    "--type", "type_glob", named=("PATRÓN", "GLOB"), told=("Solo estos tipos: 'invoice.*'.", "Only these: 'invoice.*'.")
)
@option("--reference", named=("CÓDIGO", "CODE"), told=("Solo los de este documento.", "Only of this document."))
@option("--failed", is_flag=True, told=("Solo las entregas que se agotaron.", "Only deliveries that were exhausted."))
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def replay(
    name: str,
    since: str,
    until: str | None,
    type_glob: str | None,
    reference: str | None,
    failed: bool,
    as_json: bool,
) -> None:
    """Deliver the events of a time again, under the same ids: a receiver that has them knows them. The webhooks process
    delivers them; what waits already is not doubled.

    With --failed only the deliveries that were exhausted, also where their events have left the results stream.
    """
    import asyncio
    from datetime import UTC, datetime

    from worker.webhooks.replay import Wanted

    now = datetime.now(UTC)
    before = None if until is None else _entry(until, "--until", now)
    wanted = Wanted(_entry(since, "--since", now), before, type_glob, reference)
    settings = told_settings()
    endpoint, speech = endpoint_of(settings, name), Speech(settings.lang)
    done = asyncio.run(_replay(settings, endpoint, wanted, is_failed=failed))
    if as_json:
        counts = {"found": done.n_asked, "replayed": done.n_made, "waited_already": done.n_asked - done.n_made}
        click.echo(json_text({"name": name, **counts, "is_full": done.is_full}))
    else:
        made, of = speech.count(done.n_made), speech.count(done.n_asked)
        emit(
            speech.say(
                f"{name}: {made} de {of} eventos se entregan otra vez; los demás ya esperaban.",
                f"{name}: {made} of {of} events are delivered again; the others waited already.",
            )
            if done.n_asked
            else speech.say(f"{name}: no hay eventos así.", f"{name}: no such events.")
        )
    if done.is_full:
        emit(speech.say("No caben más por ahora: esperan demasiadas.", "No more for now: too many wait."), err=True)
    if done.is_full or not done.n_asked:
        raise click.exceptions.Exit(1)


def _entry(text: str, option_name: str, now: datetime) -> str:
    from worker.cli.results.reader import SINCE, since_entry

    try:
        return since_entry(text, now=now)
    except ValueError as exc:
        raise click.BadParameter(say(*SINCE), param_hint=option_name) from exc


async def _replay(settings: Settings, endpoint: Endpoint, wanted: Wanted, *, is_failed: bool) -> Replayed:
    from worker.cli.results.reader import before
    from worker.webhooks.replay import Replayed, replay_events, replay_failed
    from worker.webhooks.streams import event_streams

    done, speech, told_at = Replayed(), Speech(settings.lang), monotonic()
    async with open_redis(settings, must_exist=True) as redis:
        book = book_on(settings, redis)
        if is_failed:
            found = replay_failed(book, endpoint, wanted)
        else:
            streams = await event_streams(redis, book.keys)
            found = replay_events(book, endpoint, streams, before(wanted.since), wanted)
        async for one in found:
            done = one
            if monotonic() - told_at >= _TELL_EVERY_S:
                told_at = monotonic()
                click.echo(f"{speech.count(done.n_asked)} {speech.say('eventos', 'events')}", err=True)
    return done


# -- what the commands share -------------------------------------------------------------------------------------------
def endpoints_of(settings: Settings) -> Endpoints:
    """
    The endpoints of the file.

    Raises:
        ConfigurationError: It is not set, or cannot be used.
    """
    from worker.webhooks.endpoints_file import path_of, read_endpoints

    return read_endpoints(path_of(settings))


def endpoint_of(settings: Settings, name: str) -> Endpoint:
    """
    One endpoint of the file.

    Raises:
        ConfigurationError: As :func:`endpoints_of`, or it has no such endpoint.
    """
    from jobs.errors import ConfigurationError

    endpoints = endpoints_of(settings)
    if name not in endpoints:
        known, say_ = ", ".join(endpoints), Speech(settings.lang).say
        raise ConfigurationError(
            say_(
                f"En FACTUS_WEBHOOKS_FILE no está [endpoints.{clean(name)}]; están: {known}",
                f"FACTUS_WEBHOOKS_FILE has no [endpoints.{clean(name)}]; it has: {known}",
            )
        )
    return endpoints[name]


def book_on(settings: Settings, redis: object) -> WebhookBook:
    """What Redis keeps of webhooks, for a command."""
    from redis.asyncio import Redis

    from worker.store.keys import Keys
    from worker.store.scripts import Scripts
    from worker.webhooks.book import WebhookBook

    assert isinstance(redis, Redis)
    return WebhookBook(redis, Scripts(redis), Keys(settings.namespace), results_maxlen=settings.results_maxlen)
