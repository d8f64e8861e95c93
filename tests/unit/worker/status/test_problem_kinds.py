"""The one list of what needs a person: kinds, severities and words in both languages, of webhooks and ranges."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from schemas.factus import BOGOTA
from schemas.records import WaitReason
from tests.unit.worker.status import snapshots
from tests.unit.worker.status.snapshots import ACCOUNT, LANE, NOW
from worker.speech import ENGLISH, SPANISH
from worker.status.endpoint_reader import SEEN_MS, endpoints_seen
from worker.status.facts import DelivererSeen, EndpointSeen, Hold, Overview, RangeSeen, WorkerSeen
from worker.status.problem import KINDS, Problem
from worker.status.problems import problem_lines, problems
from worker.status.state_words import lacks
from worker.store.inquiry import answered
from worker.store.keys import Keys

SIX_MIN, TEN_DAYS = 360_000, 864_000_000
WORKER = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10)
SHOP = EndpointSeen("tienda", last_success_ms=NOW - 1000)
FAILING = replace(SHOP, failing_since_ms=NOW - SIX_MIN, n_waiting=3, last_status=503)
RANGE = RangeSeen("acme", "Factura de Venta", "SETP", 4_000_000, 5_000_000, date(2030, 1, 19), 900)


def overview(**changes: Any) -> Overview:
    return snapshots.overview(**{"endpoints": (SHOP,), "n_delivering": 1, **changes})


WEBHOOKS = {
    "nobody delivers": ({"n_delivering": 0}, "webhooks.none", "failure", "factus-worker webhooks"),
    "one that delivers fails": (
        {"failing_deliverers": (DelivererSeen("h-1", "take=9", "take=2", NOW - 5),)},
        "webhooks.failures",
        "warning",
        "h-1: fallas en sus tareas en los últimos 10 minutos (take=2; desde que inició take=9)",
    ),
    "dead": ({"endpoints": (FAILING,)}, "webhook.failing", "failure", "responde 503 (3 entregas esperan)"),
    "dead without an answer": (
        {"endpoints": (replace(FAILING, last_status=0, last_fault="connection"),)},
        "webhook.failing",
        "failure",
        "no hay conexión",
    ),
    "disabled by 410": (
        {"endpoints": (replace(SHOP, is_disabled=True, disabled_why="gone", failing_since_ms=1),)},
        "webhook.disabled",
        "failure",
        "webhooks enable tienda",
    ),
    "disabled by hand, and events wait": (
        {"endpoints": (replace(SHOP, is_disabled=True, disabled_why="operator", n_waiting=2),)},
        "webhook.disabled",
        "failure",
        "2 entregas esperan",
    ),
    "behind": (
        {"endpoints": (replace(SHOP, n_waiting=9, oldest_due_ms=NOW - SIX_MIN),)},
        "webhook.behind",
        "warning",
        "concurrency",
    ),
    "lost": (
        {"endpoints": (replace(SHOP, n_gone=4, gone_at_ms=NOW - 1),)},
        "webhook.lost",
        "failure",
        "FACTUS_RESULTS_MAXLEN",
    ),
}


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_is_wrong_with_webhooks_is_a_problem(name: str) -> None:
    changes, id_, severity, words = WEBHOOKS[name]
    (one,) = problems(overview(**changes), SPANISH)
    assert (one.id, one.severity) == (id_, severity)
    assert words in " ".join(problem_lines(one, BOGOTA, NOW, SPANISH))
    (english,) = problems(overview(**changes), ENGLISH)
    assert english.what != one.what
    assert english.mend != one.mend != ""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"endpoints": (), "n_delivering": 0},
        {"n_delivering": None},
        {"endpoints": (replace(FAILING, failing_since_ms=NOW - 1),)},
        {"endpoints": (replace(SHOP, is_disabled=True, disabled_why="operator"),)},
        {"endpoints": (replace(SHOP, n_waiting=9, oldest_due_ms=NOW - 1),)},
        {"endpoints": (replace(SHOP, n_gone=4, gone_at_ms=NOW - TEN_DAYS),)},
        {"ranges": (RANGE,)},
        {"ranges": (replace(RANGE, ends_on=None, days_left=0),)},
    ],
)
def test_what_needs_nobody_is_none(changes: dict[str, Any]) -> None:
    assert problems(overview(**changes), SPANISH) == []


RANGES = {
    "five hundredths": ({"n_left": 250_000}, "", "", ""),
    "a month and a day": ({"days_left": 31}, "", "", ""),
    "nobody knows of how many": ({"n_left": 3, "n_numbers": None}, "", "", ""),
    "nobody knows how many": ({"n_left": None, "n_numbers": None}, "", "", ""),
    "ends": ({"days_left": 30}, "range.ending", "warning", "en 30 días"),
    "ends today": ({"days_left": 0}, "range.ending", "warning", "en 0 días"),
    "few numbers": ({"n_left": 249_999}, "range.ending", "warning", "le quedan 249.999 de 5.000.000 números"),
    "over": ({"days_left": -1}, "range.ended", "failure", "se venció (2030-01-19)"),
    "Factus says so": ({"is_expired": True}, "range.ended", "failure", "se venció"),
    "no numbers": ({"n_left": 0}, "range.ended", "failure", "no le quedan números"),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_range_is_told_before_it_ends_and_when_it_has(name: str) -> None:
    changes, id_, severity, words = RANGES[name]
    found = problems(overview(ranges=(replace(RANGE, **changes),)), SPANISH)
    if not id_:
        assert found == []
        return
    (one,) = found
    assert (one.id, one.severity, one.subject) == (id_, severity, "acme/SETP")
    assert words in one.what
    assert "numeración" in one.mend


def test_what_only_a_person_mends_is_told_before_what_passes() -> None:
    outage = replace(ACCOUNT, hold=Hold("factus.unavailable", NOW + 1, NOW - SIX_MIN))
    found = problems(overview(accounts=(outage,), endpoints=(FAILING,)), SPANISH)
    assert [(one.id, one.severity) for one in found] == [("webhook.failing", "failure"), ("account.held", "warning")]


def test_every_kind_is_a_problem_of_the_list_and_of_the_table() -> None:
    folder = Path(__file__).resolve().parents[4] / "worker" / "status"
    names = [path.name for path in folder.glob("*problems.py")]
    source = "".join((folder / name).read_text(encoding="utf-8") for name in names)
    assert set(re.findall(r'(?:Problem|_held)\(\s*"([a-z]+\.[a-z_]+)"', source)) == KINDS.keys()
    assert {Problem(id_, "x", "x").severity for id_ in KINDS} == {"failure", "warning"}


def test_lanes_are_told_by_what_they_lack() -> None:
    held = replace(LANE, name="acme/a", hold=Hold("dian.pending", 1, 1))
    blocked = replace(LANE, name="acme/b", hold=Hold("factus.denied", 1, 1))
    idle = replace(LANE, name="acme/c", n_waiting=0)
    short, long = replace(LANE, name="acme/d", backlog_s=5.0), replace(LANE, name="acme/e", backlog_s=60.0)
    down, spent = replace(LANE, wait_reason=WaitReason.PROBE), replace(LANE, wait_reason=WaitReason.ALLOWANCE)
    told = sorted((idle, short, spent, down, long, held, blocked), key=lambda lane: lacks(lane, ACCOUNT))
    assert told == [blocked, held, down, spent, long, short, idle]


async def test_endpoints_are_read_as_their_processes_keep_them(redis: ArqRedis, namespace: str) -> None:
    keys = Keys(namespace)
    await redis.zadd(keys.hooks_seen(), {"b": NOW, "a": NOW - 1, "forgotten": NOW - SEEN_MS - 1})
    await redis.zadd(keys.hook_processes(), {"h-1": NOW, "h-2": NOW - 60_000})
    kept = {"state": "disabled", "disabled_why": "gone", "disabled_at": "7", "failing_since": "5", "last_status": "410"}
    await redis.hset(keys.hook("a"), mapping=kept)
    await redis.zadd(keys.hook("a", "order"), {"m1": 1, "m2": 2})
    await redis.zadd(keys.hook("a", "due"), {"m1": 40, "m2": 50})
    for name, since in {"h-1": NOW - 5, "h-2": NOW - 60_000}.items():
        failed = {"failed": "take=9", "failed_lately": "take=2", "failing_since": since}
        await redis.hset(keys.hook_process(name), mapping=failed)
    endpoints, n_delivering, failing = await answered(redis, endpoints_seen(keys, NOW))
    gone = EndpointSeen(
        "a", is_disabled=True, disabled_why="gone", disabled_at_ms=7, failing_since_ms=5, n_waiting=2, oldest_due_ms=40,
        last_status=410,
    )  # fmt: skip
    assert endpoints == (gone, EndpointSeen("b"))
    assert n_delivering == 1
    assert failing == (DelivererSeen("h-1", "take=9", "take=2", NOW - 5),), "of those that live"
    await redis.set(keys.hook("b"), "x")
    await redis.delete(keys.hook_processes())
    await redis.set(keys.hook_processes(), "x")
    assert await answered(redis, endpoints_seen(keys, NOW)) == ((gone, EndpointSeen("b")), None, ()), (
        "the rest is told all the same"
    )


def test_while_redis_takes_no_writes_nothing_is_said_of_who_gives_no_sign() -> None:
    """Signs of life are writes: to start a worker would mend nothing."""
    silent = overview(workers=(), n_delivering=0, writes_refused="READONLY ...", writes_word="READONLY")
    assert [one.id for one in problems(silent, SPANISH)] == ["redis.writes"]
    assert {one.id for one in problems(replace(silent, writes_refused=None), SPANISH)} == {
        "workers.none",
        "webhooks.none",
    }
