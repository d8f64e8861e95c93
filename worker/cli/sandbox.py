"""``factus-worker sandbox``: the local Factus, as a program of its own."""

from __future__ import annotations

import runpy
import sys

import click


@click.command(
    "sandbox", context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run a local Factus to develop against (--help for its options)."""
    # The sandbox reads nothing of the service and is not imported by it: it only runs under the same command.
    sys.argv = ["factus-worker sandbox", *arguments]
    runpy.run_module("sandbox", run_name="__main__")
