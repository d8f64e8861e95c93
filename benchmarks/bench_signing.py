"""
How much of its pace does the intake keep when jobs are signed?

The intake of bench_intake.py, on the same bills: unsigned, signed with Ed25519 by one token for all of them, in a field
of the entry and in the envelope, and with a token of its own for each job. Rounds take turns, so that what else the
machine does meets all of them alike; the median of the ratios within a round counts, by the processor's time of the
process and by the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lab
from bench_intake import account, drain

from worker.bootstrap import build
from worker.logs import configure_logging
from worker.rights.signatures import new_key, public_part, sign
from worker.settings.model import Settings
from worker.store import connection

_AIM = 0.9
_ROUNDS = 5
_TOKENS = 1000  # of the way in which each job has its own: to sign them takes longer than to check them

Fields = dict[str, str]


async def main(bench: lab.Lab, n: int, rounds: int) -> None:
    configure_logging(is_json=True, level="warning")
    key = new_key("bench", "EdDSA")
    keys_file = bench.folder / "keys.json"
    keys_file.write_text(json.dumps({"keys": [public_part(key)]}))
    token = a_token(key)
    jobs = [json.loads(lab.job(f"S-{number}", "acme", 2)) for number in range(n)]
    ways: dict[str, list[Fields]] = {
        "unsigned": [{"job": json.dumps(job)} for job in jobs],
        "token beside the job": [{"job": json.dumps(job), "token": token} for job in jobs],
        "token in the envelope": [{"job": json.dumps({**job, "token": token})} for job in jobs],
        "a token for each job": [
            {"job": json.dumps(job), "token": a_token(key, jti=str(number))}
            for number, job in enumerate(jobs[:_TOKENS])
        ],
    }
    figures: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    order = [*ways]
    for number in range(rounds):
        # Each way is now the first, now the last of its round: what a round warms, or tires, meets none of them alone.
        at = number % len(order)
        for way in order[at:] + order[:at]:
            figures[way].append(await measure(bench, ways[way], None if way == "unsigned" else keys_file))
    for way, found in figures.items():
        told(way, found, figures["unsigned"])


def told(way: str, found: Sequence[tuple[float, float]], unsigned: Sequence[tuple[float, float]]) -> None:
    """Microseconds a job, and which part of the pace is kept: the median over the rounds."""
    own, wall = (statistics.median(one[part] for one in found) for part in (0, 1))
    kept = [
        statistics.median(base[part] / one[part] for one, base in zip(found, unsigned, strict=True)) for part in (0, 1)
    ]
    aim = (
        {"aim": f"{_AIM:.0%}", "is_met": kept[0] >= _AIM}
        if way in ("token beside the job", "token in the envelope")
        else {}
    )
    answer = (
        f"{own:.0f} us of processor a job, {wall:.0f} us by the clock: keeps {kept[0]:.1%} ({kept[1]:.1%} by the clock)"
    )
    lab.show(way, answer, **aim)


async def measure(bench: lab.Lab, entries: Sequence[Fields], keys_file: Path | None) -> tuple[float, float]:
    """Microseconds for one entry: of this process's processor, and by the clock."""
    redis, blocking = connection.connect(bench.redis_url), bench.connect()
    await redis.flushall()
    signing: dict[str, Any] = {"jobs_signed": True, "jobs_keys": keys_file} if keys_file else {}
    built = build(Settings(namespace=lab.KEYS.namespace, **signing), {"acme": account()}, redis, blocking)
    for start in range(0, len(entries), 500):
        async with redis.pipeline(transaction=False) as pipe:
            for fields in entries[start : start + 500]:
                pipe.xadd(lab.KEYS.jobs(), dict(fields))
            await pipe.execute()
    wall_s, _, own_s = await drain(built, bench.valkey_pid, len(entries))
    if await redis.xlen(lab.KEYS.results()):
        raise SystemExit("a job was refused")
    await built.close()
    await connection.close(redis)
    await connection.close(blocking)
    return own_s / len(entries) * 1e6, wall_s / len(entries) * 1e6


def a_token(key: dict[str, str], **more: str) -> str:
    now_s = int(time.time())
    claims = {"iss": "erp", "aud": lab.KEYS.namespace, "iat": now_s, "exp": now_s + 86_400, "accounts": ["acme"]}
    return sign(key, {**claims, "types": ["invoice.*"], **more})


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, help="jobs of a way and round (default 2,000; 10,000 with --full)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    count, n_rounds = given.n or (10_000 if given.full else 2_000), 9 if given.full else _ROUNDS
    with lab.open_lab(given.folder) as bench:
        lab.announce(
            bench, f"{count} bills of 2 items in the stream, {n_rounds} rounds of each way in turn; no dispatch"
        )
        lab.run(main(bench, count, n_rounds), as_worker=True)
