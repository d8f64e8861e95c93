"""Whatever waits in a stream, in steps of whatever size: a sale passes where nobody can tell, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from jobs.entry import Entry
from jobs.overtaking import outline_of
from worker.intake.lookout import Lookout
from worker.intake.policy import IntakePolicy

BROKEN = b'{"priority":"high"'


def an_entry(kind, priority, reference, id_, family, batch):
    if kind == "another form":
        return b""
    if kind == "broken":
        return BROKEN
    job = {"type": f"{family}.issue", "account": "acme", "payload": {"reference_code": reference}}
    job |= {key: value for key, value in (("priority", priority), ("id", id_), ("batch", batch)) if value}
    return json.dumps(job).encode()


ENTRIES = st.lists(
    st.builds(
        an_entry,
        st.sampled_from(["job"] * 18 + ["another form", "broken"]),
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

    async def look_over(self, stream, after):
        left = self.waiting(after)
        return (id_of(left[-1]) if left else ""), [id_of(n) for n in left if b"high" in self.raws[n]]

    async def ahead(self, stream, after, up_to):
        return [(id_of(n), self.raws[n]) for n in self.waiting(after, int(up_to.partition("-")[0]))]

    async def claimed(self, stream, ids):
        return len(ids), [Entry(stream, id_.decode(), self.raws[int(id_.split(b"-")[0]) - 1]) for id_ in ids]


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


async def play(stream, steps):
    """Look, and take in, in turns; then look until nothing new is found."""
    lookout = Lookout(stream, IntakePolicy(), lambda: None)
    for step in (*steps, *["look"] * 2 * len(stream.raws)):
        if step == "look":
            lookout.begin("s")
            for entry, _ in await lookout.found():
                n = int(entry.id.partition("-")[0]) - 1
                assert may_pass(stream, n)
                stream.passed.add(n)
        elif step and stream.n_taken < len(stream.raws):
            stream.n_taken = min(stream.n_taken + step, len(stream.raws))
            lookout.taken("s", id_of(stream.n_taken - 1))


@given(ENTRIES, st.integers(1, 8), STEPS)
def test_none_passes_what_it_must_not(raws, look_entries, steps):
    asyncio.run(play(Stream(raws, look_entries), steps))


@given(ENTRIES, st.integers(1, 8))
def test_each_that_may_passes(raws, look_entries):
    stream = Stream(raws, look_entries)
    asyncio.run(play(stream, []))
    # In the order of the stream, each beside those that have passed before it.
    expected = Stream(raws, look_entries)
    for n in range(len(raws)):
        if may_pass(expected, n, beside_passed=True):
            expected.passed.add(n)
    assert stream.passed == expected.passed
