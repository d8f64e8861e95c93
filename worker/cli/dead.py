"""``factus-worker dead``: look at dead letters, push them again, or drop them."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.console import clean, is_terminal, open_redis

if TYPE_CHECKING:
    from schemas.records import JobRecord
    from worker.operating.dead_letters import DeadLetters, History, Letter, Pushed, Wanted
    from worker.settings import Settings

Command = Callable[..., None]

_LETTER_ID: Final = re.compile(r"\d{1,20}-\d{1,20}")
_MOST_HEX_BYTES: Final = 512


def _ids(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        if not _LETTER_ID.fullmatch(text):
            raise click.BadParameter(f"{text!r} is no letter's id: those look like 1795622401234-0 (dead list)")
    return tuple(dict.fromkeys(value))


def _id(ctx: click.Context, param: click.Parameter, value: str) -> str:
    return _ids(ctx, param, (value,))[0]


@click.group("dead")
def command() -> None:
    """Dead letters: jobs that were refused or have failed, kept until a person has dealt with them.

    \b
    Exit status: 0 done, 1 not found or not all could be done, 2 wrong usage.
    """


# -- look --------------------------------------------------------------------------------------------------------------
@command.command("list", short_help="One line for each.")
@click.option("--account", metavar="NAME", help="Only letters of this account.")
@click.option("--reason", metavar="GLOB", help="Only these reasons, such as 'payload.*'.")
@click.option("--since", metavar="WHEN", help="From then on: 10m, 2026-11-30T08:00:00-05:00, or a letter's id.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N letters.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, without the original bytes.")
def list_letters(account: str | None, reason: str | None, since: str | None, count: int | None, as_json: bool) -> None:
    """Print the letters, oldest first: id, time, reason, account, reference, job id, first message."""
    import asyncio
    from datetime import UTC, datetime

    from worker.operating.dead_letters import Wanted
    from worker.operating.reading_results import since_entry
    from worker.settings import load_settings

    try:
        start = since_entry(since, now=datetime.now(UTC)) if since else "-"
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--since") from exc
    asyncio.run(_list(load_settings(), Wanted(account, reason), start, count, as_json))


async def _list(settings: Settings, wanted: Wanted, since: str, count: int | None, as_json: bool) -> None:
    n_shown = 0
    async with _open(settings) as dead:
        async for letter in dead.letters(wanted, since):
            click.echo(json_line(letter) if as_json else line_of(letter))
            n_shown += 1
            if n_shown == count:
                break
    if not n_shown:
        click.echo("No dead letters.", err=True)


@command.command("show", short_help="One letter with everything that is known of it.")
@click.argument("letter_id", metavar="ID", callback=_id)
@click.option("--raw", "only_raw", is_flag=True, help="Write the original bytes to standard output, and nothing else.")
def show(letter_id: str, only_raw: bool) -> None:
    """Show the letter ID: why, every error, what became of the job before, and the original bytes."""
    import asyncio

    from worker.settings import load_settings

    if not asyncio.run(_show(load_settings(), letter_id, only_raw)):
        raise click.exceptions.Exit(1)


async def _show(settings: Settings, letter_id: str, only_raw: bool) -> bool:
    async with _open(settings) as dead:
        letter = await dead.get(letter_id)
        if letter is None:
            click.echo(_no_such(letter_id), err=True)
            return False
        history = None if only_raw else await dead.history(letter)
    if history is None:
        sys.stdout.buffer.write(letter.raw)
    else:
        for line in [*head_lines(letter), *history_lines(history), *raw_lines(letter)]:
            click.echo(line)
    return True


# -- act ---------------------------------------------------------------------------------------------------------------
def _selection(verb: str) -> Callable[[Command], Command]:
    """What ``retry`` and ``drop`` have in common: which letters are meant."""

    def decorate(function: Command) -> Command:
        for option in (
            click.option("--yes", is_flag=True, help="Do not ask."),
            click.option("--account", metavar="NAME", help="With --all: only letters of this account."),
            click.option("--reason", metavar="GLOB", help="With --all: only these reasons, such as 'factus.*'."),
            click.option("--all", "is_all", is_flag=True, help=f"{verb} every letter that is there now."),
            click.argument("ids", nargs=-1, metavar="[ID]...", callback=_ids),
        ):
            function = option(function)
        return function

    return decorate


@command.command("retry", short_help="Push the jobs again and remove the letters.")
@_selection("Push again")
def retry(ids: tuple[str, ...], is_all: bool, reason: str | None, account: str | None, yes: bool) -> None:
    """Push the jobs of the letters again, each as a new job: the same payload, the old id and .r1, .r2 ...

    A letter goes when its job is pushed. No document goes out twice by it: a reference that is open or validated joins
    or is answered at once, any other is looked up at Factus first. The letter of a failed job does not carry priority,
    not_before, expires_at and issue_on; its job goes without them, and the output says so.
    """
    import asyncio

    from worker.settings import load_settings

    _check_selection(ids, is_all, reason, account, yes)
    if not asyncio.run(_retry(load_settings(), ids, reason, account, yes)):
        raise click.exceptions.Exit(1)


async def _retry(settings: Settings, ids: tuple[str, ...], reason: str | None, account: str | None, yes: bool) -> bool:
    from worker.operating.dead_letters import Gone, Kept, Pushed

    n_done = 0
    async with _open(settings) as dead:
        chosen = ids or await _choose(dead, reason, account, "Push again", yes)
        for letter_id in chosen:
            letter = await dead.get(letter_id)
            match await dead.retry(letter) if letter else Gone():
                case Pushed() as pushed:
                    click.echo(pushed_line(letter_id, pushed))
                    n_done += 1
                case Kept(why):
                    click.echo(f"{letter_id}  kept: {clean(why)}", err=True)
                case Gone():
                    click.echo(_no_such(letter_id), err=True)
    click.echo(f"Pushed {n_done} of {len(chosen)}. Their results: factus-worker results, or status JOB")
    return n_done == len(chosen)


@command.command("drop", short_help="Delete letters for good.")
@_selection("Drop")
def drop(ids: tuple[str, ...], is_all: bool, reason: str | None, account: str | None, yes: bool) -> None:
    """Delete letters for good, their original bytes included; prints what was dropped."""
    import asyncio

    from worker.settings import load_settings

    _check_selection(ids, is_all, reason, account, yes)
    if not asyncio.run(_drop(load_settings(), ids, reason, account, yes)):
        raise click.exceptions.Exit(1)


async def _drop(settings: Settings, ids: tuple[str, ...], reason: str | None, account: str | None, yes: bool) -> bool:
    n_done = 0
    async with _open(settings) as dead:
        chosen = ids or await _choose(dead, reason, account, "Drop", yes)
        for letter_id in chosen:
            letter = await dead.get(letter_id)
            if letter and await dead.drop(letter_id):
                click.echo(f"dropped  {line_of(letter)}")
                n_done += 1
            else:
                click.echo(_no_such(letter_id), err=True)
    click.echo(f"Dropped {n_done} of {len(chosen)}.")
    return n_done == len(chosen)


def _check_selection(ids: tuple[str, ...], is_all: bool, reason: str | None, account: str | None, yes: bool) -> None:
    if bool(ids) == is_all:
        raise click.UsageError("Name the letters, or say --all.")
    if ids and (reason is not None or account is not None):
        raise click.UsageError("--reason and --account go with --all.")
    if is_all and not yes and not _can_ask():
        raise click.UsageError("--all asks on a terminal; elsewhere it needs --yes.")


def _can_ask() -> bool:
    return is_terminal() and sys.stdin.isatty()


async def _choose(dead: DeadLetters, reason: str | None, account: str | None, verb: str, yes: bool) -> tuple[str, ...]:
    """
    The letters that are there now. Not those that come while they are worked on: a job that is refused again would be
    pushed again without end.
    """
    from collections import Counter

    from worker.operating.dead_letters import Wanted

    found = [(letter.id, letter.reason) async for letter in dead.letters(Wanted(account, reason))]
    if found and not yes:
        counts = Counter(reason for _, reason in found).most_common()
        told = ", ".join(f"{count} {clean(reason) or 'without a reason'}" for reason, count in counts)
        click.confirm(f"{verb} {len(found)} dead letters ({told})?", abort=True)
    return tuple(letter_id for letter_id, _ in found)


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[DeadLetters]:
    from worker.keys import Keys
    from worker.ledger import LedgerPolicy
    from worker.operating.dead_letters import DeadLetters

    own = frozenset(name for name, account in settings.accounts().items() if account.own_streams)
    policy = LedgerPolicy(settings.ledger_days, settings.results_maxlen)
    async with open_redis(settings, must_exist=True) as redis:
        yield DeadLetters(redis, Keys(settings.namespace), own, retention_ms=policy.retention_ms)


def _no_such(letter_id: str) -> str:
    return f"{letter_id}  is not there: it was never, or it has been pushed again or dropped (dead list)"


# -- words -------------------------------------------------------------------------------------------------------------
def line_of(letter: Letter) -> str:
    """A letter as one aligned line."""
    columns = [
        f"{letter.id:<16}",
        _clock(letter.at_ms),
        f"{letter.reason or '-':<20}",
        f"{letter.account or '-':<12}",
        f"{letter.reference_code or '-':<20}",
        f"{letter.job_id:<20}",
        letter.message,
    ]
    return clean("  ".join(columns)).rstrip()


def json_line(letter: Letter) -> str:
    """A letter as one line of JSON; the bytes, which may be anything, are left to ``show --raw``."""
    from datetime import UTC, datetime

    from schemas import strict_json

    at = datetime.fromtimestamp(letter.at_ms / 1000, UTC)
    return strict_json.dump(
        {
            "id": letter.id,
            "time": at.isoformat(timespec="milliseconds"),
            "reason": letter.reason,
            "account": letter.account or None,
            "reference_code": letter.reference_code or None,
            "job_id": letter.job_id,
            "message": letter.message,
            "entry": letter.entry or None,
            "errors": letter.errors,
        }
    )


def head_lines(letter: Letter) -> list[str]:
    """What the letter says: why, of which job, and every error."""
    what = "failed after it was accepted" if letter.is_of_accepted_job else "refused before any call"
    lines = _named_lines(
        ("letter", letter.id),
        ("time", _clock(letter.at_ms)),
        ("reason", f"{letter.reason or '-'} ({what})"),
        ("account", letter.account),
        ("reference", letter.reference_code),
        ("job", f"{letter.job_id}  ({letter.event.get('job_type') or 'type unknown'})"),
        ("pushed as", f"entry {letter.entry}" if letter.entry else ""),
    )
    return [*lines, "", "Errors:", *(_error_line(error) for error in letter.errors)]


def _error_line(error: dict[str, Any]) -> str:
    places = [f"{name} {error[name]}" for name in ("field", "rule") if error.get(name)]
    return clean(f"  {error.get('code') or '-'}: {error.get('message') or '-'}" + _in_brackets(places))


def history_lines(history: History) -> list[str]:
    """What the ledger remembers of the job, and which other letters speak of it."""
    lines = ["", "History:"]
    lines += [clean(f"  {_record_line(record)}") for record in history.records]
    if not history.records:
        lines.append("  the ledger has no record of the job")
    if history.others:
        lines += ["", "Other letters of the same job or reference:"]
        lines += [f"  {line_of(other)}" for other in history.others]
    return lines


def _record_line(record: JobRecord) -> str:
    from schemas import strict_json

    error = strict_json.parse(record.last_error) if record.last_error else {}
    parts = [
        record.final_type or record.state,
        f"taken in {_clock(record.accepted_at)}" if record.accepted_at else "",
        f"ended {_clock(record.final_at)}" if record.final_at else "",
        f"{record.attempts} attempts",
        f"number {record.number}" if record.number else "",
        f"last error {error.get('code')}: {error.get('message')}" if error else "",
    ]
    return f"{record.id}: " + ", ".join(part for part in parts if part)


def raw_lines(letter: Letter) -> list[str]:
    """The bytes as they are where a terminal can show them, else as hex."""
    title = "Job, as it can be pushed again:" if letter.is_of_accepted_job else "Original bytes:"
    text = printable(letter.raw)
    if text is not None:
        return ["", title, text]
    shown = letter.raw[:_MOST_HEX_BYTES]
    lines = [f"  {shown[at : at + 16].hex(' ')}" for at in range(0, len(shown), 16)]
    if len(letter.raw) > len(shown):
        lines.append(f"  and {len(letter.raw) - len(shown)} bytes more")
    hint = f"No printable text. To save them: factus-worker dead show --raw {letter.id} > FILE"
    return ["", f"{title} {len(letter.raw)}, in hex", *lines, hint]


def printable(raw: bytes) -> str | None:
    """The bytes as text, if it is UTF-8 that no terminal takes for a command."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\n\t" for char in text) else None


def pushed_line(letter_id: str, pushed: Pushed) -> str:
    """What came of a letter that was pushed again."""
    without = f"; goes without {', '.join(pushed.goes_without)}" if pushed.goes_without else ""
    return clean(f"{letter_id}  pushed as {pushed.job_id} to {pushed.stream}, entry {pushed.entry}{without}")


def _named_lines(*pairs: tuple[str, str]) -> list[str]:
    return [f"{name + ':':<12}{clean(text)}" for name, text in pairs if text]


def _in_brackets(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _clock(at_ms: int) -> str:
    from schemas.factus import BOGOTA
    from worker.operating.explaining import clock

    return clock(at_ms, BOGOTA)
