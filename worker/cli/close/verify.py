"""
``factus-worker close verify``: certificates against their hashes and their chain, offline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from jobs.closing.chain import Flaw, flaws, is_certificate
from worker.bounded_files import FileUnusable, opened
from worker.cli.bilingual import say as say_typed
from worker.cli.close.names import PREFIX
from worker.cli.console import emit, json_text, show_table

if TYPE_CHECKING:
    from worker.speech import Speech

_MOST_BYTES: Final = 64 * 1024 * 1024
Named = tuple[str, dict[str, Any]]


def verify(paths: Sequence[str], speech: Speech, *, as_json: bool) -> bool:
    """
    Check and tell; whether nothing is wrong.

    Raises:
        UsageError: A file that is none of these, or a folder without any.
    """
    read = [one for path in paths for one in _read(path)]
    found = [(name, one) for name, one in read if one is not None]
    told = [*(_damaged(name) for name, one in read if one is None), *flaws(found)]
    is_sound = all(flaw.what == "start" for flaw in told)
    if as_json:
        rows = [{"what": one.what, "file": one.name, "account": one.account, "sha256": one.sha256} for one in told]
        click.echo(json_text({"certificates": len(found), "is_sound": is_sound, "flaws": rows}))
        return is_sound
    _show(found, told, speech, is_sound=is_sound)
    return is_sound


def _read(path: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """What is to be checked; None for what only has the name of a certificate."""
    where = Path(path)
    if not where.is_dir():
        one = _certificate(path)
        if one is None:
            raise click.UsageError(
                say_typed(f"{path}: no es un certificado de cierre", f"{path}: no certificate of a day")
            )
        yield path, one
        return
    files = [(file, _certificate(str(file))) for file in sorted(where.glob("*.json"))]
    some = [(str(file), one) for file, one in files if one is not None or _is_named_as_one(file)]
    if not some:
        raise click.UsageError(say_typed(f"{path}: no tiene certificados", f"{path}: holds no certificates"))
    yield from some


def _is_named_as_one(file: Path) -> bool:
    """
    Whether ``close`` wrote a file of this name. Passed without a word, a damaged first or last one would leave the rest
    a sound chain.
    """
    return file.name.startswith(PREFIX)


def _damaged(name: str) -> Flaw:
    return Flaw("changed", name, "", "")


def _certificate(path: str) -> dict[str, Any] | None:
    try:
        with opened(path, most=_MOST_BYTES) as file:
            value = json.loads(file.read())
    except FileUnusable as exc:
        raise click.UsageError(f"{path}: {say_typed(exc.es, str(exc))}") from exc
    except (ValueError, RecursionError):
        return None
    return value if is_certificate(value) else None


def _show(found: Sequence[Named], told: Sequence[Flaw], speech: Speech, *, is_sound: bool) -> None:
    say = speech.say
    words = {
        "changed": say("su contenido no es el de su huella", "its content is not that of its hash"),
        "fork": say("otro certificado sigue al mismo anterior", "another certificate follows the same one"),
        "gap": say("falta el certificado anterior", "the certificate before it is missing"),
        "start": say("el anterior no está aquí: no se revisó", "the one before it is not here: not checked"),
    }
    if told:
        rows = [[one.name, words[one.what], one.sha256[:16] or "-"] for one in told]
        show_table([say("archivo", "file"), say("qué", "what"), say("huella", "hash")], rows)
    accounts = len({one["account"] for _, one in found})
    n = speech.of(len(found), ("certificado", "certificate"), ("certificados", "certificates"))
    of = speech.of(accounts, ("cuenta", "account"), ("cuentas", "accounts"))
    if is_sound:
        emit(
            say(f"{n} de {of}: las huellas y la cadena están bien.", f"{n} of {of}: hashes and chain are right."),
            "green",
        )
    else:
        emit(say(f"{n} de {of}: no están como se hicieron.", f"{n} of {of}: they are not as they were made."), "red")
