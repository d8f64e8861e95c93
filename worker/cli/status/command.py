"""``factus-worker status``: one document explained, one batch, or everything at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import argument, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, open_redis, told_settings

if TYPE_CHECKING:
    from worker.settings.model import Settings
    from worker.speech import Speech
    from worker.status.batch import BatchSeen
    from worker.status.facts import Overview
    from worker.status.reader import StatusReader


_ES: Final = """Explica el documento REFERENCIA (también sirve el id de un trabajo): dónde está, por qué, qué sigue
y cuándo, y lo que viene detrás: los archivos que se guardan, los eventos RADIAN que se vigilan y su plazo. Una llamada
se busca por el id de su trabajo.

Sin REFERENCIA: trabajadores, recepción, carriles con la razón de la espera y lo que tardará cada uno, cupo,
detenciones y fichas de las cuentas, grupos que leen los resultados, trabajos apartados; y cada problema con desde
cuándo, qué lo detiene, qué hacer y qué pasa solo. `calls` es el carril de lo que no emite nada: va detrás de los
documentos de su cuenta; lo que allí espera su hora vigila RADIAN, o está en pausa.

Código de salida: 0 todo en orden, 1 no se encontró o hay un problema, 2 mal escrito.
"""
_NAME: Final = ("NOMBRE", "NAME")


@spoken_command("status", _ES)
@argument("reference", required=False, named=("[REFERENCIA]", "[REFERENCE]"))
@option(
    "--batch",
    named=_NAME,
    told=(
        "Muestra este lote: cuántos terminaron, cómo, y cuántos faltan.",
        "Show this batch: how many are final, by what, and how many are left.",
    ),
)
@option("--account", named=_NAME, told=("Busca solo en esta cuenta.", "Look in this account only."))
@option(
    "--family",
    named=_NAME,
    told=("Mira solo esta clase de documento, como invoice.", "Look at this family only, such as invoice."),
)
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("Un documento JSON, igual en los dos idiomas.", "One JSON document, the same in every language."),
)
@option(
    "--watch",
    "watches",
    is_flag=True,
    told=(
        "Vuelve a mirar cada dos segundos, hasta Ctrl-C.",
        "Look again every two seconds, until Ctrl-C.",
    ),
)
def command(
    reference: str | None, batch: str | None, account: str | None, family: str | None, as_json: bool, watches: bool
) -> None:
    """Explain the document of REFERENCE (a job id will do): where it is, why, what happens next and when, and what
    follows it: the files that are archived, the RADIAN events that are watched and their term. A call is found by its
    job id.

    Without REFERENCE: workers, intake, lanes with why they wait and the time each backlog will need, allowance, holds
    and tokens of the accounts, consumer groups of the results, dead letters; and every problem with since when, what
    holds it, what to do and what happens by itself. `calls` is the lane of all that issues nothing: it stands behind
    the documents of its account; what comes later there watches RADIAN, or pauses.

    Exit status: 0 all is well, 1 not found or a problem seen, 2 wrong usage.
    """
    import asyncio

    if reference is not None and batch is not None:
        raise click.UsageError(
            say("Diga una REFERENCIA o un --batch, no los dos.", "Name a REFERENCE or a --batch, not both.")
        )
    if reference is None and (family or (account and batch is None)):
        raise click.UsageError(
            say("--account y --family van con una REFERENCIA.", "--account and --family go with a REFERENCE.")
        )
    if watches and (reference is not None or as_json):
        raise click.UsageError(
            say(
                "--watch no va con una REFERENCIA ni con --json.",
                "--watch goes neither with a REFERENCE nor with --json.",
            )
        )
    settings = told_settings()
    if batch is not None:
        shown = _show_batch(settings, batch, account, as_json, watches=watches)
    elif reference is not None:
        shown = _show_document(settings, reference, account, family, as_json)
    else:
        shown = _show_overview(settings, as_json, watches=watches)
    if not asyncio.run(shown):
        raise click.exceptions.Exit(1)


def _speech(settings: Settings, as_json: bool) -> Speech:
    """JSON is the same in both languages: its messages are Spanish, as those of events."""
    from worker.speech import SPANISH, Speech

    return SPANISH if as_json else Speech(settings.lang)


def _reader(settings: Settings, redis: object) -> StatusReader:
    from redis.asyncio import Redis

    from worker.status.reader import StatusReader
    from worker.store.keys import Keys

    assert isinstance(redis, Redis)
    return StatusReader(
        redis,
        Keys(settings.namespace),
        settings.accounts(),
        limit=settings.rate_limit,
        window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )


async def _show_overview(settings: Settings, as_json: bool, *, watches: bool) -> bool:
    from worker.cli.status.watching import watched

    speech = _speech(settings, as_json)
    async with open_redis(settings, must_exist=True) as redis:
        reader = _reader(settings, redis)

        async def look() -> bool:
            return _overview_shown(settings, await reader.overview(), speech, as_json=as_json)

        return await watched(look, is_on=watches, speech=speech)


def _overview_shown(settings: Settings, seen: Overview, speech: Speech, *, as_json: bool) -> bool:
    """Show what was seen; whether all is well."""
    from dataclasses import asdict

    from schemas.factus import BOGOTA
    from worker.cli.status.rendering import show_overview
    from worker.status.problems import problems

    found = problems(seen, speech)
    if as_json:
        zones = {name: account.zone for name, account in settings.accounts().items()}
        lanes = [one.to_json(zones.get(one.account, BOGOTA)) for one in seen.lanes]
        told = [one.to_json(BOGOTA) for one in found]
        click.echo(json_text({**asdict(seen), "lanes": lanes, "problems": told}))
    else:
        show_overview(seen, found, BOGOTA, speech)
    return not found


async def _show_batch(settings: Settings, batch: str, account: str | None, as_json: bool, *, watches: bool) -> bool:
    from worker.cli.status.watching import watched
    from worker.status.batch import BatchReader
    from worker.store.keys import Keys

    speech = _speech(settings, as_json)
    async with open_redis(settings, must_exist=True) as redis:
        reader = _reader(settings, redis)
        batches = BatchReader(redis, Keys(settings.namespace), reader)

        async def look() -> bool:
            now_ms = await reader.now_ms()
            workers = await reader.workers(now_ms)
            names = [account] if account else [*(await reader.account_names(workers)), "?"]
            found = await batches.named(batch, names, now_ms, has_workers=bool(workers))
            return _batches_shown(batch, found, speech, as_json=as_json)

        return await watched(look, is_on=watches, speech=speech)


def _batches_shown(batch: str, found: list[BatchSeen], speech: Speech, *, as_json: bool) -> bool:
    """Show batches of a name; whether there is one."""
    from worker.cli.status.rendering import show_batch

    if as_json:
        documents = [one.to_json() for one in found]
        click.echo(json_text(documents[0] if len(documents) == 1 else {"found": documents}))
    else:
        for one in found:
            show_batch(one, speech)
    if not found:
        text = speech.say(
            f"No se conoce ningún lote {batch} del que se haya recibido un trabajo. Revise el nombre, --account, "
            "FACTUS_NAMESPACE y FACTUS_REDIS_URL.",
            f"No batch {batch} is known of which a job was taken in. Check the name, --account, FACTUS_NAMESPACE and "
            "FACTUS_REDIS_URL.",
        )
        emit(text, err=True)
    return bool(found)


async def _show_document(
    settings: Settings, reference: str, account: str | None, family: str | None, as_json: bool
) -> bool:
    from worker.cli.status.rendering import show_explanation
    from worker.status.lookup import JobLookup
    from worker.status.story import story_of
    from worker.store.keys import Keys

    accounts, speech = settings.accounts(), _speech(settings, as_json)
    own = [name for name, known in sorted(accounts.items()) if known.own_streams]
    async with open_redis(settings, must_exist=True) as redis:
        reader = _reader(settings, redis)
        has_worker = bool(await reader.workers(await reader.now_ms()))
        finder = JobLookup(redis, Keys(settings.namespace), reader, own)
        zones = {name: known.zone for name, known in accounts.items()}
        story = await story_of(finder, reference, zones, speech, account=account, family=family)
    if as_json:
        click.echo(json_text(story.to_json()))
    else:
        for one in story.told:
            show_explanation(one, speech)
        if story.is_pushed:
            emit(_pushed(reference, has_worker, speech))
    if not story.is_known:
        emit(_hint(settings, reference, account, speech), err=True)
    is_stuck = not has_worker and (story.is_pushed or any(one.outcome is None for one in story.told))
    return story.is_known and not is_stuck


def _pushed(reference: str, has_worker: bool, speech: Speech) -> str:
    text = speech.say(
        f"{reference} se envió y ningún trabajador lo ha recibido todavía.",
        f"{reference} is pushed and no worker has taken it in yet.",
    )
    if has_worker:
        return text + speech.say(" Lo recibe uno en segundos.", " A running worker does, in seconds.")
    return text + speech.say(
        " Ningún trabajador está en marcha: inicie uno con factus-worker run.",
        " No worker is running: start one with factus-worker run.",
    )


def _hint(settings: Settings, reference: str, account: str | None, speech: Speech) -> str:
    where = (
        speech.say(f"la cuenta {account}", f"account {account}")
        if account
        else speech.say("ninguna cuenta conocida aquí", "any account that is known here")
    )
    days = settings.ledger_days
    return speech.say(
        f"{reference} no se conoce en {where} (namespace {settings.namespace}). Lo terminado se recuerda {days} días. "
        "Revise la escritura, --account, FACTUS_NAMESPACE y FACTUS_REDIS_URL.",
        f"{reference} is unknown in {where} (namespace {settings.namespace}). Finished ones are remembered {days} days."
        " Check the spelling, --account, FACTUS_NAMESPACE and FACTUS_REDIS_URL.",
    )
