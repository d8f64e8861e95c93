"""``factus-worker dead``: look at dead letters, push them again, or drop them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import Both, argument, below, group, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import clean, emit, escaped, is_terminal, open_redis, show_fields, told_settings, width
from worker.cli.dead.rendering import (
    columns_of,
    error_line,
    head_fields,
    history_lines,
    json_line,
    line_of,
    pushed_line,
    raw_lines,
)
from worker.speech import Speech
from worker.store.entry_ids import is_whole_entry_id

if TYPE_CHECKING:
    from worker.cli.dead.letters import DeadLetters, Letter, Wanted
    from worker.settings.model import Settings

Command = Callable[..., None]


def _ids(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        if not is_whole_entry_id(text):
            raise click.BadParameter(
                say(
                    f"{text!r} no es el id de un trabajo apartado: son como 1795622401234-0 (dead list)",
                    f"{text!r} is no letter's id: those look like 1795622401234-0 (dead list)",
                )
            )
    return tuple(dict.fromkeys(value))


def _id(ctx: click.Context, param: click.Parameter, value: str) -> str:
    return _ids(ctx, param, (value,))[0]


_ES: Final = """Trabajos apartados: los que se rechazaron o fallaron, guardados hasta que una persona los atiende.

Código de salida: 0 hecho, 1 no está o no se pudo con todos, 2 mal escrito.
"""
_NAME: Final = ("NOMBRE", "NAME")
_GLOB: Final = ("PATRÓN", "GLOB")


@group("dead", _ES)
def command() -> None:
    """Dead letters: jobs that were refused or have failed, kept until a person has dealt with them.

    Exit status: 0 done, 1 not found or not all could be done, 2 wrong usage.
    """


# -- look --------------------------------------------------------------------------------------------------------------
_ES_LIST: Final = """Muestra los trabajos apartados, del más viejo al más nuevo: id, hora, motivo, cuenta,
referencia, id del trabajo, primer mensaje."""


@partial(below, command)
@spoken_command("list", _ES_LIST, short=("Una línea por cada uno.", "One line for each."))
@option("--account", named=_NAME, told=("Solo los de esta cuenta.", "Only letters of this account."))
@option(
    "--reason",
    named=_GLOB,
    told=("Solo estos motivos, como 'payload.*'.", "Only these reasons, such as 'payload.*'."),
)
@option(
    "--since",
    named=("CUÁNDO", "WHEN"),
    told=(
        "Desde entonces: 10m, 2026-11-30, 2026-11-30T08:00:00-05:00, o el id de uno.",
        "From then on: 10m, 2026-11-30, 2026-11-30T08:00:00-05:00, or a letter's id.",
    ),
)
@option("--count", type=click.IntRange(min=1), named=("N", "N"), told=("Termina después de N.", "End after N letters."))
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=(
        "Un objeto JSON por línea, sin los bytes originales.",
        "One JSON object a line, without the original bytes.",
    ),
)
def list_letters(account: str | None, reason: str | None, since: str | None, count: int | None, as_json: bool) -> None:
    """Print the letters, oldest first: id, time, reason, account, reference, job id, first message."""
    import asyncio
    from datetime import UTC, datetime

    from worker.cli.dead.letters import Wanted
    from worker.cli.results.reader import SINCE, since_entry

    try:
        start = since_entry(since, now=datetime.now(UTC)) if since is not None else "-"
    except ValueError as exc:
        raise click.BadParameter(say(*SINCE), param_hint="--since") from exc
    asyncio.run(_list(told_settings(), Wanted(account, reason), start, count, as_json))


async def _list(settings: Settings, wanted: Wanted, since: str, count: int | None, as_json: bool) -> None:
    n_shown = 0
    async with _open(settings) as dead:
        async for letter in dead.letters(wanted, since):
            if as_json:
                click.echo(escaped(json_line(letter)))
            else:
                _show_line(letter)
            n_shown += 1
            if n_shown == count:
                break
    if not n_shown:
        emit(Speech(settings.lang).say("No hay trabajos apartados.", "No dead letters."), err=True)


_WIDE: Final[int] = 160
"""Columns from which a letter is one line."""


def _show_line(letter: Letter) -> None:
    if not is_terminal() or width() >= _WIDE:
        emit(line_of(letter))
        return
    *head, message = columns_of(letter)
    emit("  ".join(head), "bold", hanging=2)
    emit(message, indent=2, hanging=2)


_ES_SHOW: Final = """Muestra el trabajo apartado ID: por qué, cada error, qué fue del trabajo antes, y los bytes
originales."""


@partial(below, command)
@spoken_command(
    "show", _ES_SHOW, short=("Uno, con todo lo que se sabe de él.", "One letter with everything that is known of it.")
)
@argument("letter_id", named=("ID", "ID"), callback=_id)
@option(
    "--raw",
    "only_raw",
    is_flag=True,
    told=(
        "Escribe los bytes originales en la salida estándar, y nada más.",
        "Write the original bytes to standard output, and nothing else.",
    ),
)
def show(letter_id: str, only_raw: bool) -> None:
    """Show the letter ID: why, every error, what became of the job before, and the original bytes."""
    import asyncio

    if not asyncio.run(_show(told_settings(), letter_id, only_raw)):
        raise click.exceptions.Exit(1)


async def _show(settings: Settings, letter_id: str, only_raw: bool) -> bool:
    speech = Speech(settings.lang)
    async with _open(settings) as dead:
        letter = await dead.get(letter_id)
        if letter is None:
            emit(_no_such(letter_id, speech), hanging=2, err=True)
            return False
        history = None if only_raw else await dead.history(letter)
    if history is None:
        sys.stdout.buffer.write(letter.raw)
    else:
        show_fields(head_fields(letter, speech))
        emit("")
        emit(speech.say("Errores:", "Errors:"), "bold")
        for error in letter.errors:
            emit(error_line(error, speech), "red", indent=2, hanging=2)
        for line in ["", *history_lines(history, speech), ""]:
            emit(line.strip(), indent=len(line) - len(line.lstrip()), hanging=2)
        for line in raw_lines(letter, speech):
            click.echo(line)
    return True


# -- act ---------------------------------------------------------------------------------------------------------------
def _selection(told: Both) -> Callable[[Command], Command]:
    """What ``retry`` and ``drop`` have in common: which letters are meant."""

    def decorate(function: Command) -> Command:
        for add in (
            option("--yes", is_flag=True, told=("No pregunta.", "Do not ask.")),
            option(
                "--account",
                named=_NAME,
                told=("Con --all: solo los de esta cuenta.", "With --all: only letters of this account."),
            ),
            option(
                "--reason",
                named=_GLOB,
                told=(
                    "Con --all: solo estos motivos, como 'factus.*'.",
                    "With --all: only these reasons, such as 'factus.*'.",
                ),
            ),
            option("--all", "is_all", is_flag=True, told=told),
            argument("ids", nargs=-1, named=("[ID]...", "[ID]..."), callback=_ids),
        ):
            function = add(function)
        return function

    return decorate


_ES_RETRY: Final = """Envía otra vez los trabajos apartados, cada uno como trabajo nuevo: el mismo contenido, el id
de antes y .r1, .r2 ...

