"""
Where the ``factus-worker`` command begins.

``--help`` is answered here from a table, before click is loaded: that alone takes longer than the rest of the answer.
"""

from __future__ import annotations

import sys

from worker.cli.commands import help_text
from worker.language import language_of_help


def main() -> None:
    """Run the command. Exit status: 0 done, 1 failed or a problem seen, 2 wrong usage."""
    if sys.argv[1:] in (["--help"], ["-h"]):
        sys.stdout.write(help_text(language_of_help()) + "\n")
        return
    from worker import uncaught

    uncaught.install()
    from jobs.errors import ServiceError
    from worker.cli.console import emit
    from worker.cli.group import run

    try:
        run()
    except ServiceError as exc:
        # Cleaned, whatever is quoted in it: names of files, accounts and keys come from outside.
        emit(f"factus-worker: {exc}", hanging=2, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
