"""``factus-worker token``: keys and tokens of producers, where jobs are signed."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import Any, Final

import click

from worker.cli.bilingual import below, group, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, is_terminal, json_text, show_fields, told_settings
from worker.speech import Speech

_LONGEST_LIFE_DAYS: Final = 366
_MOST_TYPED: Final = 64 * 1024
_FILE: Final = ("ARCHIVO", "FILE")
_NAME: Final = ("NOMBRE", "NAME")
_GLOBS: Final = ("PATRONES", "GLOBS")

_ES: Final = """Llaves y tokens de los productores, cuando los trabajos van firmados (FACTUS_JOBS_SIGNED).

La parte pública de cada llave va en el archivo de FACTUS_JOBS_KEYS: {"keys": [...]}. El token va en el campo token
del sobre, o en un campo token de la entrada junto a job.

Código de salida: 0 hecho, 1 no se pudo, 2 mal escrito.
"""


@group("token", _ES)
def command() -> None:
    """Keys and tokens of producers, where jobs are signed (FACTUS_JOBS_SIGNED).

    The public part of each key goes into the file of FACTUS_JOBS_KEYS: {"keys": [...]}. The token goes into the field
    token of the envelope, or into a field token of the entry beside job.

    Exit status: 0 done, 1 it could not be done, 2 wrong usage.
    """


_ES_KEY: Final = """Llaves con las que se firman tokens."""


@partial(below, command)
@group("key", _ES_KEY)
def key() -> None:
    """Keys that tokens are signed with."""


key.short = ("Llaves nuevas.", "New keys.")


# -- what is typed -----------------------------------------------------------------------------------------------------
def _kid(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
        raise click.BadParameter(
            say("un kid son de 1 a 64 de A-Z, a-z, 0-9, . _ y -", "a kid is 1 to 64 of A-Z, a-z, 0-9, . _ and -")
        )
    return value


def _producer(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (0 < len(value) <= 128 and value.isprintable()):
        raise click.BadParameter(say("de 1 a 128 caracteres", "1 to 128 characters"))
    return value


def _globs(_ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    found = [part.strip() for part in value.split(",")]
    # Names of accounts and job types, and * for any part of them: all else would never fit.
    if not all(re.fullmatch(r"[a-z0-9_.*-]+", part) for part in found):
        raise click.BadParameter(
            say(
                "son nombres separados por comas; * vale por cualquier parte, como 'invoice.*'",
                "names, separated by commas; * stands for any part, such as 'invoice.*'",
            )
        )
    return list(dict.fromkeys(found))


_accounts_option = partial(option, "--accounts", callback=_globs, named=("A,B", "A,B"))
_types_option = partial(option, "--types", callback=_globs, named=_GLOBS)


# -- keys --------------------------------------------------------------------------------------------------------------
_ES_NEW: Final = """Crea una llave: escribe la privada (JWK, solo legible por usted) en ARCHIVO, que no debe existir, y
muestra la pública, que va en el archivo de FACTUS_JOBS_KEYS.

EdDSA (Ed25519) es lo usual: quien comprueba no puede firmar. Con HS256 la misma llave firma y comprueba: lo que se
muestra es tan secreto como el archivo.

