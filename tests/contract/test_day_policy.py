"""``FACTUS_DAY_POLICY`` from the push to the event: which day a document carries, and what is said when it moved."""

from __future__ import annotations

import json
import time

import pytest

from tests.builders import a_bill
from tests.service_in_process import an_account

DAY_MS = 86_400_000
PUSH = an_account(day_policy="push")


async def push_at(rig, at_ms, reference, **envelope):
    job = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code=reference), **envelope}
    await rig.services.redis.xadd(rig.services.keys.jobs(), {"job": json.dumps(job)}, id=f"{at_ms}-0")


def codes(event):
    return [warning["code"] for warning in event["data"]["warnings"]]


async def test_with_free_one_that_waited_over_midnight_goes_out_and_says_so(rig):
    await push_at(rig, int(time.time() * 1000) - DAY_MS, "late")
    await rig.push_bill("today")
    late, today = await rig.events(2)
    assert (late["type"], codes(late).count("date.moved"), codes(today).count("date.moved")) == (
        "invoice.validated",
        1,
        0,
    )


@pytest.mark.service(PUSH)
async def test_with_push_one_that_waited_over_midnight_is_missed(rig, factus):
    await push_at(rig, int(time.time() * 1000) - DAY_MS, "late")
    await rig.push_bill("today")
    found = {event["reference_code"]: event for event in await rig.events(2)}
    assert found["late"]["type"] == "invoice.failed"
    assert found["late"]["errors"][0]["code"] == "date.missed"
    assert found["today"]["type"] == "invoice.validated"
    assert factus.order == ["today"]


@pytest.mark.service(PUSH)
async def test_with_push_the_same_job_on_another_day_is_the_same_job(rig, factus):
    """Pushed yesterday and missed; pushed again with its id today it is known. Under no id it is a new attempt."""
    await push_at(rig, int(time.time() * 1000) - DAY_MS, "R", id="one")
    (missed,) = await rig.events(1)
    await rig.push_bill("R", id="one")
    await rig.taken_in()
    await rig.push_bill("R")
    (issued,) = await rig.events(1)
    assert (missed["type"], issued["type"]) == ("invoice.failed", "invoice.validated")


async def test_a_push_that_is_answered_from_the_ledger_tells_what_its_document_told(rig):
    await push_at(rig, int(time.time() * 1000) - DAY_MS, "R")
    (first,) = await rig.events(1)
    await rig.push_bill("R")
    (again,) = await rig.events(1)
    assert again["data"]["replayed"]
    assert codes(again) == codes(first)
    assert "date.moved" in codes(again)
