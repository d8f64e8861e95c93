"""
Does a till on a quiet account feel what a thousand other accounts are in?

One worker process serves 1,000 accounts. First sales on a quiet account alone; then the same while one account has a
long backlog, one is blocked (402), one does not answer at all, and every other one has something to do. And what a look
at a lane costs the server, with a short and with the long backlog.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import lab
from redis.asyncio import Redis
from stub_factus import StubFactus

_N_ACCOUNTS = 1000
_LATENCY_S = 0.2
_LONGEST_FILL_S = 900


async def main(bench: lab.Lab, n_waiting: int, n_sales: int) -> None:
    stub, redis = StubFactus(_LATENCY_S), bench.connect()
    async with stub.serving() as url, _answering(b"402") as blocked, _answering(b"") as down:
        names = ["quiet", "backlog", "blocked", "down", *(f"a{number:04}" for number in range(_N_ACCOUNTS - 4))]
        accounts = _accounts_file(bench.folder, names, {"blocked": blocked, "down": down}, url)
        await asyncio.to_thread(lambda: bench.worker(accounts, timeout="5s"))
        await _sell(redis, stub, "warm", 5)
        alone = await _sell(redis, stub, "alone", n_sales)
        await lab.push(redis, [lab.job(f"N-{number}", "backlog") for number in range(1000)])
        await _filled(redis, 900)
        short_us = await _look_us(redis)
        for name in ("blocked", "down"):
            await lab.push(redis, [lab.job(f"{name}-{number}", name) for number in range(200)])
        await lab.push(redis, [lab.job(f"E-{name}", name) for name in names[4:]])
        await lab.push(redis, [lab.job(f"L-{number}", "backlog") for number in range(n_waiting)])
        await _filled(redis, round(0.95 * n_waiting))
        beside = await _sell(redis, stub, "beside", n_sales)
        long_us = await _look_us(redis)
        still = await redis.zcard(lab.KEYS.waiting("backlog/invoice"))
    await redis.aclose()
    _report(alone, beside, short_us, long_us, still)


def _report(alone: Sequence[float], beside: Sequence[float], short_us: float, long_us: float, still: int) -> None:
    for name, waits in (("alone", alone), ("beside the others", beside)):
        p50, p99 = lab.quantile(waits, 0.5), lab.quantile(waits, 0.99)
        lab.show(f"sale to first byte, {name}, p50 / p99", f"{p50 * 1000:.1f} / {p99 * 1000:.1f} ms")
    later = max(beside) - lab.quantile(alone, 0.5)
    aim = 2 * _LATENCY_S
    lab.show("the slowest, later than alone", f"{later * 1000:.0f} ms", f"{aim * 1000:.0f} ms", is_met=later <= aim)
    lab.show("a dispatching script, 1,000 waiting", f"{short_us:.0f} us")
    lab.show(f"the same, {still:,} waiting", f"{long_us:.0f} us", "1.5 times", is_met=long_us <= 1.5 * short_us)


async def _sell(redis: Redis, stub: StubFactus, name: str, n: int) -> list[float]:
    """Sales on the quiet account, one now and then; seconds from XADD to the first byte of each create."""
    sent_at = {}
    for number in range(n):
        reference = f"Q-{name}-{number}"
        sent_at[reference] = time.perf_counter()
        await redis.xadd(lab.KEYS.jobs(), {"job": lab.job(reference, "quiet")})
        await asyncio.sleep(random.uniform(1.2, 2.0) * _LATENCY_S)
    await _until(lambda: len(_begun(stub, sent_at)) == n, 60)
    began = _begun(stub, sent_at)
    return [began[reference] - at for reference, at in sent_at.items()]


def _begun(stub: StubFactus, sent_at: dict[str, float]) -> dict[str, float]:
    return {one.reference_code: one.began_at for one in stub.creates if one.reference_code in sent_at}


async def _filled(redis: Redis, n: int) -> None:
    """All that was pushed has been taken in, and so many wait in the backlog's lane."""
    gives_up_at = time.monotonic() + _LONGEST_FILL_S
    while await redis.xlen(lab.KEYS.jobs()) or await redis.zcard(lab.KEYS.waiting("backlog/invoice")) < n:
        if time.monotonic() > gives_up_at:
            raise SystemExit("the intake did not come to an end")
        await asyncio.sleep(0.2)


async def _until(is_so: Callable[[], bool], timeout_s: float) -> None:
    gives_up_at = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > gives_up_at:
            raise SystemExit("a sale did not begin")
        await asyncio.sleep(0.01)


async def _look_us(redis: Redis) -> float:
    """Microseconds that the server spends in a script, on average over some seconds in which lanes are looked at."""
    await redis.config_resetstat()
    await asyncio.sleep(5)
    stats = await redis.info("commandstats")
    found = stats["cmdstat_evalsha"]
    return float(found["usec_per_call"])


@asynccontextmanager
async def _answering(status: bytes) -> AsyncIterator[str]:
    """A server that gives tokens and answers all else with one status; with none it never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
                )
                await reader.readexactly(int(length.partition(b":")[2]))
                if not status:
                    await asyncio.sleep(3600)
                is_token = b"/oauth/token" in head
                body = b'{"access_token":"t","refresh_token":"r","expires_in":3600}' if is_token else b'{"message":"x"}'
                first = b"200 OK" if is_token else status + b" X"
                kind = b"Content-Type: application/json\r\n"
                writer.write(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (first, kind, len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the end; Python 3.11 would print that a handler was cancelled
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _accounts_file(folder: Path, names: Sequence[str], urls: dict[str, str], url: str) -> Path:
    path = folder / "accounts.toml"
    path.write_text(
        "".join(
            f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n'
            f'base_url = "{urls.get(name, url)}"\nrate_limit = 80\nrate_window = "60s"\n\n'
            for name in names
        )
    )
    return path


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--waiting", type=int, help="jobs of the backlog (default 10,000; 100,000 with --full)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    waiting = given.waiting or (100_000 if given.full else 10_000)
    sales = 60 if given.full else 30
    with lab.open_lab(given.folder) as bench:
        lab.announce(
            bench, f"{_N_ACCOUNTS} accounts, a backlog of {waiting:,}, a create of {_LATENCY_S:g} s, {sales} sales"
        )
        lab.run(main(bench, waiting, sales))