El apartado se borra cuando su trabajo se envía. Ningún documento sale dos veces por esto: una referencia que está
abierta o validada se une o se responde de inmediato, y cualquier otra se busca primero en Factus. El apartado de
un trabajo que falló no guarda priority, not_before, expires_at ni issue_on; su trabajo va sin ellos, y la salida
lo dice.

Un correo o un evento RADIAN del que no se sabe si salió se envía otra vez solo si usted lo confirma uno por uno, o
lo nombra con --yes: a Factus no se le puede preguntar si lo hizo, y lo hace dos veces.

Va como envío del operador, sin token: lo que se negó a su productor (auth.denied) se envía solo por su id, o con
--reason.
"""


@partial(below, command)
@spoken_command(
    "retry",
    _ES_RETRY,
    short=("Envía otra vez los trabajos y borra los apartados.", "Push the jobs again and remove the letters."),
)
@_selection(("Envía otra vez todos los que hay ahora.", "Push again every letter that is there now."))
def retry(ids: tuple[str, ...], is_all: bool, reason: str | None, account: str | None, yes: bool) -> None:
    """Push the jobs of the letters again, each as a new job: the same payload, the old id and .r1, .r2 ...

    A letter goes when its job is pushed. No document goes out twice by it: a reference that is open or validated joins
    or is answered at once, any other is looked up at Factus first. The letter of a failed job does not carry priority,
    not_before, expires_at and issue_on; its job goes without them, and the output says so.

    An e-mail or a RADIAN event of unknown outcome is pushed again only when you confirm that one letter, or name it
    with --yes: Factus cannot be asked whether it was done, and does it twice.

    It is pushed as the operator, without a token: what was denied to its producer (auth.denied) only by its id, or with
    --reason.
    """
    import asyncio

    _check_selection(ids, is_all, reason, account, yes)
    if not asyncio.run(_retry(told_settings(), ids, reason, account, yes)):
        raise click.exceptions.Exit(1)


async def _retry(settings: Settings, ids: tuple[str, ...], reason: str | None, account: str | None, yes: bool) -> bool:
    from worker.cli.dead.letters import Gone, Kept, Pushed

    n_done, speech = 0, Speech(settings.lang)
    async with _open(settings) as dead:
        chosen = ids or await _choose(dead, reason, account, speech.say("¿Enviar otra vez", "Push again"), yes, speech)
        for letter_id in chosen:
            letter = await dead.get(letter_id)
            if letter and letter.reason == "auth.denied" and not ids and reason is None:
                emit(_denied_line(letter, speech), hanging=2, err=True)
                continue
            is_kept = letter and letter.may_be_done and not _goes_anyway(letter, speech, is_named=bool(ids), yes=yes)
            if letter and is_kept:
                emit(_careful_line(letter, speech), hanging=2, err=True)
                continue
            match await dead.retry(letter) if letter else Gone():
                case Pushed() as pushed:
                    emit(pushed_line(letter_id, pushed, speech), hanging=2)
                    n_done += 1
                case Kept(why, why_en):
                    kept = speech.say(f"se queda: {why}", f"kept: {why_en}")
                    emit(f"{letter_id}  {kept}", hanging=2, err=True)
                case Gone():
                    emit(_no_such(letter_id, speech), hanging=2, err=True)
    n, of = speech.count(n_done), speech.count(len(chosen))
    done = speech.say(f"Enviados {n} de {of}.", f"Pushed {n} of {of}.")
    look = speech.say(
        "Sus resultados: factus-worker results, status TRABAJO", "Their results: factus-worker results, status JOB"
    )
    emit(f"{done} {look}" if n_done else done)
    return n_done == len(chosen)


def _denied_line(letter: Letter, speech: Speech) -> str:
    """What was denied to a producer happens by the operator's hand only when he means it."""
    return speech.say(
        f"{letter.id}  se queda: se le negó a quien lo envió. Mire de quién es (dead show); se envía solo por su id",
        f"{letter.id}  kept: it was denied to whoever pushed it. See whose it is (dead show): push it by its id",
    )


