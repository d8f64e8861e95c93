"""
How long does a sale at the till wait behind a backlog that takes the whole allowance?

A backlog of bills that needs many windows, and now and then one of priority ``high`` on the same account and in the
same lane. The stub Factus in this process stamps each create; a fixed window that opens with the first one, as Factus
has it, is played over the stamps to see what it would have refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Sequence

import lab
from stub_factus import Create, StubFactus

from sandbox.state.limits import FixedWindow

_LIMIT = 80
_BACKLOG = "B"
_TILL = "T"
_AIM_S_OF_A_MINUTE = 1.5


async def main(bench: lab.Lab, window_s: float, n_windows: float, latency_s: float) -> None:
    stub, redis = StubFactus(latency_s=latency_s), bench.connect()
    sent_at: dict[str, float] = {}
    async with stub.serving() as url:
        accounts = bench.accounts_file(["acme"], url, limit=_LIMIT, window=f"{window_s:g}s")
        await asyncio.to_thread(bench.worker, accounts)
        n = round(_LIMIT * (n_windows + 4))
        await lab.push(redis, [lab.job(f"{_BACKLOG}-{number}", "acme") for number in range(n)])
        ends_at = time.perf_counter() + n_windows * window_s
        await asyncio.sleep(1.0)
        while time.perf_counter() < ends_at:
            reference = f"{_TILL}-{len(sent_at)}"
            sent_at[reference] = time.perf_counter()
            await redis.xadd(lab.KEYS.jobs(), {"job": _urgent(reference)})
            await asyncio.sleep(random.uniform(0.05, 0.15) * window_s)
        await asyncio.sleep(window_s / 10)
        creates = sorted(stub.creates, key=lambda create: create.began_at)
    await redis.aclose()
    _report(creates, sent_at, window_s)


def _urgent(reference: str) -> str:
    return json.dumps({**json.loads(lab.job(reference, "acme")), "priority": "high"})


def _report(creates: Sequence[Create], sent_at: dict[str, float], window_s: float) -> None:
    began = {create.reference_code: create.began_at for create in creates}
    waits = [began[reference] - at for reference, at in sent_at.items() if reference in began]
    aim_s = _AIM_S_OF_A_MINUTE * window_s / 60
    most = max(waits)
    lab.show("till, XADD to first byte, median", f"{lab.quantile(waits, 0.5) * 1000:.0f} ms")
    lab.show("the same, the slowest", f"{most * 1000:.0f} ms", f"{aim_s * 1000:.0f} ms", is_met=most <= aim_s)
    if len(waits) < len(sent_at):
        lab.show("till, never begun", str(len(sent_at) - len(waits)), "0", is_met=False)
    window, n_refused = FixedWindow(_LIMIT, window_s), 0
    for create in creates:
        n_refused += window.take(create.began_at).retry_after_s is not None
    lab.show("creates that Factus would refuse (429)", str(n_refused), "0", is_met=n_refused == 0)
    whole = (creates[-1].began_at - creates[0].began_at) / window_s
    lab.show("of the allowance used", f"{(len(creates) - 1) / (_LIMIT * whole):.1%}", "99.5%")
    print(f"  {len(creates)} creates in {whole:.2f} windows, {len(sent_at)} of them from the till")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--window", type=float, help="seconds (default 20; 60 with --full)")
    parser.add_argument("--windows", type=float, default=3.0, help="how many of them (%(default)g)")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds of a create (%(default)g)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    window = given.window or (60.0 if given.full else 20.0)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"{_LIMIT} in {window:g} s, {given.windows:g} windows, a create of {given.latency:g} s")
        lab.run(main(bench, window, given.windows, given.latency))
