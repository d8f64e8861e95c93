"""The demo's jobs: the right ones are right, the wrong ones are wrong in the way they claim."""

from __future__ import annotations

from datetime import date

import pytest

from schemas import strict_json
from schemas.preflight import preflight
from worker.operating.demo_jobs import generated_jobs, n_jobs_by_account, wrong_jobs

SHARES = {"andina": 20, "caribe": 40}


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_generated_invoices_are_valid_without_a_warning(seed: int) -> None:
    for one in generated_jobs(60, SHARES, seed=seed):
        found = preflight("invoice", strict_json.parse(one.job.text)["payload"], today=date(2026, 11, 30))
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
        found = preflight("invoice", strict_json.parse(one.job.text)["payload"], today=date(2026, 11, 30))
        assert len(found.errors) == 1
    assert len(payloads) == 3