def _goes_anyway(letter: Letter, speech: Speech, *, is_named: bool, yes: bool) -> bool:
    """Whether a person wants what may have been done already to be done once more. No --all wants that."""
    if yes:
        return is_named
    about = letter.reference_code or letter.job_id
    assert letter.may_be_done is not None
    done, again = speech.say(*letter.may_be_done), speech.say("¿Enviarlo otra vez?", "Push it again?")
    return _can_ask() and click.confirm(clean(f"{letter.id}  {about}: {done}. {again}"))


def _careful_line(letter: Letter, speech: Speech) -> str:
    assert letter.may_be_done is not None
    done, retry = speech.say(*letter.may_be_done), f"dead retry {letter.id} --yes"
    return speech.say(
        f"{letter.id}  se queda: {done}. Mire en Factus y luego: {retry}, o dead drop",
        f"{letter.id}  kept: {done}. Look at Factus, then: {retry}, or dead drop",
    )


_ES_DROP: Final = """Borra trabajos apartados para siempre, con sus bytes originales; dice lo que borró."""


@partial(below, command)
@spoken_command("drop", _ES_DROP, short=("Borra apartados para siempre.", "Delete letters for good."))
@_selection(("Borra todos los que hay ahora.", "Drop every letter that is there now."))
def drop(ids: tuple[str, ...], is_all: bool, reason: str | None, account: str | None, yes: bool) -> None:
    """Delete letters for good, their original bytes included; prints what was dropped."""
    import asyncio

    _check_selection(ids, is_all, reason, account, yes)
    if not asyncio.run(_drop(told_settings(), ids, reason, account, yes)):
        raise click.exceptions.Exit(1)


