"""Reading results: from where, which, each once for a group."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from arq.connections import ArqRedis

from worker.cli.results.reader import Filter, GroupReader, Published, before, followed, line_of, since_entry, there
from worker.cli.results.rendering import show_event

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


async def publish(redis: ArqRedis, stream: str, entry: str, type_: str = "invoice.validated") -> None:
    await redis.xadd(stream, {"event": b"{}", "type": type_, "account": "acme"}, id=entry)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("10m", f"{int(NOW.timestamp()) * 1000 - 600_000}-0"),
        ("2026-11-30T07:00:00-05:00", f"{int(NOW.timestamp()) * 1000}-0"),
        ("2026-11-30T12:00:00Z", f"{int(NOW.timestamp()) * 1000}-0"),
        ("2026-11-30", f"{int(NOW.timestamp()) * 1000 - 7 * 3_600_000}-0"),
        ("1795622401234-3", "1795622401234-3"),
        ("1795622401234", "1795622401234"),
        ("18446744073709551615-18446744073709551615", "18446744073709551615-18446744073709551615"),
    ],
)
def test_since_takes_durations_times_and_entries(text: str, entry: str) -> None:
    assert since_entry(text, now=NOW) == entry


@pytest.mark.parametrize(
    "text", [
        "yesterday", "2026-11-30T07:00:00", "-5m", "1-2-3", "", "$", "18446744073709551616", "18446744073709551616-0",
        "1-18446744073709551616", "99999999999999999999", "١٢٣", "١-٠", "٢٠٢٦-١١-٣٠", "１０m",
    ],
)  # fmt: skip
def test_since_refuses_what_it_cannot_place(text: str) -> None:
    """A time without its zone would be read as somebody else's noon."""
    with pytest.raises(ValueError, match="duration"):
        since_entry(text, now=NOW)


@pytest.mark.parametrize(
    ("entry", "expected"), [("5-3", "5-2"), ("5-0", f"4-{2**64 - 1}"), ("0-0", "0-0"), ("7", f"6-{2**64 - 1}")]
)
def test_reading_behind_the_one_before_gives_the_entry_itself(entry: str, expected: str) -> None:
    assert before(entry) == expected


async def test_several_streams_are_read_as_one(fake_redis: ArqRedis) -> None:
    for stream, entry in (("a", "1-0"), ("b", "2-0"), ("a", "3-0"), ("b", "3-1")):
        await publish(fake_redis, stream, entry)
    assert [found.entry async for found in there(fake_redis, ["a", "b"], "0-0")] == ["1-0", "2-0", "3-0", "3-1"]
    assert [found.entry async for found in there(fake_redis, ["a", "b"], "2-0")] == ["2-0", "3-0", "3-1"]


async def test_pages_join_without_gap_or_repetition(fake_redis: ArqRedis) -> None:
    for n in range(1, 1202):
        await publish(fake_redis, "a", f"{n}-0")
    assert [int(found.entry[:-2]) async for found in there(fake_redis, ["a"], "0-0")] == list(range(1, 1202))


async def test_what_is_no_event_is_passed_over_and_hides_none_behind_it(fake_redis: ArqRedis) -> None:
    """A page with an entry of somebody else counted as the last one, so that all behind it was not shown."""
    for n in range(1, 1202):
        await publish(fake_redis, "a", f"{n}-0")
        if n == 7:
            for m in range(1, 1101):  # a page of them, and none of ours
                await fake_redis.xadd("a", {"hello": "world"}, id=f"7-{m}")
    await fake_redis.xadd("b", {"event": b"{}", "type": b"\xff", "account": b"\xff"}, id="8-1")
    expected = [f"{n}-0" for n in range(1, 1202)]
    expected.insert(8, "8-1")
    assert [found.entry async for found in there(fake_redis, ["a", "b"], "0-0")] == expected


async def test_following_goes_on_behind_what_is_no_event(fake_redis: ArqRedis) -> None:
    """Read again and again it held up the next event once there was a page of it, and a processor before."""
    for n in range(1, 502):
        await fake_redis.xadd("a", {"hello": "world"}, id=f"{n}-0")
    places = {"a": "0-0"}
    read, xread = 0, fake_redis.xread

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal read
        read += 1
        if read == 3:
            await publish(fake_redis, "a", "502-0")
        assert read < 6
        return await xread(*arguments, **options)

    fake_redis.xread = counted
    async with aclosing(followed(fake_redis, places)) as events:
        assert (await anext(events)).entry == "502-0"


async def test_a_group_holds_nothing_that_is_no_event(real_redis: ArqRedis, namespace: str) -> None:
    """It stayed pending for ever, and its consumer with it."""
    stream = f"{namespace}:results"
    await real_redis.xadd(stream, {"hello": "world"}, id="1-0")
    await publish(real_redis, stream, "2-0")
    reader = GroupReader(real_redis, [stream], "erp")
    await reader.open()
    async with aclosing(reader.read(follow=False)) as events:
        async for found in events:
            await reader.ack(found)
    await reader.close()
    assert (await real_redis.xpending(stream, "erp"))["pending"] == 0
    assert await real_redis.xinfo_consumers(stream, "erp") == []


@pytest.mark.parametrize("raw", [b"", b"\xff", b"no JSON", b"[]", b"{}"])
def test_what_is_no_event_is_not_shown(raw: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    show_event(raw)
    assert capsys.readouterr().out == ""


async def test_group_reads_each_event_once(real_redis: ArqRedis, namespace: str) -> None:
    """Two readers one after the other: the second starts where the first has acknowledged."""
    stream = f"{namespace}:results"
    for n in range(1, 4):
        await publish(real_redis, stream, f"{n}-0")
    read: list[str] = []
    for most in (1, 9):
        reader = GroupReader(real_redis, [stream], "erp")
        await reader.open()
        async with aclosing(reader.read(follow=False)) as events:
            async for found in events:
                read.append(found.entry)
                await reader.ack(found)
                if len(read) >= most:
                    break
        await reader.close()
    assert read == ["1-0", "2-0", "3-0"]
    assert await real_redis.xinfo_consumers(stream, "erp") == []


def test_filter_matches_globs_and_accounts() -> None:
    found = Published("s", "1-0", b"{}", "invoice.failed", "acme")
    assert Filter("*.failed", "acme").takes(found)
    assert not Filter("*.validated").takes(found)
    assert not Filter(None, "other").takes(found)


def test_a_line_holds_one_event_and_no_control_characters() -> None:
    """A message from outside must not move the cursor of whoever reads it."""
    event = {
        "time": "2026-11-30T23:01:07.512-05:00", "type": "job.refused", "reference_code": None, "job_id": "j-1",
        "account": None, "data": None, "errors": [{"code": "envelope.invalid"}], "message": "a\x1b[31m\nb",
    }  # fmt: skip
    line = line_of(json.dumps(event).encode())
    assert line.split() == [
        "2026-11-30",
        "23:01:07",
        "-05:00",
        "job.refused",
        "j-1",
        "envelope.invalid",
        "a",
        "[31m",
        "b",
    ]
