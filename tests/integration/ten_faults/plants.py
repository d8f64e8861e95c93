"""
How each of the ten faults is planted on the running set, and mended.

What takes hours is brought forward where it is kept: since when it lasts.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import httpx
import redis

from tests.integration.ten_faults.running_set import BILLS, KEYS, TWELVE_MIN_MS, RunningSet
from tests.patience import PATIENCE_S
from tests.service_processes import until

Plant = Callable[[RunningSet], AbstractContextManager[None]]


@contextmanager
def redis_read_only(at: RunningSet) -> Iterator[None]:
    at.redis.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        at.redis.replicaof("NO", "ONE")


@contextmanager
def disk_full(at: RunningSet) -> Iterator[None]:
    """The log may grow no further: the kernel refuses the write, as on a full disk."""

    def last_write() -> str:
        return str(at.redis.info("persistence")["aof_last_write_status"])

    def is_refused() -> bool:
        try:
            at.redis.set("some", "x" * 100)
        except redis.ResponseError:
            pass
        return last_write() == "err"

    size = max(path.stat().st_size for path in (at.folder / "server" / "appendonlydir").iterdir())
    resource.prlimit(at.server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        until(is_refused)
        yield
    finally:
        resource.prlimit(at.server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: last_write() == "ok")


@contextmanager
def held(at: RunningSet, account: str, place: str, mend: Callable[[], None]) -> Iterator[None]:
    """A bill that is pushed meets a hold, until the mend is done and said to the service."""
    code = at.push_bill(account)
    at.until_held(place)
    yield
    mend()
    assert at.typed("resume", account).status == 0
    at.until_validated(code)


@contextmanager
def wrong_password(at: RunningSet) -> Iterator[None]:
    at.control("accounts/password", refused=True)
    with held(at, "password", KEYS.account("password"), lambda: at.control("accounts/password", refused=False)):
        yield


@contextmanager
def payment_required(at: RunningSet) -> Iterator[None]:
    at.control("accounts/payment", paid=False)
    with held(at, "payment", KEYS.account("payment"), lambda: at.control("accounts/payment", paid=True)):
        yield


@contextmanager
def foreign_document(at: RunningSet) -> Iterator[None]:
    """Somebody else's document, for twelve minutes: the operator has been told (``account.blocked``)."""
    named = {"account": "foreign", "reference": "POS-77"}
    at.control("documents/foreign", **named)
    lane = KEYS.lane("foreign/invoice")
    with held(at, "foreign", lane, lambda: at.control("documents/settle", **named)):
        at.ago(lane, "held_since", "conflict_since", ms=TWELVE_MIN_MS)
        at.redis.hset(lane, "hold_until", "0")
        at.redis.zadd(KEYS.lanes_due(), {"foreign/invoice": 0})
        at.until_held(KEYS.account("foreign"), "blocked:invoice")
        yield


@contextmanager
def dian_silent(at: RunningSet) -> Iterator[None]:
    rule = {"on": "create", "account": "dian", "times": 1, "effect": {"kind": "pending"}}
    at.control("faults", rules=[rule])
    lane = KEYS.lane("dian/invoice")
    settled = {"account": "dian", "reference": "dian-0001"}
    with held(at, "dian", lane, lambda: at.control("documents/settle", **settled)):
        at.ago(lane, "held_since")
        yield


@contextmanager
def consumer_lags(at: RunningSet) -> Iterator[None]:
    """Its group has read nothing of a stream that is cut; webhooks have had all of it."""
    at.redis.xgroup_create(KEYS.results(), "erp", id="0")
    n_before = at.receiver.n_received
    at.until_validated(at.push_bill("worker"))
    until(lambda: at.receiver.n_received > n_before)
    at.redis.xtrim(KEYS.results(), maxlen=1, approximate=False)
    yield
    at.redis.xgroup_destroy(KEYS.results(), "erp")


@contextmanager
def endpoint_dead(at: RunningSet) -> Iterator[None]:
    """It answers 503 since six minutes."""
    at.receiver.status = 503
    at.until_validated(at.push_bill("webhook"))
    at.until_held(KEYS.hook("tienda"), "failing_since")
    at.ago(KEYS.hook("tienda"), "failing_since")
    yield
    at.receiver.status = 200
    assert at.typed("webhooks", "test", "tienda").status == 0
    at.redis.zadd(KEYS.hook("tienda", "due"), dict.fromkeys(at.redis.zrange(KEYS.hook("tienda", "due"), 0, -1), 0))
    until(lambda: not at.redis.zcard(KEYS.hook("tienda", "order")))


@contextmanager
def range_at_its_end(at: RunningSet) -> Iterator[None]:
    """Twenty numbers are left, which the next bill shows."""
    with httpx.Client(base_url=at.factus_url, headers={"User-Agent": "a-person/1"}, trust_env=False) as person:
        form = {"grant_type": "password", "client_id": "c", "client_secret": "s", "username": "range", "password": "p"}
        token = person.post("/oauth/token", data=form).json()["access_token"]
        person.headers["Authorization"] = f"Bearer {token}"
        listed = person.get("/v2/numbering-ranges").json()["data"]["data"]
        (bills,) = [one for one in listed if one["id"] == BILLS]

        def move(current: int) -> None:
            answer = person.patch(f"/v2/numbering-ranges/{BILLS}/current", json={"current": current})
            assert answer.status_code == 200, answer.text
            at.until_validated(at.push_bill("range"))

        move(bills["to"] - 20)
        yield
        # The worker notes a range that documents move on every thirty seconds.
        at.redis.delete(KEYS.ranges("range"))
        move(bills["current"])


@contextmanager
def worker_dead(at: RunningSet) -> Iterator[None]:
    """Killed, and nobody gives a sign of life any more."""
    at.processes["worker"].kill()
    at.processes["worker"].wait(PATIENCE_S)
    yield
    at.start("worker", "run")


PLANTS: Final[dict[str, Plant]] = {
    "redis.read_only": redis_read_only, "redis.disk": disk_full, "password": wrong_password,
    "payment": payment_required, "foreign": foreign_document, "dian": dian_silent, "group.lost": consumer_lags,
    "webhook.failing": endpoint_dead, "range": range_at_its_end, "workers.none": worker_dead,
}  # fmt: skip
"""In the order of ``FAULTS``."""
