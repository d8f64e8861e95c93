"""
``python -m tests.simulation``: the proof that anyone can run.

The full form runs real processes; ``--quick`` runs many seeds in one process (or two) in virtual time. Exit status 1
when anything forbidden was found; then the seed and the command that repeats it are printed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.simulation import full, quick
from tests.simulation.bodies import AT_FACTUS
from tests.simulation.full_options import RATE_LIMIT, FullOptions
from tests.simulation.history import FORBIDDEN
from tests.simulation.report import Story


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit status."""
    args = _parser().parse_args(arguments)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    if not args.quick:
        print(f"seed {seed}, {args.jobs} jobs", flush=True)
        widths = {"lane_width": args.lane_width, "takes_at_once": args.takes}
        options = FullOptions.draw(seed, args.jobs, rate_limit=args.rate_limit, **widths)
        figures = full.run_full(options, minutes=args.minutes, say=lambda line: print(line, flush=True))
        print(figures.table())
        return 0 if figures.is_clean else 1
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets is part of the course of a seed.
        again = [sys.executable, "-m", "tests.simulation", *(arguments or sys.argv[1:]), "--seed", str(seed)]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})
    if args.processes > 1:
        return _side_by_side(args, seed)
    return _quick(args, seed)


def _quick(args: argparse.Namespace, seed: int) -> int:
    started, said_at = time.perf_counter(), time.perf_counter()
    n_played = 0

    def on_story(story: Story) -> None:
        nonlocal n_played, said_at
        n_played += 1
        if story.verdict.violations:
            print(story.tell(), flush=True)
        if time.perf_counter() - said_at > 10:
            said_at = time.perf_counter()
            print(f"{n_played} of {args.seeds} seeds", flush=True)

    tally = quick.run_quick(range(seed, seed + args.seeds), real_share=args.real, on_story=on_story)
    seconds = time.perf_counter() - started
    print(_table(tally, seed, seconds), flush=True)
    return 1 if tally.failed else 0


def _side_by_side(args: argparse.Namespace, seed: int) -> int:
    """One process for each share of the seeds: a seed needs a whole core."""
    share = -(-args.seeds // args.processes)
    starts = range(seed, seed + args.seeds, share)
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.simulation", "--quick", "--real", str(args.real)),
                *("--seed", str(start), "--seeds", str(min(share, seed + args.seeds - start))),
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        for start in starts
    ]
    return max(process.wait() for process in running)


def _table(tally: quick.Tally, seed: int, seconds: float) -> str:
    counts: Counter[str] = tally.counts
    rows = [
        ("seeds", f"{seed} to {seed + tally.n_seeds - 1}"),
        *((name, counts[name]) for name in ("pushed", "jobs", "validated", "joined or replayed", "rejected", "failed")),
        *((name, counts[name]) for name in ("refused", "documents")),
        *((f"validated: {family}", counts[f"{family} validated"]) for family in AT_FACTUS),
        ("calls completed / failed", f"{counts['call completed']} / {counts['call failed']}"),
        ("archived / files compared", f"{counts['archived']} / {counts['files']}"),
        ("RADIAN events", counts["RADIAN events"]),
        ("due / accepted by us (034)", f"{counts['radian.due']} / {counts['tacit acceptances']}"),
        ("calls per document", f"{counts['requests'] / max(counts['documents'], 1):.2f}"),
        *((f"workers: {name}", tally.facts[name]) for name in ("kill", "term", "hang")),
        ("outages of the server", tally.facts["server away"]),
        ("connections cut", tally.facts["cuts"]),
        ("answers spoilt", tally.facts["spoilt"]),
        ("failures of the storage", tally.facts["storage"]),
        *((f"accounts: {name}", tally.facts[name]) for name in ("unpaid", "product", "refused")),
        ("deletes of what was kept", tally.facts["deletes"]),
        ("corrections of the rejected", tally.facts["corrected"]),
        ("time", f"{seconds:.0f} s, {seconds / max(tally.n_seeds, 1):.2f} s a seed"),
        ("virtual time", f"{tally.virtual_s / 3600:.1f} h"),
        *((f"! {column}", tally.forbidden[column]) for column in FORBIDDEN),
    ]
    failed = ", ".join(str(story.seed) for story in tally.failed)
    return "\n".join([*(f"  {name:<28} {value}" for name, value in rows), *([f"  failed: {failed}"] if failed else [])])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="the (first) seed; drawn and printed when not given")
    parser.add_argument("--jobs", type=int, default=2000, help="jobs of a full run (%(default)s)")
    parser.add_argument("--minutes", type=float, default=20.0, help="longest time of a full run (%(default)s)")
    parser.add_argument(
        "--rate-limit", type=int, default=RATE_LIMIT, help="requests per account in 10 s, full run (%(default)s)"
    )
    parser.add_argument("--lane-width", type=int, default=1, help="creates of a family tried at once (%(default)s)")
    parser.add_argument("--takes", type=int, default=1, help="creates of a family that Factus takes (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="many seeds in process, in virtual time")
    parser.add_argument("--seeds", type=int, default=1000, help="seeds of a quick run (%(default)s)")
    parser.add_argument(
        "--real", type=float, default=0.05, help="share of the quick seeds on a real server, in real time (%(default)s)"
    )
    parser.add_argument("--processes", type=int, default=1, help="processes of a quick run (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
