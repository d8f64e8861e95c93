"""Ledger records for tests: a plain open invoice, and what differs from it."""

from __future__ import annotations

from typing import Any

from schemas.records import JobRecord

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def a_job(**changes: Any) -> JobRecord:
    base: dict[str, Any] = {
        "account": "acme",
        "id": "job-1",
        "type": "invoice.issue",
        "family": "invoice",
        "lane": "acme/invoice",
        "entry": "1800000000000-0",
        "reference_code": "FV-1",
        "payload": '{"reference_code":"FV-1","customer":{"identification":"222222222222"}}',
        "fingerprint": "f" * 64,
        "total": "119000.00",
        "party": "222222222222",
        "state": "inflight",
        "epoch": 1,
        "fence": 1,
        "accepted_at": NOW_MS,
        "deadline_at": NOW_MS + 48 * HOUR_MS,
    }
    return JobRecord(**{**base, **changes})
