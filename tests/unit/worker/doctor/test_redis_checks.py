"""What the facts of Redis mean to ``doctor``: every fault on its line, and no other line says it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from worker.doctor.checks import IDS
from worker.doctor.redis_checks import OF_REDIS, clock_verdict, redis_checks, unreachable_checks
from worker.doctor.redis_facts import RedisPlace, RedisSeen, Refusal, Rights, Unreachable
from worker.speech import ENGLISH, SPANISH

GOOD: Final = {
    "redis_version": "7.4.1", "redis_mode": "standalone", "aof_enabled": 1, "aof_last_write_status": "ok",
    "maxmemory_policy": "noeviction", "used_memory": 10 << 20, "maxmemory": 1 << 30, "role": "master",
    "connected_slaves": 1,
}  # fmt: skip
SEEN: Final = RedisSeen(GOOD, 3.0, "always", "1", None, Rights("worker"))
HERE: Final = RedisPlace("redis://10.0.0.7:6379")
SENTINEL: Final = replace(HERE, is_sentinel=True)


def info(**changes: Any) -> RedisSeen:
    return replace(SEEN, info={**GOOD, **changes})


CASES: Final = {
    "Redis too old": (info(redis_version="6.0.16"), "redis.version", "failure", "demasiado viejo"),
    "Valkey too old": (
        info(valkey_version="7.0.1", redis_version="7.2.4"), "redis.version", "failure", "Valkey 7.0.1",
    ),
    "Redis without counts": (info(redis_version="6.2.14"), "redis.version", "warning", "Redis 7"),
    "no version that can be read": (info(redis_version=""), "redis.version", "failure", "?"),
    "cluster": (info(redis_mode="cluster"), "redis.version", "failure", "Sentinel"),
    "no log": (info(aof_enabled=0), "redis.persistence", "failure", "appendonly yes"),
    "disk": (info(aof_last_write_status="err"), "redis.persistence", "failure", "libere espacio"),
    "rewrite": (info(aof_last_bgrewrite_status="err"), "redis.persistence", "warning", "espacio"),
    "everysec": (replace(SEEN, appendfsync="everysec"), "redis.persistence", "warning", "appendfsync always"),
    "fsync no": (replace(SEEN, appendfsync="no"), "redis.persistence", "failure", "medio minuto"),
    "CONFIG forbidden": (replace(SEEN, appendfsync=None), "redis.persistence", "warning", "CONFIG GET"),
    "MISCONF": (replace(SEEN, refusal=Refusal("MISCONF", "x")), "redis.persistence", "failure", "su disco"),
    "evicts": (info(maxmemory_policy="allkeys-lru"), "redis.eviction", "failure", "noeviction"),
    "memory": (info(used_memory=900 << 20), "redis.memory", "warning", "suba maxmemory"),
    "memory full": (info(used_memory=1020 << 20), "redis.memory", "failure", "suba maxmemory"),
    "the machine's memory": (
        info(maxmemory=0, total_system_memory=100, used_memory=99), "redis.memory", "failure", "sin maxmemory",
    ),
    "OOM": (replace(SEEN, refusal=Refusal("OOM", "x")), "redis.memory", "failure", "suba maxmemory"),
    "replica": (info(role="slave"), "redis.replicas", "failure", "es una réplica"),
    "READONLY": (replace(SEEN, refusal=Refusal("READONLY", "x")), "redis.replicas", "failure", "es una réplica"),
    "NOREPLICAS": (replace(SEEN, refusal=Refusal("NOREPLICAS", "x")), "redis.replicas", "failure", "recupérelas"),
    "NOPERM": (replace(SEEN, refusal=Refusal("NOPERM", "x")), "redis.rights", "warning", "le falta: set"),
    "may only look": (
        replace(SEEN, rights=Rights("viewer", missing=("hset", "xadd"))), "redis.rights", "warning", "hset, xadd",
    ),
    "may do anything": (
        replace(SEEN, rights=Rights("default", may_flush=True)), "redis.rights", "warning", "deploy/users.acl",
    ),
    "rights are not told": (replace(SEEN, rights=Rights(is_known=False)), "redis.rights", "skipped", "no dice"),
    "clock": (replace(SEEN, clock_off_ms=-2_500.0), "clock.redis", "warning", "atrasado 2,5 s"),
    "clock far": (replace(SEEN, clock_off_ms=61_000.0), "clock.redis", "failure", "chrony"),
    "TIME forbidden": (replace(SEEN, clock_off_ms=None), "clock.redis", "skipped", "+time"),
    "another word": (replace(SEEN, refusal=Refusal("BUSY", "BUSY x")), "redis.reachable", "failure", "BUSY x"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_on_its_line_and_on_no_other(name: str) -> None:
    seen, id_, status, words = CASES[name]
    found = {one.id: one for one in redis_checks(seen, HERE, SPANISH)}
    assert found.keys() == {"redis.reachable", *OF_REDIS}
    assert found[id_].status == status
    assert words in f"{found[id_].found} {found[id_].mend}"
    assert found[id_].mend or status == "skipped"
    assert {one.status for one in found.values() if one.id != id_} == {"ok"}
    english = next(one for one in redis_checks(seen, HERE, ENGLISH) if one.id == id_)
    assert english.status == status


SENTINELS: Final = {
    "all is well": (SEEN, "ok", ""),
    "seen in INFO alone": (replace(info(min_slaves_good_slaves=1), min_replicas=None), "ok", ""),
    "the setting is missing": (replace(SEEN, min_replicas="0"), "failure", "min-replicas-to-write 1"),
    "missing, by INFO": (replace(SEEN, min_replicas=None), "failure", "min-replicas-to-write 1"),
    "no replica": (info(connected_slaves=0), "failure", "recupérelas"),
}


@pytest.mark.parametrize("name", SENTINELS)
def test_behind_sentinel_the_primary_has_to_wait_for_a_replica(name: str) -> None:
    seen, status, words = SENTINELS[name]
    (found,) = [one for one in redis_checks(seen, SENTINEL, SPANISH) if one.id == "redis.replicas"]
    assert (found.status, words in found.mend) == (status, True)


def test_without_info_what_needs_it_is_skipped_with_why() -> None:
    found = redis_checks(replace(SEEN, info=None), HERE, SPANISH)
    left_out = [one.id for one in found if one.status == "skipped"]
    assert left_out == ["redis.version", "redis.persistence", "redis.eviction", "redis.memory", "redis.replicas"]
    assert all("INFO" in one.found for one in found if one.status == "skipped")


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Unreachable("ConnectionError: refused"), "mire que Redis esté en marcha"),
        (Unreachable("AuthenticationError: x", is_login=True), "usuario y clave"),
        (Unreachable("BusyLoadingError: x", is_loading=True), "espere"),
        (Unreachable("x", mend="inicie un trabajador"), "inicie un trabajador"),
    ],
)
def test_what_hangs_on_redis_is_skipped_where_it_cannot_be_asked(seen: Unreachable, words: str) -> None:
    first, *rest = unreachable_checks(seen, HERE, SPANISH)
    assert (first.id, first.status, words in first.mend) == ("redis.reachable", "failure", True)
    assert {one.id for one in rest} == {id_ for id_ in IDS if "redis" in id_} - {"redis.reachable"}
    assert all(one.status == "skipped" and "redis.reachable" in one.found for one in rest)


def test_a_clock_says_which_way_it_is_off() -> None:
    assert clock_verdict(3_000, "Factus", ENGLISH)[1] == "the clock of Factus is 3.0 s ahead of this machine"
    assert clock_verdict(1_999, "Factus", ENGLISH)[0] == "ok"
