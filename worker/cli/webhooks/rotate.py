"""``factus-worker webhooks rotate``: a new secret, without a gap."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.bilingual import argument, below, option
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, open_redis, told_settings
from worker.cli.webhooks.command import AS_JSON, NAME, command, endpoint_of
from worker.speech import Speech

if TYPE_CHECKING:
    from jobs.webhooks.endpoint import Endpoint
    from worker.settings.model import Settings

_ES: Final = """Hace un secreto nuevo para una dirección, lo pone de primero en el archivo y lo muestra, solo ahora.

Los viejos también firman durante 24 horas, y luego salen del archivo: instale el nuevo en el receptor en ese tiempo.
Donde no se puede escribir el archivo, dice qué escribir, con código de salida 1.
"""


@partial(below, command)
@spoken_command("rotate", _ES, short=("Un secreto nuevo, sin interrupción.", "A new secret, without a gap."))
@argument("name", named=NAME)
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def rotate(name: str, as_json: bool) -> None:
    """Make a new secret for an endpoint, put it first into the file, and print it: this once.

    The older ones sign too for 24 hours, and then leave the file: install the new one at the receiver meanwhile. Where
    the file cannot be written it says what to write, with exit status 1.
    """
    import asyncio

    from worker.webhooks.endpoints_file import path_of
    from worker.webhooks.signer import new_secret, public_key

    settings = told_settings()
    endpoint, path, speech = endpoint_of(settings, name), path_of(settings), Speech(settings.lang)
    _see_that_one_fits(endpoint, speech)
    secret = new_secret(endpoint.secrets[0])
    reason = asyncio.run(_rotate(settings, endpoint, secret))
    if as_json:
        found: dict[str, Any] = {"name": name, "secret": secret, "public_key": public_key(secret)}
        click.echo(json_text({**found, "is_written": not reason, "reason": reason or None}))
    else:
        click.echo(secret)
        if key := public_key(secret):
            emit(speech.say("clave pública, para el receptor:", "public key, for the receiver:"), err=True)
            click.echo(key)
        if reason:
            emit(
                speech.say(
                    f"No se pudo escribir {path}: {reason}. Ponga ese secreto de primero en la lista secrets de "
                    f"[endpoints.{name}], delante de los que hay; los viejos dejan de firmar en 24 horas.",
                    f"{path} could not be written: {reason}. Put that secret first into the list secrets of "
                    f"[endpoints.{name}], before those that are there; the older ones stop signing in 24 hours.",
                ),
                err=True,
            )
        else:
            emit(
                speech.say(
                    f"Está de primero en {path}. Los viejos firman también durante 24 horas, y luego salen.",
                    f"It stands first in {path}. The older ones sign too for 24 hours, and then leave.",
                ),
                err=True,
            )
    if reason:
        raise click.exceptions.Exit(1)


def _see_that_one_fits(endpoint: Endpoint, speech: Speech) -> None:
    """
    Look before anything is noted: what is noted has the older ones stop signing.

    Raises:
        ConfigurationError: The list of secrets is full.
    """
    from jobs.errors import ConfigurationError
    from worker.webhooks.endpoints_file import MOST_SECRETS

    if len(endpoint.secrets) < MOST_SECRETS:
        return
    raise ConfigurationError(
        speech.say(
            f"[endpoints.{endpoint.name}] tiene {MOST_SECRETS} secretos y no caben más: no se hizo ninguno. Saque de "
            "la lista secrets el último, que es el más viejo, cuando el receptor ya no lo use, y repita.",
            f"[endpoints.{endpoint.name}] has {MOST_SECRETS} secrets and takes no more: none was made. Take the last "
            "one, which is the oldest, out of the list secrets once the receiver does not use it, and repeat.",
        )
    )


async def _rotate(settings: Settings, endpoint: Endpoint, secret: str) -> str:
    """Why the file could not be written; empty when it was. When the others leave is known before they may."""
    from worker.store.keys import Keys
    from worker.webhooks.endpoints_file import path_of
    from worker.webhooks.rotation import FileNotWritten, Rotation, Rotations, put_first

    async with open_redis(settings) as redis:
        rotations = Rotations(redis, Keys(settings.namespace))
        held = (await rotations.all()).get(endpoint.name, Rotation())
        await rotations.note(endpoint.name, held.made(secret, endpoint.secrets, round(time.time() * 1000)))
        try:
            put_first(path_of(settings), endpoint.name, secret)
        except FileNotWritten as exc:
            return str(exc)
    return ""
