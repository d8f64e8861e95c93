"""The reader of a scrape as a test has it, and a service of which everything is wrong."""

from __future__ import annotations

from collections import Counter

from tests.patience import PATIENCE_S
from worker.metrics.reader import ScrapeReader
from worker.speech import ENGLISH
from worker.status.facts import Overview
from worker.status.problems import PATIENCE_MS, problems

ONE_ACCOUNT_S = 0.0
"""For so long a scrape reckons accounts: one, as always at least; no time decides how many."""


def reader_of(built, **more) -> ScrapeReader:
    return ScrapeReader(built.redis, built.keys, built.accounts, "test", longest_s=PATIENCE_S, **more)


async def everything_wrong(redis, keys) -> None:
    """As much as can be wrong at once, as the service keeps it."""
    now_ms = int((await redis.time())[0]) * 1000
    long_ago = now_ms - PATIENCE_MS - 60_000
    for lane, reason in {"acme/invoice": "dian.pending", "acme/payroll": "factus.conflict", "b/invoice": "x"}.items():
        await redis.sadd(keys.lanes(), lane)
        await redis.zadd(keys.waiting(lane), {"j": 10**15})
        await redis.hset(keys.lane(lane), mapping={"held_since": long_ago, "held_for": reason})
    await redis.hset(keys.lane("b/invoice"), "held_since", now_ms)  # not for long
    await redis.sadd(keys.lanes(), "stranger/invoice", "slow/invoice")
    await redis.zadd(keys.waiting("stranger/invoice"), {"j": 10**15})
    held = {"hold_until": now_ms + 60_000, "hold_reason": "factus.credentials", "held_since": now_ms}
    await redis.hset(keys.account("c"), mapping={**held, "held_for": "factus.credentials", "blocked:*": now_ms})
    await redis.hset(keys.account("acme"), mapping={"blocked:invoice": long_ago, "blocked:bill.email": long_ago})
    slowed = {"hold_until": now_ms + 60_000, "hold_reason": "factus.throttled"}
    await redis.hset(keys.account("slow"), mapping=slowed)
    await redis.zadd(keys.waiting("slow/invoice"), {"j": 10**15})
    await redis.hset(keys.lane("slow/invoice"), mapping={"held_since": long_ago, "held_for": "factus.unavailable"})
    for name, facts in {
        "w1": {"accounts": "acme,b,c,slow", "failed": "sweep=2", "signed": "1", "keys_fault": "no JSON"},
        "w2": {"accounts": "acme,b,c", "failed": "", "signed": "0", "keys_fault": ""},
    }.items():
        await redis.zadd(keys.workers(), {name: now_ms})
        await redis.hset(keys.worker(name), mapping={"pid": 1, "version": "0", **facts})
    await redis.zadd(keys.workers(), {"w3": now_ms - 15_000})
    for name, kept in {
        "dead": {"failing_since": long_ago, "last_status": 503},
        "gone": {"state": "disabled", "disabled_why": "gone", "disabled_at": now_ms},
        "cut": {"n_gone": 4, "gone_at": now_ms},
        "late": {"last_success_at": now_ms},
    }.items():
        await redis.zadd(keys.hooks_seen(), {name: now_ms})
        await redis.hset(keys.hook(name), mapping=kept)
    await redis.zadd(keys.hook_processes(), {"h": now_ms})
    await redis.hset(keys.hook_process("h"), mapping={"failed": "take=2", "failed_lately": "take=2"})
    await redis.zadd(keys.hook("late", "due"), {"m": long_ago})
    await redis.zadd(keys.hook("late", "order"), {"m": 1})
    facts = {f"gone:{keys.jobs()}": 3, f"gone_at:{keys.jobs()}": now_ms, f"ahead:{keys.retry()}": "9-9"}
    await redis.hset(keys.intake_facts(), mapping={**facts, f"renewed_at:{keys.jobs()}": now_ms})
    await redis.hset(keys.intake_facts(), mapping={"letters_gone": 2, "letters_gone_at": now_ms})
    for n in range(9):
        await redis.xadd(keys.results(), {"event": "{}"}, id=f"1-{n + 1}")
        await redis.xadd(keys.radian(), {"event": "{}"}, id=f"1-{n + 1}")
    await redis.xgroup_create(keys.results(), "lost", id="0")
    await redis.xgroup_create(keys.radian(), "behind", id="0")
    await redis.xgroup_create(keys.radian(), "well", id="$")
    await redis.xtrim(keys.results(), maxlen=8, approximate=False)


def told(seen: Overview) -> dict[tuple[str, str], int]:
    return Counter((one.id, one.severity) for one in problems(seen, ENGLISH))
