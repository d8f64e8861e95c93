"""``factus-worker contract``: what may be pushed and what comes back, for programs to read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option, say
from worker.cli.console import clean

_ES: Final = """Escribe el documento AsyncAPI 3.0 de las colas: canales, y cada mensaje con su esquema y un
ejemplo.

No necesita configuración ni Redis. Con --schemas: un archivo para el sobre, uno para el evento, uno para el
contenido de cada clase de trabajo y uno para los datos de cada clase de evento (JSON Schema 2020-12); sirven para
revisar en cualquier lenguaje.

\b
factus-worker contract > asyncapi.json
factus-worker contract --schemas schemas/

Código de salida: 0 hecho, 1 no se puede escribir en CARPETA, 2 mal escrito.
"""


@spoken_command("contract", _ES)
@option("--yaml", "as_yaml", is_flag=True, told=("El documento AsyncAPI en YAML.", "The AsyncAPI document as YAML."))
@option(
    "--schemas",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    named=("CARPETA", "FOLDER"),
    told=(
        "Escribe los JSON Schemas en CARPETA, y muestra sus nombres.",
        "Write JSON Schemas into FOLDER, and print their names instead.",
    ),
)
def command(as_yaml: bool, folder: Path | None) -> None:
    """Print the AsyncAPI 3.0 document of the streams: channels, every message with its schema and an example.

    Needs neither settings nor Redis. With --schemas: a file for the envelope, one for the event, one for the payload of
    each kind of job and one for the data of each kind of event (JSON Schema 2020-12); for validation in any language.

    \b
    factus-worker contract > asyncapi.json
    factus-worker contract --schemas schemas/

    Exit status: 0 done, 1 FOLDER cannot be written, 2 wrong usage.
    """
    from worker.cli.contract.formats import asyncapi_json, asyncapi_yaml, write_schemas

    if folder is None:
        click.echo(asyncapi_yaml() if as_yaml else asyncapi_json(), nl=False)
        return
    if as_yaml:
        raise click.UsageError(
            say(
                "--yaml no va con --schemas: los esquemas son JSON.",
                "--yaml cannot be used with --schemas: the schemas are JSON.",
            )
        )
    try:
        written = write_schemas(folder)
    except OSError as exc:
        raise click.ClickException(
            say(f"no se puede escribir en {folder}: {exc.strerror}", f"{folder} cannot be written: {exc.strerror}")
        ) from exc
    for path in written:
        click.echo(clean(str(path)))
