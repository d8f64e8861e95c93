"""Whatever an answer holds, a job has an end that can be written down."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jobs.batches import tally_of
from jobs.events import events_of
from jobs.lesser_ends import defect_end, lesser_ends, plain
from jobs.outcomes import Block, Finished, Retry
from schemas.contract.event import ErrorDetail, stream_fields
from tests.records import NOW_MS, a_job

DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]

UNWRITABLE = {
    "a lone surrogate": "\ud800",
    "a key of surrogates": {"\udfff": 1},
    "deep lists": DEEP,
    "what JSON has no form for": object(),
    "a set": {1},
    "a huge integer": 10**5000,
    "a number beyond measure": Decimal("1e300000000"),
    "no number": Decimal("NaN"),
    "bytes": b"x",
}


def written(job, ending) -> dict:
    """The last event of an ending, through UTF-8 and back."""
    events = events_of(job, ending, attempts=1, now_ms=NOW_MS, now=datetime.now(UTC))
    tally_of(events[-1])
    return json.loads(stream_fields(events[-1])["event"].encode().decode())


def best(job, ending) -> dict:
    for one, end in lesser_ends(job, ending):
        try:
            return written(one, end)
        except Exception:  # noqa: BLE001  # as the worker does: any failure leads to the next
            continue
    raise AssertionError("no end could be written")


@pytest.mark.parametrize("what", UNWRITABLE)
@pytest.mark.parametrize("where", ["factus", "qr", "notifications", "total"])
def test_a_validated_document_stays_validated(what, where):
    data = {"number": "SETP1", "total": "1.00", "factus": {"created_at": "x"}, where: UNWRITABLE[what]}
    if where == "factus":
        data["factus"] = {"created_at": "x", "odd": UNWRITABLE[what]}
    event = best(a_job(batch="b"), Finished("validated", "ok", data=data, number="SETP1"))
    assert (event["type"], event["success"], event["data"]["number"]) == ("invoice.validated", True, "SETP1")
    assert event["data"]["factus"]["created_at"] == "x"


@pytest.mark.parametrize("what", ["a lone surrogate"])
@pytest.mark.parametrize("state", ["rejected", "failed"])
def test_a_verdict_stays_with_its_codes(what, state):
    errors = (ErrorDetail.model_construct(code="dian.rejected", message=UNWRITABLE[what], rule="FAK1"),)
    event = best(a_job(), Finished(state, UNWRITABLE[what], errors=errors))
    assert (event["type"], event["errors"][0]["code"]) == (f"invoice.{state}", "dian.rejected")
    assert event["errors"][0]["rule"] == "FAK1"


@pytest.mark.parametrize("what", UNWRITABLE)
def test_a_call_whose_answer_is_lost_has_not_completed(what):
    job = a_job(type="invoice.get", lane="acme/calls", fingerprint="")
    event = best(job, Finished("completed", "ok", data={"rows": UNWRITABLE[what]}, number="SETP1"))
    if not event["success"]:
        assert event["errors"][0]["code"] == "internal"
        assert "SETP1" in event["message"]
    else:
        assert event["data"]["rows"] is not None, "some odd numbers can be written as they are"


@pytest.mark.parametrize("field", ["metadata", "options", "warnings", "payload", "batch", "reference_code", "id"])
@pytest.mark.parametrize("damage", ["\udcff", "{", "[1]", "x" * 100_000])
def test_a_damaged_record_has_an_end(field, damage):
    job = a_job(**{field: damage})
    event = best(job, defect_end(plain(job), "SETP1"))
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "internal")
    assert "SETP1" in event["message"]


def test_the_last_end_can_always_be_written():
    texts = ["", "x", "\udcff", "{", "\x00"]
    for id_, reference, batch, metadata in itertools.product(texts, repeat=4):
        job = a_job(id=id_, reference_code=reference, batch=batch, metadata=metadata, number=batch)
        *_, (last, end) = lesser_ends(job, Finished("completed", "ok", data={"x": object()}))
        assert written(last, end)["errors"][0]["code"] == "internal"


def test_a_defect_says_what_factus_may_have():
    assert "SETP7" in defect_end(a_job(number="SETP7")).message
    assert "puede tener" in defect_end(a_job(sent="sending")).message
    assert "Factus" not in defect_end(a_job()).message


def test_an_open_job_is_kept_open_with_less():
    reason = ErrorDetail.model_construct(code="factus.unavailable", message="\ud800", field=None, rule=None)
    block = Block("invoice", reason)
    ending = Retry("lane", 1.0, reason, "unknown", pending=True, number="\ud800", block=block, progress="{}")
    *_, (_, lesser) = lesser_ends(a_job(), ending)
    assert (lesser.waits, lesser.sent, lesser.pending, lesser.progress) == ("lane", "unknown", True, None)
    assert lesser.reason.message == lesser.number == lesser.block.error.message == "?"
