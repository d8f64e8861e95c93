"""``factus-worker health``: what a container asks of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option
from worker.cli.console import emit, open_redis

if TYPE_CHECKING:
    from worker.settings.model import Settings

FRESH_MS: Final = 10_000
"""How old the last sign of life of a worker may be."""


_ES: Final = """Pregunta si Redis responde y si un trabajador de este equipo dio señal de vida en los últimos 10
segundos.

Es para los chequeos de salud de contenedores y supervisores. Los trabajos apartados, las cuentas detenidas y lo
demás que no se arregla reiniciando un trabajador son asunto de `status`.

Código de salida: 0 así es, 1 no (lo dice en una línea), 2 mal escrito.
"""


@spoken_command("health", _ES)
@option(
    "--webhooks",
    is_flag=True,
    told=(
        "Pregunta por un proceso de webhooks en lugar de un trabajador.",
        "Ask for a process of webhooks in place of a worker.",
    ),
)
def command(webhooks: bool) -> None:
    """Ask whether Redis answers and a worker of this host has given a sign of life within 10 seconds.

    For health checks of containers and supervisors. Dead letters, held accounts and all else that restarting a worker
    does not mend are the matter of `status`.

    Exit status: 0 so it is, 1 it is not (said in a line), 2 wrong usage.
    """
    import asyncio

    from worker.settings.environment import load_settings
    from worker.speech import Speech

    settings = load_settings()
    speech = Speech(settings.lang)
    n_alive, n_elsewhere = asyncio.run(_delivering(settings) if webhooks else _alive(settings))
    if n_alive:
        one = ("proceso de webhooks", "process of webhooks") if webhooks else ("trabajador", "worker")
        many = ("procesos de webhooks", "processes of webhooks") if webhooks else ("trabajadores", "workers")
        what = speech.of(n_alive, one, many)
        emit(speech.say(f"Sano: Redis responde; {what} de este equipo.", f"Healthy: Redis answers; {what} here."))
        return
    nobody_es = "Ningún proceso de webhooks" if webhooks else "Ningún trabajador"
    nobody = "No process of webhooks" if webhooks else "No worker"
    told = speech.say(
        f"{nobody_es} de este equipo ha dado señal en 10 s", f"{nobody} of this host has given a sign within 10 s"
    )
    other = speech.say(f" (en otros: {n_elsewhere})", f" (elsewhere: {n_elsewhere})") if n_elsewhere else ""
    emit(f"{told}{other}.", err=True)
    raise click.exceptions.Exit(1)


async def _delivering(settings: Settings) -> tuple[int, int]:
    """Living processes that deliver webhooks, of this host and of others; their ids begin with the host's name."""
    import socket

    from worker.store.connection import command as ask
    from worker.store.keys import Keys

    async with open_redis(settings, must_exist=True) as redis:
        seconds, _ = await redis.time()
        oldest_ms = int(seconds) * 1000 - FRESH_MS
        found = await ask(redis, "ZRANGEBYSCORE", Keys(settings.namespace).hook_processes(), oldest_ms, "+inf")
    here = [raw for raw in found if raw.decode(errors="replace").rsplit("-", 2)[0] == socket.gethostname()]
    return len(here), len(found) - len(here)


async def _alive(settings: Settings) -> tuple[int, int]:
    """Living workers of this host, and of others."""
    import socket

    from worker.store.connection import command as ask
    from worker.store.keys import Keys

    keys, here = Keys(settings.namespace), socket.gethostname()
    n_here = n_elsewhere = 0
    async with open_redis(settings, must_exist=True) as redis:
        seconds, micros = await redis.time()
        oldest_ms = int(seconds) * 1000 + int(micros) // 1000 - FRESH_MS
        for raw in await ask(redis, "ZRANGEBYSCORE", keys.workers(), oldest_ms, "+inf"):
            host = await ask(redis, "HGET", keys.worker(raw.decode()), "host")
            # A worker that has said goodbye, or one of a version that did not tell its host.
            if host is not None and host.decode(errors="replace") == here:
                n_here += 1
            else:
                n_elsewhere += host is not None
    return n_here, n_elsewhere
