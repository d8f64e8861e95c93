"""Days and instants that a job may name, however far away."""

from __future__ import annotations

import pytest

from tests.builders import fiscal_day
from tests.contract.pushed import a_job
from tests.service_in_process import running, services_on

NEVER = {
    "the customary never": {"issue_on": "9999-12-31"},
    "its instant": {"not_before": "9999-12-31T23:59:59-12:00"},
    "its end": {"expires_at": "9999-12-31T23:59:59Z"},
    "both, west of everything": {"not_before": "9999-12-31T00:00:00-23:59", "expires_at": "9999-12-31T23:59:59-23:59"},
    "401 days": {"issue_on": str(fiscal_day(402))},
    "a fraction without end": {"not_before": "2026-11-30T08:00:00." + "1" * 5000 + "Z"},
}


@pytest.mark.parametrize("when", NEVER.values(), ids=NEVER)
async def test_days_and_instants_have_a_horizon(redis, namespace, factus, when):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(a_job("far", id="far", **when))
        await rig.push_bill("A")
        refused, validated = await rig.events(2)
    assert (refused["type"], refused["job_id"]) == ("job.refused", "far")
    assert {error["code"] for error in refused["errors"]} == {"envelope.invalid"}
    assert {error["field"] for error in refused["errors"]} == {f"envelope.{name}" for name in when}
    assert validated["reference_code"] == "A"


LONG_AGO = {
    "year one": {"expires_at": "0001-01-01T00:00:00+23:59"},
    "before 1970": {"expires_at": "1969-12-31T23:59:59Z"},
}


@pytest.mark.parametrize("when", LONG_AGO.values(), ids=LONG_AGO)
async def test_what_expired_long_ago_has_expired(redis, namespace, factus, when):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(a_job("old", **when))
        (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "job.expired")


async def test_a_day_of_the_past_is_missed_however_long_ago(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(a_job("old", issue_on="0001-01-01", not_before="0001-01-01T00:00:00-23:59"))
        (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "date.missed")
