"""``factus-worker run``: one worker process."""

from __future__ import annotations

from typing import Final

import click
import structlog

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option

_ES: Final = """Pone en marcha un trabajador: recibe trabajos, emite documentos y publica resultados.

Inicie los que quiera, en los equipos que quiera, con la misma configuración. SIGTERM deja terminar las llamadas en
curso (30 s a lo sumo); lo demás sigue en la cola.
"""


@spoken_command("run", _ES)
@option("--burst", is_flag=True, told=("Termina cuando no queda nada por hacer.", "End when nothing is left to do."))
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    told=("Desde qué nivel se registra.", "The lowest level that is logged."),
)
def command(burst: bool, log_level: str) -> None:
    """Run a worker: take jobs in, issue documents, publish results.

    Start as many as you like, on as many hosts as you like, with the same settings. SIGTERM lets the calls under way
    end (30 s at most); everything else stays queued.
    """
    from worker import event_loop
    from worker.logs import configure_logging
    from worker.process import run_worker
    from worker.settings.environment import load_settings, nearest_variables, unknown_variables

    settings = load_settings()
    configure_logging(is_json=settings.is_log_json, level=log_level)
    unknown = unknown_variables()
    told = nearest_variables(unknown)
    if unknown:
        structlog.get_logger().warning("settings.unknown", variables=unknown, detail="; ".join(told))
    event_loop.run(run_worker(settings, burst=burst))
