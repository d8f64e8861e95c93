"""
The commands, as a table: what ``--help`` shows before any of them is loaded.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Command(NamedTuple):
    """One command: where it stands below ``worker.cli``, and its help in a line."""

    module: str
    help: str


COMMANDS: Final = {
    "run": Command("run", "Run a worker."),
    "sandbox": Command("sandbox", "Run a local Factus to develop against."),
    "demo": Command("demo.command", "See everything at work, on an embedded server and the sandbox."),
    "check": Command("check.command", "Validate files offline."),
    "submit": Command("submit.command", "Push files of jobs, spreadsheets among them."),
    "convert": Command("convert.command", "Convert bodies of Factus v1."),
    "results": Command("results.command", "Print the events that are there."),
    "status": Command("status.command", "Explain one document, or show everything at a glance."),
    "health": Command("health", "Ask whether Redis answers and a worker of this host lives."),
    "cancel": Command("cancel", "End open jobs of which nothing was sent."),
    "resume": Command("resume", "Have an account that is held asked again now."),
    "dead": Command("dead.command", "Look at dead letters, push them again, or drop them."),
    "contract": Command("contract.command", "Print the contract as AsyncAPI, or its JSON Schemas."),
}


_HEAD: Final = """\
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


def help_text() -> str:
    """The help of the command without a subcommand."""
    width = max(map(len, COMMANDS))
    return _HEAD + "\n".join(f"  {name:{width}}  {command.help}" for name, command in COMMANDS.items())
