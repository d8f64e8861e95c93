"""Ids of entries: what a stream of Redis can have, and nothing else."""

from __future__ import annotations

import pytest

from worker.store.entry_ids import LAST_PART, is_whole_entry_id, read_entry_id


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1795622401234-3", (1795622401234, 3)),
        ("1795622401234", (1795622401234, None)),
        ("0-0", (0, 0)),
        ("007-01", (7, 1)),
        (f"{LAST_PART}-{LAST_PART}", (LAST_PART, LAST_PART)),
        (str(LAST_PART), (LAST_PART, None)),
    ],
)
def test_what_redis_takes(text: str, found: tuple[int, int | None]) -> None:
    assert read_entry_id(text) == found
    assert is_whole_entry_id(text) is (found[1] is not None)


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "+", "$", "*", ">", "1-", "-1", "1-2-3", "1--2", "1-*", "(1-0", " 1-0", "1-0\n", "1_0-0", "+1-0",
        "1.0", str(LAST_PART + 1), f"{LAST_PART + 1}-0", f"1-{LAST_PART + 1}", "9" * 20, "9" * 5000, "0" * 21,
        "١٢٣", "١-٠", "1-١", "१२३-०", "１２３-０", "²-1",
    ],
)  # fmt: skip
def test_what_it_does_not(text: str) -> None:
    assert read_entry_id(text) is None
    assert not is_whole_entry_id(text)
