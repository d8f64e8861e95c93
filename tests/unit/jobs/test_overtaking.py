"""Which jobs may be taken in before those that were pushed earlier: only where nobody can tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.overtaking import LookAhead, outline_of

BILL = {"type": "invoice.issue", "account": "acme", "payload": {"reference_code": "B"}}
SALE = {"type": "invoice.issue", "account": "acme", "priority": "high", "payload": {"reference_code": "S"}}


def seen(*jobs: dict[str, Any] | bytes, most: int = 100) -> tuple[LookAhead, list[bool]]:
    """Entries ``1-0``, ``2-0`` ... of one stream, in their order, and which of them pass those before them."""
    ahead = LookAhead(most)
    raws = [job if isinstance(job, bytes) else json.dumps(job).encode() for job in jobs]
    passes = [ahead.may_pass(f"{n}-0", outline_of(raw, "", "acme")) for n, raw in enumerate(raws, 1)]
    return ahead, passes


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


def test_what_was_taken_in_is_in_nobody_s_way():
    ahead, _ = seen(b"{", BILL | {"id": "sale"}, BILL)
    outline = outline_of(json.dumps(SALE | {"id": "sale"}).encode(), "", "acme")
    ahead.taken("1-0")
    assert not ahead.may_pass("4-0", outline)
    ahead.taken("4-0")
    assert ahead.may_pass("5-0", outline)


def test_a_newer_one_of_the_same_kind_stays_in_the_way():
    ahead, _ = seen(BILL | {"id": "sale"}, BILL | {"id": "sale"})
    ahead.taken("1-0")
    assert not ahead.may_pass("3-0", outline_of(json.dumps(SALE | {"id": "sale"}).encode(), "", "acme"))


def test_one_that_stays_after_all_keeps_those_of_its_lane_behind_it():
    ahead, (_, passes) = seen(BILL, SALE)
    assert passes
    other = outline_of(json.dumps(SALE | {"payload": {"reference_code": "S2"}}).encode(), "", "acme")
    ahead.stays("2-0", outline_of(json.dumps(SALE).encode(), "", "acme"))
    assert not ahead.may_pass("3-0", other)
    ahead.taken("3-0")
    assert ahead.may_pass("4-0", other)


def test_the_owner_of_a_stream_is_the_account_of_those_that_name_none():
    sale = {key: value for key, value in SALE.items() if key != "account"}
    ahead = LookAhead(10)
    stays = json.dumps({**SALE, "account": "own", "batch": "L"}).encode()
    assert not ahead.may_pass("1-0", outline_of(stays, "own", None))
    other = json.dumps({**sale, "payload": {"reference_code": "S2"}}).encode()
    assert not ahead.may_pass("2-0", outline_of(other, "own", None))


def test_it_is_full_until_something_is_taken_in():
    ahead, _ = seen(BILL, BILL, most=2)
    assert ahead.is_full
    ahead.taken("1-0")
    assert not ahead.is_full
