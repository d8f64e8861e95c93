"""Whether Redis takes writes, seen without writing: what INFO says, and what it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from worker.status.writes import Refused, WritesSeen, state_refuses
from worker.store import connection, embedded_server

SOUND = {
    "run_id": "a", "role": "master", "aof_enabled": 1, "aof_last_write_status": "ok", "maxmemory": 0,
    "used_memory": 10**6, "mem_not_counted_for_evict": 0, "maxmemory_policy": "noeviction",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, ""),
        ({"role": "slave", "slave_read_only": 1}, "READONLY"),
        ({"role": "slave"}, "READONLY"),
        ({"role": "slave", "slave_read_only": 0}, ""),
        ({"aof_last_write_status": "err"}, "MISCONF"),
        ({"aof_last_write_status": "err", "aof_enabled": 0}, ""),
        ({"maxmemory": 10**6 - 1}, "OOM"),
        ({"maxmemory": 10**6 - 1, "mem_not_counted_for_evict": 10}, ""),
        ({"maxmemory": 10**6 - 1, "maxmemory_policy": "allkeys-lru"}, ""),
        ({"maxmemory": "?", "used_memory": None}, ""),
    ],
)
def test_what_info_says_outright(changes: dict[str, Any], word: str) -> None:
    found = state_refuses(SOUND | changes)
    assert (found.word if found else "") == word
    assert not found or found.words.startswith(word)


def test_a_refusal_that_is_counted_is_told_until_nobody_is_refused_any_more() -> None:
    seen = WritesSeen()

    def look(n: int, now_ms: int, run_id: str = "a") -> Refused | None:
        return seen.look(SOUND | {"run_id": run_id, "errorstat_NOREPLICAS": {"count": n}}, now_ms)

    assert look(7, 0) is None, "what was counted before anybody looked is over, for all that is known"
    assert look(8, 2_000) == Refused("NOREPLICAS", "NOREPLICAS")
    assert look(9, 4_000) == look(9, 13_999) == Refused("NOREPLICAS", "NOREPLICAS")
    assert look(9, 14_000) is None
    assert look(0, 15_000) is None
    assert look(12, 16_000, run_id="b") is None, "another server has counts of its own"


async def test_a_server_that_misses_its_replicas_is_seen(tmp_path: Path) -> None:
    server = embedded_server.start(tmp_path / "data")
    client = connection.connect(server.url())
    seen = WritesSeen()
    try:
        assert await seen.refused(client, 0) is None
        await client.config_set("min-replicas-to-write", 1)
        with pytest.raises(Exception, match="NOREPLICAS"):
            await client.set("a", "b")
        assert await seen.refused(client, 1) == Refused("NOREPLICAS", "NOREPLICAS")
    finally:
        await connection.close(client)
        embedded_server.stop(server)
