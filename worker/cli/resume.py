"""``factus-worker resume``: have an account that is held asked again now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import argument
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import clean, emit, open_redis

if TYPE_CHECKING:
    from worker.settings.model import Settings


_ES: Final = """Hace que se pregunte ya por la cuenta CUENTA, si algo la detiene o detiene uno de sus carriles:
credenciales, un plan, un permiso, una dirección equivocada, una caída, un documento ajeno. Lo que Factus pidió
esperar (429) sigue esperando.

Lo detenido se vuelve a preguntar solo, a más tardar a los cinco minutos (FACTUS_BACKOFF_MAX, si es menos), y de
inmediato cuando un trabajador arranca con otras credenciales: esto es para quien ya arregló la causa y no quiere
esperar.

Código de salida: 0 se vuelve a preguntar, 1 nada la detiene, 2 mal escrito.
"""


@spoken_command("resume", _ES)
@argument("account", named=("CUENTA", "ACCOUNT"))
def command(account: str) -> None:
    """Have the account ACCOUNT asked again now, where something holds it or one of its lanes: credentials, a plan, a
    permission, a wrong address, an outage, another's document. What Factus asked to wait for (429) stays.

    A hold ends by itself within five minutes (FACTUS_BACKOFF_MAX, where that is shorter), and at once when a worker
    starts with other credentials: this is for whoever has mended the cause and does not want to wait.

    Exit status: 0 it is asked again, 1 nothing is held, 2 wrong usage.
    """
    import asyncio

    from worker.settings.environment import load_settings
    from worker.speech import Speech

    settings = load_settings()
    say = Speech(settings.lang).say
    n_lifted = asyncio.run(_lift(settings, account))
    name = clean(account)
    if not n_lifted:
        emit(say(f"Nada detiene a la cuenta {name}.", f"Nothing holds account {name}."))
        raise click.exceptions.Exit(1)
    emit(
        say(
            f"Se vuelve a preguntar a Factus por la cuenta {name} (retenciones levantadas: {n_lifted}).",
            f"Factus is asked again for account {name} (holds lifted: {n_lifted}).",
        )
    )


async def _lift(settings: Settings, account: str) -> int:
    from worker.queue.holds import AccountHolds
    from worker.store.keys import Keys

    async with open_redis(settings, must_exist=True) as redis:
        return await AccountHolds(redis, Keys(settings.namespace)).lift(account)