async def _drop(settings: Settings, ids: tuple[str, ...], reason: str | None, account: str | None, yes: bool) -> bool:
    n_done, speech = 0, Speech(settings.lang)
    async with _open(settings) as dead:
        chosen = ids or await _choose(dead, reason, account, speech.say("¿Eliminar", "Drop"), yes, speech)
        for letter_id in chosen:
            letter = await dead.get(letter_id)
            if letter and await dead.drop(letter_id):
                told = line_of(letter) if not is_terminal() else "  ".join(columns_of(letter))
                emit(f"{speech.say('eliminado', 'dropped')}  {told}", hanging=2)
                n_done += 1
            else:
                emit(_no_such(letter_id, speech), hanging=2, err=True)
    n, of = speech.count(n_done), speech.count(len(chosen))
    emit(speech.say(f"Eliminados {n} de {of}.", f"Dropped {n} of {of}."))
    return n_done == len(chosen)


def _check_selection(ids: tuple[str, ...], is_all: bool, reason: str | None, account: str | None, yes: bool) -> None:
    if bool(ids) == is_all:
        raise click.UsageError(say("Diga cuáles, por su id, o --all.", "Name the letters, or say --all."))
    if ids and (reason is not None or account is not None):
        raise click.UsageError(say("--reason y --account van con --all.", "--reason and --account go with --all."))
    if is_all and not yes and not _can_ask():
        raise click.UsageError(
            say(
                "--all pregunta en una terminal; en otra parte necesita --yes.",
                "--all asks on a terminal; elsewhere it needs --yes.",
            )
        )


def _can_ask() -> bool:
    return is_terminal() and sys.stdin.isatty()


async def _choose(
    dead: DeadLetters, reason: str | None, account: str | None, verb: str, yes: bool, speech: Speech
) -> tuple[str, ...]:
    """
    The letters that are there now. Not those that come while they are worked on: a job that is refused again would be
    pushed again without end.
    """
    from collections import Counter

    from worker.cli.dead.letters import Wanted

    found = [(letter.id, letter.reason) async for letter in dead.letters(Wanted(account, reason))]
    if found and not yes:
        counts = Counter(reason for _, reason in found).most_common()
        nothing = speech.say("sin motivo", "without a reason")
        told = ", ".join(f"{count} {clean(reason) or nothing}" for reason, count in counts)
        n = speech.of(len(found), ("trabajo apartado", "dead letter"), ("trabajos apartados", "dead letters"))
        click.confirm(f"{verb} {n} ({told})?", abort=True)
    return tuple(letter_id for letter_id, _ in found)


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[DeadLetters]:
    from worker.cli.dead.letters import DeadLetters
    from worker.queue.ledger_policy import LedgerPolicy
    from worker.store.keys import Keys

    policy = LedgerPolicy(settings.ledger_days, settings.results_maxlen)
    async with open_redis(settings, must_exist=True) as redis:
        yield DeadLetters(redis, Keys(settings.namespace), retention_ms=policy.retention_ms)


def _no_such(letter_id: str, speech: Speech) -> str:
    told = speech.say(
        "no está: nunca estuvo, o se envió otra vez o se eliminó (dead list)",
        "is not there: it was never, or it has been pushed again or dropped (dead list)",
    )
    return f"{letter_id}  {told}"
