"""Which events count, and under which name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.event_counts import count_field, read_field
from jobs.registry import JOB_TYPES
from schemas.contract.event import Event

PLAIN = {
    "id": "e", "seq": 1, "time": datetime(2026, 11, 30, tzinfo=UTC), "job_id": "j", "account": "acme",
    "reference_code": "R", "batch": None, "metadata": {}, "attempts": 1, "success": True, "message": "", "data": None,
    "errors": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "job_type", "field"),
    [
        ("invoice.validated", "invoice.issue", "invoice.issue/validated"),
        ("invoice.rejected", "invoice.issue", "invoice.issue/rejected"),
        ("payroll.failed", "payroll.issue", "payroll.issue/failed"),
        ("invoice.download.completed", "invoice.download", "invoice.download/completed"),
        ("job.refused", "invoice.issue", "invoice.issue/refused"),
        ("job.refused", None, "unknown/refused"),
        ("job.refused", "ERP-2026-000123/validated", "unknown/refused"),
        ("invoice.pending", "invoice.issue", ""),
        ("invoice.archived", "invoice.issue", ""),
        ("radian.accepted", "invoice.issue", ""),
    ],
)
def test_an_event_counts_by_its_type_and_how_it_ended(type_, job_type, field):
    assert count_field(Event(**PLAIN, type=type_, job_type=job_type)) == field


@pytest.mark.parametrize("type_", ["batch.completed", "account.blocked", "day.at_risk"])
def test_what_is_told_to_operators_counts_nowhere(type_):
    told = {**PLAIN, "job_id": None, "seq": None, "attempts": None}
    assert count_field(Event(**told, type=type_, job_type=None)) == ""


def test_a_name_is_read_back():
    for job_type in JOB_TYPES:
        assert read_field(f"{job_type}/failed") == (job_type, "failed")
    assert read_field("unknown/refused") == ("unknown", "refused")


@pytest.mark.parametrize("field", ["", "invoice.issue", "invoice.issue/archived", "nothing.known/failed", "/failed"])
def test_a_name_of_somebody_elses_is_none(field):
    assert read_field(field) is None
