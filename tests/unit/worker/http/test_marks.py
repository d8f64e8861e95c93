"""Where a reader of several streams stands: nothing is lost and nothing told twice, however the clock goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from worker.http.marks import END, LAST, START, Clock, Mark, Place, Turn, before, is_mark, mark_of, turn

STREAMS = ("n:results", "n:radian", "n:results:own")
HOUR_MS = 3_600_000


@dataclass
class Server:
    """Streams that give ids as Redis does: by the clock, and never below their last."""

    now_ms: int = 1_000_000_000
    streams: dict[str, list[tuple[Place, str]]] = field(default_factory=lambda: {one: [] for one in STREAMS})
    n: int = 0

    def last(self, stream: str) -> Place:
        return self.streams[stream][-1][0] if self.streams[stream] else START

    def publish(self, stream: str) -> None:
        last = self.last(stream)
        place = (self.now_ms, 0) if last[0] < self.now_ms else (last[0], last[1] + 1)
        self.streams[stream].append((place, f"{stream}/{self.n}"))
        self.n += 1

    def read(self, mark: Mark, count: int, random: Random | None = None) -> tuple[Mark, Turn[str]]:
        """With *random* the streams are read one after the other, and something may be published meanwhile."""
        mark = mark.by_the_clock(self.now_ms, {stream: self.last(stream) for stream in STREAMS})
        places = {stream: mark.of(stream) for stream in STREAMS}
        before_ms = self.now_ms
        read: dict[str, list[tuple[Place, str]]] = {}
        for stream, rows in self.streams.items():
            read[stream] = [row for row in rows if row[0] > places[stream]][:count]
            while random and random.random() < 0.3:
                self.now_ms += random.choice((0, 1, 2))
                self.publish(random.choice(STREAMS))
        full = [stream for stream, rows in read.items() if len(rows) >= count]
        return mark, turn(places, read, full, Clock(before_ms, self.now_ms))

    def all(self) -> set[str]:
        return {one for rows in self.streams.values() for _, one in rows}


def told_behind(server: Server, mark: Mark, count: int) -> list[str]:
    told: list[str] = []
    while True:
        mark, found = server.read(mark, count)
        told += [row.one for row in found.rows]
        mark = found.upto if found.rows else mark
        if not found.has_more:
            return told
        server.now_ms += not found.rows  # a millisecond that is not over is waited for


def step(server: Server, random: Random, mark: Mark, told: list[str], count: int) -> Mark:
    """Something happens; whoever reads sees where the clock stands before anything is published by it."""
    if random.random() < 0.1:
        server.now_ms -= random.choice((1, 5, 50, HOUR_MS))
    elif random.random() < 0.6:
        server.now_ms += random.choice((0, 1, 1, 7, 100, HOUR_MS // 2))
    if random.random() < 0.7:
        mark, found = server.read(mark, count, random)
        told += [row.one for row in found.rows]
        mark = found.upto if found.rows else mark
    elif mark.base <= before(server.now_ms):
        server.publish(random.choice(STREAMS))
    return mark


@pytest.mark.parametrize("seed", range(200))
def test_each_entry_is_told_once_whatever_the_clock_does(seed: int) -> None:
    random = Random(seed)
    server, told, mark, count = Server(), [], Mark(START), random.choice((1, 2, 3, 128))
    for _ in range(300):
        mark = step(server, random, mark, told, count)
        text = mark.text()
        assert is_mark(text)
        mark = mark_of(text, STREAMS)  # as of a client that comes back
    server.now_ms += 1
    told += told_behind(server, mark, count)
    assert len(told) == len(set(told)), "told twice"
    assert {*told} == server.all()


@pytest.mark.parametrize("seed", range(50))
def test_whoever_is_cut_off_behind_any_entry_gets_the_rest(seed: int) -> None:
    """Of several with one id the last alone is a place to go on from."""
    random = Random(seed)
    server = Server()
    for _ in range(60):
        server.now_ms -= HOUR_MS if random.random() < 0.05 else -random.choice((0, 1, 3))
        server.publish(random.choice(STREAMS))
    server.now_ms += 1
    rows = server.read(Mark(START), 128)[1].rows
    assert len(rows) == 60
    for n, row in enumerate(rows[:-1]):
        if rows[n + 1].place != row.place:
            rest = told_behind(server, mark_of(row.mark.text(), STREAMS), 5)
            assert sorted(rest) == sorted(one.one for one in rows[n + 1 :])


def test_as_long_as_nothing_lies_ahead_a_place_is_an_id() -> None:
    server = Server()
    for stream in STREAMS * 3:
        server.publish(stream)
        server.now_ms += 1
    rows = server.read(Mark(START), 128)[1].rows
    assert [row.mark.text() for row in rows] == [f"{row.place[0]}-{row.place[1]}" for row in rows]


def test_the_millisecond_that_is_not_over_is_waited_for() -> None:
    server = Server()
    server.publish(STREAMS[0])
    _, found = server.read(Mark(START), 128)
    assert (found.rows, found.has_more) == ([], True)
    server.now_ms += 1
    _, found = server.read(Mark(START), 128)
    assert (len(found.rows), found.has_more) == (1, False)


def test_now_is_behind_all_that_is_there_and_before_all_that_comes() -> None:
    server = Server(now_ms=1_000_000_000 + HOUR_MS)
    server.publish(STREAMS[0])
    server.now_ms -= HOUR_MS
    mark, found = server.read(mark_of("$", STREAMS), 128)
    assert not found.rows
    for stream in STREAMS:
        server.publish(stream)
    server.now_ms += 1
    assert sorted(told_behind(server, mark, 128)) == sorted(f"{stream}/{n}" for n, stream in enumerate(STREAMS, 1))


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark((5, 0), {STREAMS[0]: (9, 1), STREAMS[2]: (9, 2)})
    assert mark_of(mark.text(), STREAMS) == mark
    assert mark_of(mark.text(), STREAMS[:2]) == Mark((5, 0), {STREAMS[0]: (9, 1)}), "of an account that left"
    assert "own" not in mark.text()


@pytest.mark.parametrize(
    "text",
    ["", "5.", "5.abc.1", "5.0123456g.1", "5.01234567", "5.01234567.", f"5.01234567.{LAST + 1}", "$.01234567.1", "5\n"],
)
def test_what_is_no_mark(text: str) -> None:
    assert not is_mark(text)


def test_the_end_of_all_places_is_one() -> None:
    assert is_mark(f"{LAST}-{LAST}")
    assert mark_of(f"{LAST}-{LAST}", STREAMS) == Mark(END) == mark_of("$", STREAMS)
