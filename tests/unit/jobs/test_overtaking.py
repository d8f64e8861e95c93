"""Which jobs may be taken in before those that were pushed earlier: only where nobody can tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.overtaking import LookAhead, Outlined, outline_of, texts_of, wanted_of

BILL = {"type": "invoice.issue", "account": "acme", "payload": {"reference_code": "B"}}
SALE = {"type": "invoice.issue", "account": "acme", "priority": "high", "payload": {"reference_code": "S"}}


def raw_of(job: dict[str, Any] | bytes) -> bytes:
    return job if isinstance(job, bytes) else json.dumps(job).encode()


def outlined(*jobs: dict[str, Any] | bytes, first: int = 1) -> list[Outlined]:
    """Entries ``1-0``, ``2-0`` ... of one stream, in their order."""
    return [(f"{n}-0", outline_of(raw_of(job), "", "acme")) for n, job in enumerate(jobs, first)]


def seen(*jobs: dict[str, Any] | bytes) -> tuple[LookAhead, list[bool]]:
    """What is known of these, and which of them pass those before them; those that cannot be sales stand beside."""
    ahead = LookAhead(100)
    are_read = [b"high" in raw_of(job) for job in jobs]
    entries = list(zip(outlined(*jobs), are_read, strict=True))
    passing = ahead.decide(
        [one for one, is_read in entries if is_read], [one for one, is_read in entries if not is_read]
    )
    return ahead, [id_ in passing for (id_, _), _ in entries]


def passes_next(ahead: LookAhead, n: int, job: dict[str, Any]) -> bool:
    """Whether one that is read later passes, where nothing else stands before it."""
    return bool(ahead.decide(outlined(job, first=n), []))


def passes_behind(*jobs: dict[str, Any] | bytes) -> bool:
    return seen(*jobs)[1][-1]


def test_a_sale_passes_what_was_pushed_before_it():
    assert passes_behind(BILL, BILL, SALE)


def test_a_second_sale_of_the_lane_passes_behind_the_first():
    assert seen(BILL, SALE, {**SALE, "payload": {"reference_code": "S2"}})[1] == [False, True, True]


STAYS = {
    "normal priority": {**SALE, "priority": "normal"},
    "low priority": {**SALE, "priority": "low"},
    "no priority": {**BILL},
    "a null for one": {**SALE, "priority": None},
    "a batch": {**SALE, "batch": "L"},
    "a call": {**SALE, "type": "invoice.email"},
    "an unknown type": {**SALE, "type": "invoice.sell"},
    "a type that is no text": {**SALE, "type": ["invoice.issue"]},
    "cancelling": {"type": "job.cancel", "account": "acme", "priority": "high", "payload": {"job_id": "x"}},
}


@pytest.mark.parametrize("job", STAYS.values(), ids=STAYS)
def test_only_a_document_of_high_priority_without_a_batch_passes(job):
    assert not passes_behind(BILL, job)


def test_null_is_no_batch():
    assert passes_behind(BILL, {**SALE, "batch": None})


SAME = {
    "its reference": BILL | {"payload": {"reference_code": "S"}},
    "its reference, written otherwise": json.dumps(BILL | {"payload": {"reference_code": "S"}})
    .replace('"S"', '"\\u0053"')
    .encode(),
    "its reference, in another account": BILL | {"account": "other", "payload": {"reference_code": "S"}},
    "a call about its document": {"type": "invoice.delete", "payload": {"reference_code": "S"}},
    "its id": BILL | {"id": "sale"},
    "a refused job with its id": {"type": "invoice.sell", "id": "sale"},
    "somebody who cancels": {"type": "job.cancel", "account": "acme", "payload": {"batch": "L"}},
    "no JSON": b"{",
    "another form of entry": b"",
    "a list": b"[]",
    "repeated keys": b'{"type":"invoice.issue","id":"a","id":"sale"}',
    "an older sale that stays": SALE | {"batch": "L", "payload": {"reference_code": "T"}},
    "the same in the default account": {"type": "invoice.issue", "priority": "high", "batch": "L", "payload": {}},
}


@pytest.mark.parametrize("earlier", SAME.values(), ids=SAME)
def test_it_does_not_pass(earlier):
    assert not passes_behind(BILL, earlier, BILL, SALE | {"id": "sale"})


APART = {
    "another reference": BILL,
    "a document of another family": {"type": "credit_note.issue", "payload": {"reference_code": "S"}},
    "an older sale of another account that stays": SALE | {"account": "other", "batch": "L", "payload": {}},
    "an older sale of another family that stays": SALE | {"type": "credit_note.issue", "batch": "L", "payload": {}},
}


@pytest.mark.parametrize("earlier", APART.values(), ids=APART)
def test_it_passes(earlier):
    assert passes_behind(BILL, earlier, SALE | {"id": "sale"})


STAYING = {
    "a wall": b'{"priority":"high"',
    "one with its id": BILL | {"id": "sale", "observation": "high"},
    "one with its reference": BILL | {"payload": {"reference_code": "S", "observation": "high"}},
    "an older sale that stays": SALE | {"batch": "L", "payload": {"reference_code": "T"}},
}


@pytest.mark.parametrize("earlier", STAYING.values(), ids=STAYING)
def test_what_was_taken_in_is_in_nobody_s_way(earlier):
    sale = SALE | {"id": "sale"}
    ahead, _ = seen(earlier, BILL)
    assert not passes_next(ahead, 4, sale)
    ahead.taken("4-0")
    assert passes_next(ahead, 5, sale)


@pytest.mark.parametrize("earlier", STAYING.values(), ids=STAYING)
def test_a_newer_one_of_the_same_kind_stays_in_the_way(earlier):
    ahead, _ = seen(earlier, earlier)
    ahead.taken("1-0")
    assert not passes_next(ahead, 3, SALE | {"id": "sale"})


def test_one_that_has_passed_keeps_its_id_and_its_document_until_it_is_taken_in():
    """Nobody has written it yet: what has one of them in common with it stays behind it."""
    ahead, passes = seen(BILL, SALE | {"id": "sale"})
    assert passes == [False, True]
    assert not passes_next(ahead, 3, SALE | {"id": "sale", "payload": {"reference_code": "other"}})
    ahead, _ = seen(BILL, SALE)
    assert not passes_next(ahead, 3, SALE | {"id": "other"})


def test_one_that_stays_after_all_keeps_those_of_its_lane_behind_it():
    ahead, (_, passes) = seen(BILL, SALE)
    assert passes
    other = SALE | {"payload": {"reference_code": "S2"}}
    ahead.stays(*outlined(SALE, first=2)[0])
    assert not passes_next(ahead, 3, other)
    ahead.taken("3-0")
    assert passes_next(ahead, 4, other)


def test_what_stands_behind_it_is_not_in_its_way():
    (first, second) = outlined(SALE, SALE | {"payload": {"reference_code": "S2"}})
    others = [("1-5", outline_of(b"{", "", "acme"))]
    assert LookAhead(10).decide([first, second], others) == ["1-0"]
    assert LookAhead(10).decide([first], others) == ["1-0"]


def test_the_owner_of_a_stream_is_the_account_of_those_that_name_none():
    sale = {key: value for key, value in SALE.items() if key != "account"}
    stays = json.dumps({**SALE, "account": "own", "batch": "L"}).encode()
    other = json.dumps({**sale, "payload": {"reference_code": "S2"}}).encode()
    read = [(f"{n}-0", outline_of(raw, "own", None)) for n, raw in enumerate((stays, other), 1)]
    assert LookAhead(10).decide(read, []) == []


def test_it_is_full_until_what_one_look_saw_is_taken_in():
    ahead = LookAhead(10)
    ahead.look_over("4-0", 4, [])
    ahead.look_over("10-0", 6, [])
    assert ahead.is_full
    ahead.taken("3-0")
    assert ahead.is_full
    ahead.taken("4-0")
    assert not ahead.is_full


def test_a_look_that_found_nothing_more_leaves_it_as_it_was():
    ahead = LookAhead(10)
    ahead.look_over("4-0", 4, ["2-0"])
    ahead.look_over("", 0, [])
    assert (ahead.looked_over, ahead.undecided(9)) == ("4-0", ["2-0"])


def test_what_was_taken_in_meanwhile_is_not_decided_upon():
    ahead = LookAhead(10)
    ahead.taken("2-0")
    ahead.look_over("4-0", 4, ["1-0", "2-0", "3-0", "4-0"])
    assert ahead.undecided(9) == ["3-0", "4-0"]
    ahead.taken("3-0")
    assert ahead.undecided(9) == ["4-0"]
    ahead.reached("4-0")
    assert ahead.undecided(9) == []


def test_texts_are_those_of_what_may_pass_as_they_are_written():
    sales = [outline_of(raw_of(job), "", None) for job in (SALE | {"id": 7}, BILL | {"id": "x"})]
    odd = outline_of(
        b'{"type":"invoice.issue","priority":"high","id":"\\ud800","payload":{"reference_code":"\xc3\xb1"}}', "", None
    )
    assert texts_of(wanted_of(sales)) == [b"7", b"S"]
    assert texts_of(wanted_of([odd])) == [b"\xc3\xb1", b"\xed\xa0\x80"]
