"""
What this process has left to another worker is remembered for as long as it is pending.
"""

from __future__ import annotations

from jobs.entry import Entry
from worker.intake.left_entries import LeftEntries


def an_entry(id_: str, stream: str = "jobs") -> Entry:
    return Entry(stream, id_, b"{}", "")


def test_an_entry_is_left_since_it_was_first_seen():
    left, entry = LeftEntries(), an_entry("1-0")
    assert entry not in left
    assert left.note(entry, "b") == 0
    assert entry in left
    assert left.note(entry, "b") > 0
    left.forget(entry)
    assert entry not in left
    assert left.note(entry, "b") == 0


def test_what_another_worker_has_taken_in_is_forgotten():
    left, ids = LeftEntries(), [f"{n}-0" for n in range(10)]
    for id_ in ids:
        left.note(an_entry(id_), "b")
        left.note(an_entry(id_, "jobs:acme"), "b")
    left.keep_only("jobs", [b"3-0", b"4-0", b"99-0"])
    assert [id_ for id_ in ids if an_entry(id_) in left] == ["3-0", "4-0"]
    assert all(an_entry(id_, "jobs:acme") in left for id_ in ids), "ids of another stream say nothing of it"
    left.keep_only("jobs", [])
    assert not any(an_entry(id_) in left for id_ in ids)


def test_what_is_left_stays_so_for_as_long_as_its_account_is_awaited():
    left = LeftEntries()
    left.note(an_entry("1-0"), "b")
    asked = []

    def is_awaited(account: str, left_s: float) -> bool:
        asked.append((account, left_s >= 0))
        return len(asked) == 1

    assert left.still("jobs", b"1-0", is_awaited)
    assert not left.still("jobs", b"1-0", is_awaited), "its worker stays away: it is examined again"
    assert not left.still("jobs", b"2-0", is_awaited)
    assert asked == [("b", True)] * 2
