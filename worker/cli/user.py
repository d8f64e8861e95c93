"""``factus-worker user``: what the users file of the HTTP door needs."""

from __future__ import annotations

import sys
from typing import Final

import click

from worker.cli.bilingual import below, group, say
from worker.cli.bilingual import command as spoken_command

LEAST: Final = 12
"""Characters of a password: five tries a minute guess no such one."""

_MOST: Final = 1024

_ES: Final = """Usuarios de la puerta HTTP (factus-worker serve), que están en FACTUS_USERS_FILE.

Código de salida: 0 hecho, 1 no se pudo, 2 mal escrito.
"""
_HASH_ES: Final = """Convierte una clave en su resumen Argon2id, para FACTUS_USERS_FILE.

Pregunta la clave dos veces sin mostrarla; si la entrada no es una terminal, lee una línea. Escribe el resumen solo:

\b
[users.ana]
password = "$argon2id$..."
accounts = ["acme"]
types = ["invoice.*"]
role = "producer"

Código de salida: 0 hecho, 1 la clave es muy corta o muy larga, o no son iguales, 2 mal escrito.
"""


@group("user", _ES)
def command() -> None:
    """Users of the HTTP door (factus-worker serve), which stand in FACTUS_USERS_FILE.

    Exit status: 0 done, 1 it could not be done, 2 wrong usage.
    """


@spoken_command(
    "hash",
    _HASH_ES,
    short=("Convierte una clave en su resumen Argon2id.", "Make the Argon2id hash of a password."),
)
def hash_command() -> None:
    """Make the Argon2id hash of a password, for FACTUS_USERS_FILE.

    Asks for the password twice without showing it; where the input is no terminal it reads one line. Prints the hash
    alone:

    \b
    [users.ana]
    password = "$argon2id$..."
    accounts = ["acme"]
    types = ["invoice.*"]
    role = "producer"

    Exit status: 0 done, 1 the password is too short or too long, or the two differ, 2 wrong usage.
    """
    from argon2 import PasswordHasher

    password = _typed() if sys.stdin is not None and sys.stdin.isatty() else _piped()
    if not LEAST <= len(password) <= _MOST:
        raise click.ClickException(
            say(f"la clave debe tener de {LEAST} a {_MOST} caracteres", f"a password has {LEAST} to {_MOST} characters")
        )
    click.echo(PasswordHasher().hash(password.encode()))


def _typed() -> str:
    password: str = click.prompt(say("Clave", "Password"), hide_input=True, err=True)
    again: str = click.prompt(say("Otra vez", "Once more"), hide_input=True, err=True)
    if password != again:
        raise click.ClickException(say("las dos claves no son iguales", "the two passwords differ"))
    return password


def _piped() -> str:
    line = sys.stdin.buffer.readline(4 * _MOST + 2)
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException(say("la clave no es UTF-8", "the password is not UTF-8")) from None


below(command, hash_command)
