"""
How many jobs a second does the intake of one process take, with every check of the payload?

The real intake reads a stream that is full before it starts and writes records and lanes by its Lua script; nothing is
dispatched. The parts are timed apart afterwards, each alone on the same jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime

import lab

from jobs.entry import Accepted, Entry
from schemas import strict_json
from schemas.factus import BOGOTA
from schemas.payload.validate import DOCUMENT_SPECS, validate
from worker.bootstrap import Services, build
from worker.logs import configure_logging
from worker.settings.account import Account
from worker.settings.model import Settings
from worker.store import connection

_AIM = 3000
_PARTS = 1000  # jobs for timing a part alone


async def main(bench: lab.Lab, n: int, sizes: list[int]) -> None:
    configure_logging(is_json=True, level="warning")
    for n_items in sizes:
        jobs = [lab.job(f"I-{number}", "acme", n_items) for number in range(n)]
        await measure(bench, jobs, n_items)


async def measure(bench: lab.Lab, jobs: list[str], n_items: int) -> None:
    redis, blocking = connection.connect(bench.redis_url), bench.connect()
    await redis.flushall()
    built = build(Settings(namespace=lab.KEYS.namespace), {"acme": account()}, redis, blocking)
    await lab.push(redis, jobs)
    wall_s, valkey_s, own_s = await drain(built, bench.valkey_pid, len(jobs))
    lane = "acme/invoice"
    # The first one is claimed by its own intake, finds nobody at Factus's address, and waits for its retry elsewhere.
    accepted = 0
    for place in (lab.KEYS.waiting(lane), lab.KEYS.later(lane), lab.KEYS.in_flight(lane)):
        accepted += await redis.zcard(place)
    if accepted != len(jobs):
        raise SystemExit(f"{accepted} of {len(jobs)} jobs were accepted")
    rate = len(jobs) / wall_s
    aim = {"aim": f"{_AIM}/s", "is_met": rate >= _AIM} if n_items == 2 else {}
    lab.show(f"intake, bills of {n_items} item{'s' * (n_items > 1)}", f"{rate:.0f} jobs/s", **aim)
    each = 1e6 / len(jobs)
    print(f"  {wall_s * each:.0f} us each: process {own_s * each:.0f} us, Valkey {valkey_s * each:.0f} us of processor")
    show_parts(built, jobs[:_PARTS], own_s * each)
    await built.close()
    await redis.aclose()
    await blocking.aclose()


async def drain(built: Services, valkey_pid: int, n: int) -> tuple[float, float, float]:
    """Run the intake until *n* jobs are taken: wall time, processor time of Valkey and of this process."""
    stopping = asyncio.Event()

    def look() -> None:
        if built.intake.n_taken >= n:
            stopping.set()

    valkey_s, own_s, began = lab.cpu_s(valkey_pid), time.process_time(), time.perf_counter()
    running = asyncio.create_task(built.intake.run(look, stopping))
    async with asyncio.timeout(120):
        await stopping.wait()
    figures = time.perf_counter() - began, lab.cpu_s(valkey_pid) - valkey_s, time.process_time() - own_s
    await running
    return figures


def show_parts(built: Services, jobs: list[str], whole_us: float) -> None:
    """Where the process's time goes: each part alone on the same jobs."""
    entries = [Entry(lab.KEYS.jobs(), f"{1_700_000_000_000 + n}-0", text.encode()) for n, text in enumerate(jobs)]
    payloads = [strict_json.parse(text)["payload"] for text in jobs]
    parse_us = timed(strict_json.parse, jobs)
    today = datetime.now(BOGOTA).date()
    check_us = timed(lambda payload: validate(DOCUMENT_SPECS["invoice"], payload, today=today), payloads)
    writer = built.intake._writer
    validator = writer._commands._validator
    desk_us = timed(validator.validate, entries)
    if not isinstance(validator.validate(entries[0]), Accepted):
        raise SystemExit("the benchmark's bill is refused")
    commands = [writer.prepare(entry)[0] for entry in entries]
    slices = [commands[start : start + 25] for start in range(0, len(commands), 25)]
    pairs = [(command.entry, command.record) for command in commands]
    arguments_us = timed(lambda pair: writer._commands._acceptance(*pair), pairs)
    arguments_us += timed(writer._arguments.of, slices) / 25
    parts = {
        "parse": parse_us,
        "validate": check_us,
        "envelope, hash, record": desk_us - parse_us - check_us,
        "script arguments": arguments_us,
        "redis client and loop": whole_us - desk_us - arguments_us,
    }
    print("  " + ", ".join(f"{name} {us:.0f} us ({us / whole_us:.0%})" for name, us in parts.items()))


def timed(call: Callable[..., object], arguments: Iterable[object]) -> float:
    """Processor time of a call, microseconds: the mean over all arguments, the best of three rounds."""
    values, rounds = list(arguments), []
    for _ in range(3):
        began = time.process_time()
        for value in values:
            call(value)
        rounds.append((time.process_time() - began) / len(values) * 1e6)
    return min(rounds)


def account() -> Account:
    secrets = dict.fromkeys(("client_id", "client_secret", "username", "password"), "x")
    limits = {"rate_limit": lab.UNLIMITED, "rate_window": "60s", "concurrency": 8}
    return Account.model_validate({"name": "acme", "base_url": "http://127.0.0.1:9", **secrets, **limits})


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, action="append", help="items of a bill (default 2, 1 and 10)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    count = 10_000 if given.full else 3_000
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"{count} bills in the stream, then one process takes them in; no dispatch")
        lab.run(main(bench, count, given.items or [2, 1, 10]), as_worker=True)
