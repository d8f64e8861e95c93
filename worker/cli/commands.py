"""
The commands, as a table: what ``--help`` shows before any of them is loaded.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class CommandRow(NamedTuple):
    """One command: where it stands below ``worker.cli``, and its help in a line, Spanish and English."""

    module: str
    es: str
    en: str


COMMANDS: Final = {
    "run": CommandRow("run", "Pone en marcha un trabajador.", "Run a worker."),
    "sandbox": CommandRow(
        "sandbox", "Enciende un Factus local, para probar.", "Run a local Factus to develop against."
    ),
    "demo": CommandRow(
        "demo.command",
        "Muestra todo en marcha, con un servidor integrado y el Factus local.",
        "See everything at work, on an embedded server and the sandbox.",
    ),
    "check": CommandRow("check.command", "Revisa archivos sin conexión.", "Validate files offline."),
    "submit": CommandRow(
        "submit.command",
        "Envía archivos de trabajos, también hojas de cálculo.",
        "Push files of jobs, spreadsheets among them.",
    ),
    "convert": CommandRow(
        "convert.command", "Convierte cuerpos de la versión 1 de Factus.", "Convert bodies of Factus v1."
    ),
    "results": CommandRow("results.command", "Muestra los eventos que hay.", "Print the events that are there."),
    "status": CommandRow(
        "status.command",
        "Explica un documento, o muestra todo de un vistazo.",
        "Explain one document, or show everything at a glance.",
    ),
    "health": CommandRow(
        "health",
        "Dice si Redis responde y un trabajador de este equipo vive.",
        "Ask whether Redis answers and a worker of this host lives.",
    ),
    "doctor": CommandRow(
        "doctor.command",
        "Revisa si todo está puesto como debe, y dice qué hacer.",
        "Check whether everything is set up, and say what to do.",
    ),
    "cancel": CommandRow(
        "cancel",
        "Termina trabajos abiertos de los que no se envió nada.",
        "End open jobs of which nothing was sent.",
    ),
    "close": CommandRow(
        "close.command",
        "Cierra un día: cada número explicado, y el certificado.",
        "Close a day: every number explained, and the certificate.",
    ),
    "resume": CommandRow(
        "resume",
        "Hace que se pregunte ya por una cuenta detenida.",
        "Have an account that is held asked again now.",
    ),
    "serve": CommandRow(
        "serve",
        "Abre la puerta HTTP: enviar y leer sin hablar Redis.",
        "Open the HTTP door: push and read without speaking Redis.",
    ),
    "user": CommandRow("user", "Usuarios de la puerta HTTP.", "Users of the HTTP door."),
    "dead": CommandRow(
        "dead.command",
        "Mira los trabajos apartados, los envía otra vez o los borra.",
        "Look at dead letters, push them again, or drop them.",
    ),
    "webhooks": CommandRow(
        "webhooks.all_commands",
        "Entrega los eventos a sus direcciones web, y las administra.",
        "Deliver events to web addresses, and look after these.",
    ),
    "token": CommandRow(
        "token.command",
        "Llaves y tokens de los productores, para trabajos firmados.",
        "Keys and tokens of producers, for signed jobs.",
    ),
    "contract": CommandRow(
        "contract.command",
        "Escribe el contrato en AsyncAPI, o sus JSON Schemas.",
        "Print the contract as AsyncAPI, or its JSON Schemas.",
    ),
}

_HEAD_ES: Final = """\
Uso: factus-worker [OPCIONES] ORDEN [ARGUMENTOS]...

  Emite documentos electrónicos de Colombia por medio de Factus: ninguno sale
  dos veces, ninguno se pierde, ninguno queda sin respuesta.

  Se configura con variables de entorno que empiezan por FACTUS_ (y luego
  .env); están en docs/operations.md. FACTUS_LANG=en habla inglés.

Opciones:
  --version   Muestra la versión y termina.
  -h, --help  Muestra esta ayuda y termina.

Órdenes:
"""

_HEAD_EN: Final = """\
Usage: factus-worker [OPTIONS] COMMAND [ARGS]...

  Issue Colombian electronic documents through Factus: never twice, never lost,
  never silent.

  Settings are environment variables that start with FACTUS_ (then .env);
  docs/operations.md lists them.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
"""


def help_text(language: str = "es") -> str:
    """The help of the command without a subcommand."""
    width = max(map(len, COMMANDS))
    is_es = language == "es"
    lines = (f"  {name:{width}}  {one.es if is_es else one.en}" for name, one in COMMANDS.items())
    return (_HEAD_ES if is_es else _HEAD_EN) + "\n".join(lines)
