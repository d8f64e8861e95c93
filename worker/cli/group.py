"""
The ``factus-worker`` command as click knows it.

Subcommands live beside this module, one each, and are imported only when called.
"""

from __future__ import annotations

from importlib import import_module

import click

from worker.__main__ import COMMANDS, help_text


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"worker.cli.{cmd_name}").command
        return command

    def get_help(self, ctx: click.Context) -> str:
        return help_text()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="factus-worker", message="%(prog)s %(version)s")
def cli() -> None:
    """Its help is ``worker.__main__.help_text``."""
