"""
The ``factus-worker`` command as click knows it.

Subcommands live beside this module, in a room of their own where they are more than a file (``commands.py``), and are
imported only when called.
"""

from __future__ import annotations

import errno
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Final

import click

from worker.cli.bilingual import Group, say
from worker.cli.commands import COMMANDS, help_text
from worker.cli.console import emit
from worker.language import language_of_help

_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EIO, errno.EBADF})
"""What writing to a full or closed output fails with."""


class LazyGroup(Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"worker.cli.{COMMANDS[cmd_name].module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # click looks for the nearest among the commands that are loaded, and none is.
        if args[0] not in COMMANDS and (close := get_close_matches(args[0], COMMANDS, n=1)):
            ctx.fail(
                say(
                    f"No existe la orden {args[0]!r}. ¿Quiso decir {close[0]!r}?",
                    f"No such command {args[0]!r}. Did you mean {close[0]!r}?",
                )
            )
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        return help_text(language_of_help())


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="factus-worker", message="%(prog)s %(version)s")
def cli() -> None:
    """Its help is ``worker.cli.commands.help_text``."""


def run() -> None:
    """
    Run the command that the process was called with, and end it.

    click's own way, but for errors: they quote what was typed, which is shown without control characters.
    """
    try:
        done = cli.main(prog_name="factus-worker", standalone_mode=False)
    except click.Abort:
        emit(say("Interrumpido.", "Interrupted."), err=True)
        sys.exit(1)
    except click.ClickException as exc:
        if isinstance(exc, click.UsageError) and exc.ctx is not None:
            names = f"{exc.ctx.command_path} {exc.ctx.help_option_names[0]}"
            click.echo(f"{exc.ctx.get_usage()}\n{say(f'Ayuda: {names}', f'Help: {names}')}\n", err=True)
        emit(f"Error: {exc.format_message()}", hanging=2, err=True)
        sys.exit(exc.exit_code)
    except OSError as exc:
        if exc.filename is not None or exc.errno not in _UNWRITABLE:
            raise
        told = say("no se puede escribir la salida", "the output cannot be written")
        emit(f"factus-worker: {told}: {exc.strerror}", err=True)
        sys.exit(1)
    sys.exit(done if isinstance(done, int) else 0)
