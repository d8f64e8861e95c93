"""The demo's jobs: the right ones are right, the wrong ones are wrong in the way they claim."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.payload.validate import validate, validate_document
from worker.cli.demo.factus_view import FactusSaw, agreements, differences
from worker.cli.demo.jobs import DemoJob, generated_jobs, n_jobs_by_account, wrong_jobs
from worker.cli.demo.story import TRACKED, Story, next_radian_code, story

SHARES = {"andina": 20, "caribe": 40}


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_generated_invoices_are_valid_without_a_warning(seed: int) -> None:
    for one in generated_jobs(60, SHARES, seed=seed):
        found = validate_document("invoice", strict_json.parse(one.job.text)["payload"], today=date(2026, 11, 30))
        assert (found.errors, found.warnings) == ((), ())


def test_same_seed_same_jobs_and_shares_are_kept() -> None:
    jobs = generated_jobs(60, SHARES, seed=7)
    assert jobs == generated_jobs(60, SHARES, seed=7)
    assert n_jobs_by_account(jobs) == SHARES
    assert len({one.job.reference for one in jobs}) == 60


@pytest.mark.parametrize("seed", [1, 7])
def test_wrong_payloads_have_one_error_each(seed: int) -> None:
    payloads = [one for one in wrong_jobs("andina", seed=seed) if one.expected_code == "payload.invalid"]
    for one in payloads:
        job = strict_json.parse(one.job.text)
        found = validate_document(JOB_TYPES[job["type"]].family, job["payload"], today=date(2026, 11, 30))
        assert len(found.errors) == 1
    assert len(payloads) == 4


# -- the story ---------------------------------------------------------------------------------------------------------
def validated(job: DemoJob) -> dict[str, Any]:
    return an_event(job, f"{job.job.type.partition('.')[0]}.validated", {"number": f"N-{job.job.id}"})


def an_event(job: DemoJob, type_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": job.job.id, "type": type_, "reference_code": job.job.reference, "data": data}


def played(told: Story) -> list[DemoJob]:
    """Every job, each document being validated as soon as it is pushed."""
    jobs = told.begin()
    for job in jobs:
        if job.job.type.endswith(".issue"):
            jobs += told.go_on(validated(job))
    return jobs


@pytest.mark.parametrize("year", [2026, 2029, 2035])
def test_the_story_is_valid_in_any_year_and_shows_every_family(year: int) -> None:
    today = date(year, 11, 30)
    jobs = [strict_json.parse(one.job.text) for one in played(story("a", "b", today))]
    assert {job["type"] for job in jobs} >= {f"{family}.issue" for family in FAMILIES}
    for job in jobs:
        payload = JOB_TYPES[job["type"]].payload
        assert payload is not None
        assert validate(payload, job["payload"], today=today).errors == (), job


def test_what_speaks_of_a_document_has_its_number() -> None:
    jobs = {one.job.id: strict_json.parse(one.job.text)["payload"] for one in played(story("a", "b", date(2026, 1, 1)))}
    assert jobs["nc"]["bill_number"] == jobs["nd"]["bill_number"] == "N-factura"
    assert jobs["na"]["support_document_number"] == "N-ds"
    assert jobs["en"]["payroll_number"] == "N-ne"


def test_the_story_waits_for_files_and_for_the_acceptance() -> None:
    told = story("a", "b", date(2026, 1, 1))
    jobs = {one.job.id: one for one in played(told)}
    assert told.awaited == {("factura", "archive"), ("ds", "archive"), ("ne", "archive"), ("en", "archive"),
                            ("credito", "radian")}  # fmt: skip
    for job_id in ("factura", "ds", "ne", "en"):
        told.go_on(an_event(jobs[job_id], "invoice.archived", {}))
    bill, codes = jobs["credito"], []
    code = next_radian_code(validated(bill))
    while code:
        codes.append(code)
        seen = an_event(bill, "radian.event", {"event_code": code})
        told.go_on(seen)
        code = next_radian_code(seen)
    assert (bill.job.reference, codes, told.awaited) == (TRACKED, ["030", "032", "033"], set())


def test_what_factus_saw_otherwise_is_a_difference() -> None:
    totals = dict.fromkeys(
        ("duplicate_references", "refused", "conflicts", "rate_limited", "forbidden_deletes", "stored"), 0
    )
    key, note = ("a", "invoice", "R"), ("a", "payroll_adjustment", "E")
    saw = FactusSaw({**totals, "stored": 2, "conflicts": 1}, {key: ("SETP1", None), note: ("NAN1", None)}, {})
    assert differences({key: ("SETP1", None), note: ("NAN1", None)}, saw) == ["Factus counts 1 conflicts"]
    told = {key: ("SETP2", None)}
    assert len(differences(told, saw)) == 4
    assert [one.agrees for one in agreements(told, saw) if one.n_seen] == [False, False]
