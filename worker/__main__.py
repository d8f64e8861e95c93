"""
Where the ``factus-worker`` command begins.

``--help`` is answered here from a table, before click is loaded: that alone takes longer than the rest of the answer.
"""

from __future__ import annotations

import sys
from typing import Final

COMMANDS: Final = {
    "run": "Run a worker.",
    "sandbox": "Run a local Factus to develop against.",
    "demo": "See everything at work, on an embedded server and the sandbox.",
    "check": "Validate files offline.",
    "submit": "Push files of jobs.",
    "results": "Print the events that are there.",
    "status": "Explain one document, or show everything at a glance.",
    "resume": "Have an account that is held asked again now.",
    "dead": "Look at dead letters, push them again, or drop them.",
    "contract": "Print the contract as AsyncAPI, or its JSON Schemas.",
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
    return _HEAD + "\n".join(f"  {name:{width}}  {told}" for name, told in COMMANDS.items())


def main() -> None:
    """Run the command. Exit status: 0 done, 1 failed or a problem seen, 2 wrong usage."""
    if sys.argv[1:] in (["--help"], ["-h"]):
        sys.stdout.write(help_text() + "\n")
        return
    from worker import uncaught

    uncaught.install()
    from jobs.errors import ServiceError
    from worker.cli.group import run

    try:
        run()
    except ServiceError as exc:
        # One line, whatever is quoted in it: names of files, accounts and keys come from outside.
        told = "".join(char if char.isprintable() else " " for char in str(exc))
        sys.stderr.write(f"factus-worker: {told}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
