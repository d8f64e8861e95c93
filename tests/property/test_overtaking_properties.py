"""Whatever waits in a stream, in steps of whatever size: a sale passes where nobody can tell, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from jobs.entry import Entry
from jobs.overtaking import outline_of
from worker.intake.lookout import Lookout
from worker.intake.policy import IntakePolicy

BROKEN = b'{"priority":"high"'
CANCELS = b'{"type":"job.cancel","account":"acme","payload":{"batch":"L"}}'


def an_entry(kind, priority, reference, id_, family, batch):
    if kind == "another form":
        return b""
    if kind in ("broken", "cancels"):
        return BROKEN if kind == "broken" else CANCELS
    job = {"type": f"{family}.issue", "account": "acme", "payload": {"reference_code": reference}}
    job |= {key: value for key, value in (("priority", priority), ("id", id_), ("batch", batch)) if value}
    return json.dumps(job).encode()


ENTRIES = st.lists(
    st.builds(
        an_entry,
        st.sampled_from(["job"] * 18 + ["another form", "broken", "cancels"]),
        st.sampled_from(["high", "low", None]),
        st.sampled_from("ABCDEFGH"),
        st.sampled_from([None] * 8 + ["x", "y"]),
        st.sampled_from(["invoice", "credit_note"]),
        st.sampled_from([None] * 8 + ["L"]),
    ),
    min_size=3,
    max_size=25,
)
STEPS = st.lists(st.one_of(st.just("look"), st.integers(0, 3)), max_size=30)


@dataclass
class Stream:
    """The reader's side of a stream in memory, a few entries at a time."""

    raws: list[bytes]
    look_entries: int
    meanwhile: list[int] = field(default_factory=list)
    """How many entries are taken in after each question, while a look goes on."""

    taken: Callable[[str, str], None] = lambda *_: None
    n_taken: int = 0
    passed: set[int] = field(default_factory=set)

    def is_operators(self, stream):
        return False

    def owner_of(self, stream):
        return ""

    def waiting(self, after, up_to=10**9):
        first = int(after.partition("-")[0] or 0)
        left = range(max(first, self.n_taken), min(up_to, len(self.raws)))
        return [n for n in left if n not in self.passed][: self.look_entries]

    def take_in(self, n):
        if n and self.n_taken < len(self.raws):
            self.n_taken = min(self.n_taken + n, len(self.raws))
            self.taken("s", id_of(self.n_taken - 1))

    def asked(self):
        self.take_in(self.meanwhile.pop() if self.meanwhile else 0)

    async def look_over(self, stream, after):
        left = self.waiting(after)
        self.asked()
        return (id_of(left[-1]) if left else ""), len(left), [id_of(n) for n in left if b"high" in self.raws[n]]

    async def in_the_way(self, stream, after, up_to, texts):
        left = self.waiting(after, int(up_to.partition("-")[0]))
        self.asked()
        return (id_of(left[-1]) if left else ""), [
            (id_of(n), self.raws[n]) for n in left if may_be_in_the_way(self.raws[n], texts)
        ]

    async def claimed(self, stream, ids):
        places = [int(id_.split(b"-")[0]) - 1 for id_ in ids[: self.look_entries]]
        there = [n for n in places if n >= self.n_taken and n not in self.passed]
        self.asked()
        return len(places), [Entry(stream, id_of(n), self.raws[n], n_jobs=1 if self.raws[n] else 2) for n in there]


def may_be_in_the_way(raw, texts):
    """What the server has to tell (``tests/contract/test_in_the_way.py``)."""
    uses = outline_of(raw, "", None).uses
    return ("wall",) in uses or any(use[-1].encode() in texts for use in uses)


def id_of(n):
    return f"{n + 1}-0"


def may_pass(stream, n, *, beside_passed=False):
    """
    By looking at all that it passes.

    Args:
        beside_passed: Whether those that have passed count as well, for their ids and documents: nobody reads them
            again before their own turn.
    """
    own = outline_of(stream.raws[n], "", None)
    uses = {*own.uses, own.lane, ("wall",)}
    for earlier in range(stream.n_taken, n):
        other = outline_of(stream.raws[earlier], "", None)
        if earlier in stream.passed:
            in_its_way = set(other.uses) if beside_passed else set()
        else:
            in_its_way = {*other.uses, other.lane} - {None}
        if uses & in_its_way:
            return False
    return own.is_document


async def play(stream, steps, at_once=1000):
    """Look, and take in, in turns; then look until nothing new is found."""
    lookout = Lookout(stream, IntakePolicy(look_entries=at_once), lambda: None)
    stream.taken = lookout.taken
    for step in (*steps, *["look"] * 2 * len(stream.raws)):
        if step == "look":
            lookout.begin("s")
            for entry, _ in await lookout.found():
                n = int(entry.id.partition("-")[0]) - 1
                assert may_pass(stream, n)
                stream.passed.add(n)
        else:
            stream.take_in(step)


FEW = st.integers(1, 8)


@given(ENTRIES, FEW, FEW, STEPS)
def test_none_passes_what_it_must_not(raws, look_entries, at_once, steps):
    asyncio.run(play(Stream(raws, look_entries), steps, at_once))


@given(ENTRIES, FEW, FEW, STEPS, st.lists(st.sampled_from([0, 0, 0, 1, 2]), max_size=60))
def test_nor_where_entries_are_taken_in_while_a_look_goes_on(raws, look_entries, at_once, steps, meanwhile):
    asyncio.run(play(Stream(raws, look_entries, meanwhile), steps, at_once))


@given(ENTRIES, FEW, FEW)
def test_each_that_may_passes(raws, look_entries, at_once):
    stream = Stream(raws, look_entries)
    asyncio.run(play(stream, [], at_once))
    # In the order of the stream, each beside those that have passed before it.
    expected = Stream(raws, look_entries)
    for n in range(len(raws)):
        if may_pass(expected, n, beside_passed=True):
            expected.passed.add(n)
    assert stream.passed == expected.passed
