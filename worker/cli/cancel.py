"""``factus-worker cancel``: end open jobs of which nothing was sent."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from schemas.names import account_of
from worker.cli.bilingual import argument, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, open_redis, show_table, told_settings
from worker.cli.duration import duration
from worker.cli.own_events import event_of, job_of
from worker.cli.producers_token import entry_of, producers_token, token_option

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from worker.settings.model import Settings
    from worker.speech import Speech
    from worker.store.keys import Keys

Wanted = tuple[str, dict[str, str]]
"""An account, and the payload of the cancellation."""

_BLOCK_MS: Final = 500
_PAGE: Final = 500


_ES: Final = """Termina lo que está abierto y no ha enviado nada: los trabajos del documento REFERENCIA, un TRABAJO
por su id, o un lote.

Lo que Factus puede tener, y lo que ya terminó, sigue como está, y la respuesta dice por qué: llegó tarde. Envía un
trabajo de tipo job.cancel y muestra su respuesta; tiene que haber un trabajador en marcha.

Código de salida: 0 se canceló algo, 1 nada, o no llegó respuesta, 2 mal escrito.
"""
_NAME: Final = ("NOMBRE", "NAME")


@spoken_command("cancel", _ES)
@argument("reference", required=False, named=("[REFERENCIA|TRABAJO]", "[REFERENCE|JOB]"))
@option(
    "--batch",
    named=_NAME,
    told=("Cancela todos los trabajos abiertos de este lote.", "Cancel all open jobs of this batch."),
)
@option("--account", named=_NAME, told=("Solo en esta cuenta.", "In this account only."))
@option(
    "--family",
    named=_NAME,
    told=("Solo un documento de esta clase, como invoice.", "Only a document of this family, such as invoice."),
)
@option(
    "--timeout",
    callback=duration,
    named=("TIEMPO", "TIME"),
    default="30s",
    show_default=True,
    told=("Cuánto espera la respuesta, a lo sumo.", "Longest wait for the answer."),
)
@token_option
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("Las respuestas como eventos, en un documento JSON.", "The answers as events, one JSON document."),
)
def command(
    reference: str | None,
    batch: str | None,
    account: str | None,
    family: str | None,
    timeout: float,
    token_file: str | None,
    as_json: bool,
) -> None:
    """End what is open and has sent nothing: the jobs of the document REFERENCE, one JOB by its id, or a batch.

    What Factus may have, and what is final, stays as it is, and the answer says why: it came too late for that.
    Pushes a job of type job.cancel and shows its answer; a worker has to run.

    Exit status: 0 something was cancelled, 1 nothing was, or no answer came, 2 wrong usage.
    """
    import asyncio

    if (reference is None) == (batch is None):
        raise click.UsageError(
            say("Diga una REFERENCIA o un TRABAJO, o un --batch.", "Name a REFERENCE or JOB, or a --batch.")
        )
    settings = told_settings()
    token = producers_token(settings, token_file)
    if not asyncio.run(_cancel(settings, reference, batch, account, family, timeout, token, as_json)):
        raise click.exceptions.Exit(1)


async def _cancel(
    settings: Settings,
    reference: str | None,
    batch: str | None,
    account: str | None,
    family: str | None,
    timeout_s: float,
    token: str,
    as_json: bool,
) -> bool:
    from worker.speech import Speech

    speech = Speech(settings.lang)
    async with open_redis(settings, must_exist=True) as redis:
        wanted = await _wanted(settings, redis, reference, batch, account, family)
        found = await _push_and_wait(settings, redis, wanted, timeout_s, token)
    if as_json:
        click.echo(json_text({"answers": found}))
    else:
        _show(found, len(wanted), reference, batch, speech)
    return len(found) == len(wanted) and any((event["data"] or {}).get("cancelled") for event in found)


# -- which -------------------------------------------------------------------------------------------------------------
async def _wanted(
    settings: Settings, redis: Any, reference: str | None, batch: str | None, account: str | None, family: str | None
) -> list[Wanted]:
    """What to push: one for each account and document that the words may mean."""
    from worker.status.reader import StatusReader
    from worker.store.keys import Keys

    keys = Keys(settings.namespace)
    known = settings.accounts()
    reader = StatusReader(
        redis, keys, known, limit=settings.rate_limit, window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )  # fmt: skip
    workers = await reader.workers(await reader.now_ms())
    names = [account] if account else await reader.account_names(workers)
    if batch is not None:
        found = [(name, {"batch": batch}) for name in names if await _has_open(redis, keys, name, batch)]
        return _sure(found or [(names[0], {"batch": batch})] if len(names) == 1 else found, batch)
    assert reference is not None
    found = [one for name in names for one in await _named(redis, keys, name, reference, family)]
    if not found and len(names) == 1:
        found = [(names[0], {"job_id": reference})]  # pushed and not taken in yet, perhaps: the answer says
    return _sure(found, reference)


def _sure(found: list[Wanted], name: str) -> list[Wanted]:
    """
    Raises:
        UsageError: The same name stands in several accounts: nobody shall cancel what he did not mean.
    """
    accounts = sorted({account for account, _ in found})
    if len(accounts) > 1:
        raise click.UsageError(
            say(
                f"{name} está abierto en las cuentas {', '.join(accounts)}: diga cuál con --account.",
                f"{name} is open in the accounts {', '.join(accounts)}: say which with --account.",
            )
        )
    return found


async def _has_open(redis: Redis, keys: Keys, account: str, batch: str) -> bool:
    """Whether an account has an open job of a batch."""
    from worker.store.connection import command as ask

    for lane in await ask(redis, "SMEMBERS", keys.lanes()):
        name = lane.decode(errors="replace")
        if account_of(name) == account:
            places = (keys.in_flight(name), keys.waiting(name), keys.later(name))
            ids = [id_ for key in places for id_ in await ask(redis, "ZRANGE", key, 0, -1)]
            for at in range(0, len(ids), _PAGE):
                async with redis.pipeline(transaction=False) as pipe:
                    for id_ in ids[at : at + _PAGE]:
                        pipe.hget(keys.job(account, id_.decode()), "batch")
                    if batch.encode() in await pipe.execute():
                        return True
    return False


async def _named(redis: Redis, keys: Keys, account: str, reference: str, family: str | None) -> list[Wanted]:
    """The documents of that reference, or else the job of that id, in an account."""
    from jobs.families import FAMILIES
    from worker.store.connection import command as ask

    families = [family] if family else list(FAMILIES)
    found = [
        (account, {"family": name, "reference_code": reference})
        for name in families
        if await ask(redis, "HGET", keys.document(account, name, reference), "job")
    ]
    if not found and await ask(redis, "EXISTS", keys.job(account, reference)):
        return [(account, {"job_id": reference})]
    return found


# -- push and wait -----------------------------------------------------------------------------------------------------
async def _push_and_wait(
    settings: Settings, redis: Any, wanted: Sequence[Wanted], timeout_s: float, token: str
) -> list[dict[str, Any]]:
    from schemas import strict_json
    from worker.cli.submit.push import ends_of
    from worker.store.keys import Keys

    keys = Keys(settings.namespace)
    own = {name for name, known in settings.accounts().items() if known.own_streams}
    places = await ends_of(redis, [keys.results(), *(keys.results(name) for name in sorted(own))])
    open_ids: set[str] = set()
    for account, payload in wanted:
        job_id = f"cancel-{secrets.token_hex(6)}"
        job = {"id": job_id, "type": "job.cancel", "account": account, "priority": "high", "payload": payload}
        await redis.xadd(keys.jobs(account if account in own else None), entry_of(strict_json.dump(job), token))
        open_ids.add(job_id)
    found: list[dict[str, Any]] = []
    gives_up_at = monotonic() + timeout_s
    while open_ids and monotonic() < gives_up_at:
        for stream, entries in await redis.xread(dict(places), count=500, block=_BLOCK_MS) or ():
            for entry_id, fields in entries:
                places[stream.decode()] = entry_id.decode()
                if job_of(fields) in open_ids and (event := event_of(fields.get(b"event"))) is not None:
                    open_ids.discard(job_of(fields))
                    found.append(event)
    return found


# -- show --------------------------------------------------------------------------------------------------------------
def _show(
    found: Sequence[dict[str, Any]], n_pushed: int, reference: str | None, batch: str | None, speech: Speech
) -> None:
    say = speech.say
    if not n_pushed and batch is not None:
        emit(
            say(
                f"El lote {batch} no tiene trabajos abiertos: ya terminó, o se llama de otro modo "
                f"(factus-worker status --batch {batch}).",
                f"Batch {batch} has no open job: it is final, or has another name (factus-worker status --batch "
                f"{batch}).",
            )
        )
        return
    if not n_pushed:
        emit(
            say(
                f"{reference} no se conoce: revise la escritura, --account y --family.",
                f"{reference} is unknown: check the spelling, --account and --family.",
            )
        )
        return
    for event in found:
        emit(event["message"] if event["success"] else f"{event['message']} {event['errors'][0]['message']}", "bold")
        data = event["data"] or {}
        if data.get("cancelled"):
            show_table([say("cancelado", "cancelled")], [[id_] for id_ in data["cancelled"]])
        if data.get("kept"):
            rows = [[one["job_id"], one["why"]] for one in data["kept"]]
            show_table([say("sigue como está", "stays"), say("por qué", "why")], rows)
    if len(found) < n_pushed:
        emit(
            say(
                "No llegó respuesta a tiempo. La cancelación está en la cola y se hace cuando un trabajador la reciba: "
                "factus-worker status",
                "No answer came in time. The cancellation is pushed and is done when a worker takes it in: "
                "factus-worker status",
            ),
            "red",
        )
