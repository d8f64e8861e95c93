"""`python -m sandbox`: a local Factus API on a port."""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandbox.server import run
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import PlanError, Rule, read_rules
from sandbox.values.durations import Latency, parse_duration_s

_LAST_PORT: Final = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 stopped by a signal, 1 could not listen, 2 wrong usage."""
    parser = _parser()
    given = parser.parse_args(arguments)
    config = SandboxConfig(
        seed=given.seed,
        latency=given.latency,
        read_latency=given.read_latency,
        rate_limit=given.rate_limit,
        rate_window_s=given.rate_window,
        token_lifetime_s=int(given.token_lifetime),
        notice_share=given.notice_share,
        faults=given.faults,
        has_examples=given.examples,
        reuses_numbers=given.reuse_numbers,
        lane_width=given.lane_width,
        is_shared=given.shared_user,
        log=None if given.quiet else _log,
    )
    try:
        run(config, given.host, given.port)
    except OSError as error:
        sys.stderr.write(f"sandbox: cannot listen on {given.host}:{given.port}: {error.strerror}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    program = "factus-worker sandbox" if sys.argv[0] == "factus-worker sandbox" else "python -m sandbox"
    parser = argparse.ArgumentParser(prog=program, description="A local Factus API v2 to develop against.")
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=_port, default=8400, help="0 for a free one (default 8400)")
    add("--seed", type=int, default=0, help="decides latencies, notices and shares of faults (default 0)")
    add("--latency", type=_latency, default=Latency(), help="of a create: 200ms, or a range such as 200ms-800ms")
    add("--read-latency", type=_latency, default=None, help="of all else (default: a twentieth of --latency)")
    add("--faults", type=_faults, default=(), metavar="FILE", help="a fault plan, see sandbox/README.md")
    add("--rate-limit", type=int, default=80, help="requests per account in one window, 0 for no limit (default 80)")
    add("--rate-window", type=_duration, default=60.0, help="length of that window (default 60s)")
    add("--token-lifetime", type=_duration, default=3600.0, help="expires_in of tokens (default 1h)")
    add("--notice-share", type=float, default=0.25, help="share of documents with a notice of DIAN (default 0.25)")
    add(
        "--reuse-numbers",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="give the number of a deleted document to the next one; nobody knows what Factus does (default: no)",
    )
    add("--lane-width", type=_width, default=1, metavar="N", help="creates of a family at once, then 409 (default 1)")
    add("--examples", action="store_true", help="begin with the documents that public examples name")
    add("--shared-user", action="store_true", help="the rights of the user of Factus's public sandbox, and no more")
    add("--quiet", action="store_true", help="no line for each request on standard error")
    return parser


def _log(line: str) -> None:
    # Whoever closes standard error wants no lines, and still wants answers.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _width(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return number


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= _LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to {_LAST_PORT}")


def _latency(text: str) -> Latency:
    try:
        return Latency.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _duration(text: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _faults(text: str) -> tuple[Rule, ...]:
    try:
        return read_rules(json.loads(Path(text).read_text(encoding="utf-8")))
    except (OSError, json.JSONDecodeError, PlanError) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
