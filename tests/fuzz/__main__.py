"""
``python -m tests.fuzz``: hostile producers and a hostile Factus against a real worker and a real server, from a seed.

Exit status 1 when a promise was broken; then what was found stands, shrunk, in the corpus, with the command that
repeats the run.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.fuzz import corpus
from tests.fuzz.run import Figures, Plan, run, run_pure

_DEEPEST: Final = 6000
"""Answers are nested a thousand deep, and whoever makes them smaller walks them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit status."""
    sys.setrecursionlimit(_DEEPEST)
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped, whoever ends the run
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}, {args.seconds:g} s", flush=True)
    plan = Plan(seed, args.seconds, args.epoch, args.scale, args.shrink, args.theme, args.keep, args.limit << 20)
    figures: Figures = run_pure(plan, _say) if args.pure else run(plan, _say)
    print(figures.table(), flush=True)
    return 1 if figures.found else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="drawn and printed when not given")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long new epochs are begun (%(default)s)")
    parser.add_argument(
        "--pure", action="store_true", help="the half without a server only: thousands of entries a second"
    )
    parser.add_argument("--epoch", type=int, default=0, help="the first epoch, to repeat one (%(default)s)")
    parser.add_argument("--theme", default="", help="every round about one thing: big, flood, lists, numbers ...")
    parser.add_argument("--scale", type=float, default=1.0, help="size of floods and large entries (%(default)s)")
    parser.add_argument("--shrink", type=float, default=120.0, help="seconds for making a find smaller (%(default)s)")
    parser.add_argument("--keep", type=Path, default=corpus.FOLDER, help="folder for what is found (%(default)s)")
    parser.add_argument("--limit", type=int, default=0, metavar="MIB", help="what the worker may ask for; 0: no limit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