--producer, --accounts y --types, si se dicen, acotan lo que los tokens de la llave pueden dar, digan lo que digan.
"""


@partial(below, key)
@spoken_command("new", _ES_NEW, short=("Crea una llave.", "Make a key."))
@option("--kid", required=True, callback=_kid, named=("K", "K"), told=("Nombre de la llave.", "The key's name."))
@option(
    "--alg",
    type=click.Choice(["EdDSA", "Ed25519", "HS256"]),
    default="EdDSA",
    show_default=True,
    told=("Cómo firma.", "How it signs."),
)
@option("--out", required=True, named=_FILE, told=("Dónde queda la privada.", "Where the private key goes."))
@option(
    "--producer",
    callback=_producer,
    named=_NAME,
    told=("Único productor (iss) de la llave.", "The key's only producer (iss)."),
)
@_accounts_option(told=("Únicas cuentas que sus tokens dan.", "The only accounts that its tokens grant."))
@_types_option(told=("Únicos tipos de trabajo que dan.", "The only job types that they grant."))
def new(
    kid: str, alg: str, out: str, producer: str | None, accounts: list[str] | None, types: list[str] | None
) -> None:
    """Make a key: writes the private one (JWK, readable by you alone) to FILE, which must not be there, and prints the
    public one, which goes into the file of FACTUS_JOBS_KEYS.

    EdDSA (Ed25519) is the usual choice: who can check cannot sign. With HS256 one key signs and checks: what is printed
    is as secret as the file.

    --producer, --accounts and --types, where given, bound what the key's tokens can grant, whatever they say.
    """
    from worker.cli.token.keys import KeyFileError, written_key

    bounds: dict[str, Any] = {"factus_iss": producer, "factus_accounts": accounts, "factus_types": types}
    try:
        public = written_key(kid, alg, out, {name: value for name, value in bounds.items() if value is not None})
    except KeyFileError as exc:
        raise click.ClickException(f"{out}: {say(exc.es, str(exc))}") from exc
    click.echo(public)
    if alg == "HS256":
        emit(
            say(
                "Esta llave comprueba y firma: guarde también lo mostrado como un secreto.",
                "This key checks and signs: keep what was printed as a secret too.",
            ),
            err=True,
        )


# -- tokens ------------------------------------------------------------------------------------------------------------
_ES_ISSUE: Final = """Firma un token para un productor y lo muestra, sin nada más.

Es bueno para el servicio de FACTUS_NAMESPACE (aud), y solo hasta que vence. Se revoca en el archivo de
FACTUS_JOBS_REVOKED.
"""


@partial(below, command)
@spoken_command("issue", _ES_ISSUE, short=("Firma un token y lo muestra.", "Sign a token and print it."))
@option("--key", "key_file", required=True, named=_FILE, told=("La llave privada (JWK).", "The private key (JWK)."))
@option("--producer", required=True, callback=_producer, named=_NAME, told=("Para quién (iss).", "For whom (iss)."))
@_accounts_option(required=True, told=("Cuentas que da, separadas por comas.", "Accounts granted, with commas."))
@_types_option(
    required=True, told=("Tipos de trabajo que da, como 'invoice.*'.", "Job types granted, such as 'invoice.*'.")
)
@option(
    "--days",
    type=click.IntRange(1, _LONGEST_LIFE_DAYS),
    default=90,
    show_default=True,
    named=("N", "N"),
    told=("En cuántos días vence.", "In how many days it expires."),
)
def issue(key_file: str, producer: str, accounts: list[str], types: list[str], days: int) -> None:
    """Sign a token for a producer and print it, and nothing else.

    It is good for the service of FACTUS_NAMESPACE (aud), and until it expires. The file of FACTUS_JOBS_REVOKED takes it
    back.
    """
    from worker.cli.token.keys import KeyFileError, issued_token

    settings = told_settings()
    claims = {"iss": producer, "aud": settings.namespace, "accounts": accounts, "types": types}
    try:
        click.echo(issued_token(key_file, claims, days))
    except KeyFileError as exc:
        raise click.ClickException(f"{key_file}: {say(exc.es, str(exc))}") from exc


_ES_SHOW: Final = """Explica el token que llega por la entrada estándar: quién, para qué, hasta cuándo. No lo
juzga: ni su firma ni sus permisos se comprueban.
"""


@partial(below, command)
@spoken_command("show", _ES_SHOW, short=("Explica un token.", "Explain a token."))
@option("--json", "as_json", is_flag=True, told=("Encabezado y datos en JSON.", "Header and claims as JSON."))
def show(as_json: bool) -> None:
    """Explain the token on standard input: who, for what, until when. It is not judged: neither its signature nor what
    it grants is checked.
    """
    from worker.cli.token.explain import Unreadable, explained, parts_of

    if sys.stdin.isatty():
        emit(say("Pegue el token y termine con Ctrl-D:", "Paste the token and end with Ctrl-D:"), err=True)
    typed = sys.stdin.buffer.read(_MOST_TYPED)
    speech = Speech(told_settings().lang)
    try:
        parts = parts_of(typed)
    except Unreadable as exc:
        raise click.ClickException(say(exc.es, str(exc))) from exc
    if as_json:
        click.echo(json_text({"header": parts.header, "claims": parts.claims}))
        return
    show_fields(explained(parts, speech))
    if is_terminal():
        emit(speech.say("No se comprobó nada de esto.", "None of this was checked."), "dim")
