"""
The ``factus-worker`` command.

Subcommands live in ``worker.cli``, one module each, and are imported only when called: ``--help`` answers before
pydantic or arq would be loaded.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "run": "Run a worker.",
    "sandbox": "Run a local Factus to develop against.",
    "demo": "See everything at work, on an embedded server and the sandbox.",
    "check": "Validate files offline.",
    "submit": "Push files of jobs.",
    "results": "Print the events that are there.",
    "status": "Explain one document, or show everything at a glance.",
    "dead": "Look at dead letters, push them again, or drop them.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"worker.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="factus-worker", message="%(prog)s %(version)s")
def cli() -> None:
    """Issue Colombian electronic invoices through Factus: never twice, never lost, never silent.

    Settings are environment variables that start with FACTUS_ (then .env); docs/operations.md lists them.
    """


def main() -> None:
    """Run the command. Exit status: 0 done, 1 failed or a problem seen, 2 wrong usage."""
    from jobs.errors import ServiceError

    try:
        cli(prog_name="factus-worker")
    except ServiceError as exc:
        click.echo(f"factus-worker: {exc}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
