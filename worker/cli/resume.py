"""``factus-worker resume``: have an account that is held asked again now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.console import clean, open_redis

if TYPE_CHECKING:
    from worker.settings import Settings


@click.command("resume")
@click.argument("account")
def command(account: str) -> None:
    """Have the account ACCOUNT asked again now, where something holds it or one of its lanes: credentials, a plan, a
    permission, a wrong address, an outage, another's document. What Factus asked to wait for (429) stays.

    A hold ends by itself within five minutes (FACTUS_BACKOFF_MAX, where that is shorter), and at once when a worker
    starts with other credentials: this is for whoever has mended the cause and does not want to wait.

    \b
    Exit status: 0 it is asked again, 1 nothing is held, 2 wrong usage.
    """
    import asyncio

    from worker.cli.speech import Speech
    from worker.settings import load_settings

    settings = load_settings()
    say = Speech(settings.lang).say
    n_lifted = asyncio.run(_lift(settings, account))
    name = clean(account)
    if not n_lifted:
        click.echo(say(f"Nada detiene a la cuenta {name}.", f"Nothing holds account {name}."))
        raise click.exceptions.Exit(1)
    click.echo(
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
