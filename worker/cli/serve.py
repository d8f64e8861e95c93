"""``factus-worker serve``: the HTTP door."""

from __future__ import annotations

from typing import Final

import click

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option

_ES: Final = """Abre la puerta HTTP: para quien envía y lee sin hablar Redis.

Escucha en FACTUS_HTTP_HOST (127.0.0.1) y FACTUS_HTTP_PORT (8080). Entran productores con su token (FACTUS_JOBS_KEYS)
y personas de FACTUS_USERS_FILE, con los tokens que firma FACTUS_HTTP_KEY. En otra dirección que la de este equipo
solo abre con TLS (FACTUS_HTTP_CERT, FACTUS_HTTP_CERT_KEY) o detrás de un proxy (FACTUS_HTTP_BEHIND_PROXY=true).

Lo que recibe va a la misma cola, y lo que cuenta sale del mismo registro: puede haber cuantas puertas se quiera, y se
pueden apagar en cualquier momento. La documentación para probar está en /api/v1/docs.

Código de salida: 0 se apagó con una señal, 1 no puede abrir, 2 mal escrito.
"""


@spoken_command("serve", _ES)
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    told=("Desde qué nivel se registra.", "The lowest level that is logged."),
)
def command(log_level: str) -> None:
    """Open the HTTP door: for those who push and read without speaking Redis.

    Listens on FACTUS_HTTP_HOST (127.0.0.1) and FACTUS_HTTP_PORT (8080). Producers come in by their token
    (FACTUS_JOBS_KEYS), and people of FACTUS_USERS_FILE by the tokens that FACTUS_HTTP_KEY signs. On another address
    than this machine's own it opens only with TLS (FACTUS_HTTP_CERT, FACTUS_HTTP_CERT_KEY) or behind a proxy
    (FACTUS_HTTP_BEHIND_PROXY=true).

    What it takes goes into the same stream, what it tells comes from the same ledger: there may be as many doors as
    one likes, and they may be stopped at any time. The documentation, to try it out, is at /api/v1/docs.

    Exit status: 0 stopped by a signal, 1 it cannot open, 2 wrong usage.
    """
    import structlog

    from worker import event_loop
    from worker.cli.contract.formats import asyncapi_json, openapi_json
    from worker.http.door import Documents
    from worker.http.server import run_door
    from worker.logs import configure_logging
    from worker.settings.environment import load_settings, nearest_variables, unknown_variables

    settings = load_settings()
    configure_logging(is_json=settings.is_log_json, level=log_level)
    unknown = unknown_variables()
    if unknown:
        told = "; ".join(nearest_variables(unknown))
        structlog.get_logger().warning("settings.unknown", variables=unknown, detail=told)
    documents = Documents(openapi=openapi_json, asyncapi=asyncapi_json)
    event_loop.run(run_door(settings, documents))
