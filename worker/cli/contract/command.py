"""``factus-worker contract``: what may be pushed and what comes back, for programs to read."""

from __future__ import annotations

from pathlib import Path

import click

from worker.cli.console import clean


@click.command("contract")
@click.option("--yaml", "as_yaml", is_flag=True, help="The AsyncAPI document as YAML.")
@click.option(
    "--schemas",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write JSON Schemas into FOLDER, and print their names instead.",
)
def command(as_yaml: bool, folder: Path | None) -> None:
    """Print the AsyncAPI 3.0 document of the streams: channels, every message with its schema and an example.

    Needs neither settings nor Redis. With --schemas: a file for the envelope, one for the event, one for the payload of
    each kind of job and one for the data of each kind of event (JSON Schema 2020-12); for validation in any language.

    \b
    factus-worker contract > asyncapi.json
    factus-worker contract --schemas schemas/

    \b
    Exit status: 0 done, 1 FOLDER cannot be written, 2 wrong usage.
    """
    from worker.cli.contract.formats import asyncapi_json, asyncapi_yaml, write_schemas

    if folder is None:
        click.echo(asyncapi_yaml() if as_yaml else asyncapi_json(), nl=False)
        return
    if as_yaml:
        raise click.UsageError("--yaml cannot be used with --schemas: the schemas are JSON.")
    try:
        written = write_schemas(folder)
    except OSError as exc:
        raise click.ClickException(f"{folder} cannot be written: {exc.strerror}") from exc
    for path in written:
        click.echo(clean(str(path)))
