"""What the tests of ``status`` look at: one account, its lanes and jobs, and what a reader has seen of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from arq.connections import ArqRedis

from schemas.records import JobRecord, WaitReason
from worker.status.facts import (
    AccountSeen,
    Hold,
    LaneSeen,
    Overview,
    WorkerSeen,
)
from worker.status.lookup import JobSnapshot
from worker.status.reader import StatusReader
from worker.store.keys import Keys

UTC = ZoneInfo("UTC")
NOW = 1_795_600_000_000
ACCOUNT = AccountSeen("acme", True, 80, 60.0, 0, None, 0, 1, 3600.0)
LANE = LaneSeen("acme/invoice", "acme", 5, 0, 1, None, 0, 0.0, wait_reason=WaitReason.WIDTH)
JOB = JobRecord(
    account="acme", id="j-1", type="invoice.issue", family="invoice", lane="acme/invoice", entry="1-0",
    reference_code="R-1", accepted_at=NOW - 1000, deadline_at=NOW + 9_000_000,
)  # fmt: skip
CALL = replace(JOB, id="c-1", type="invoice.email", lane="acme/calls", reference_code="", priority="low")
CALLS = LaneSeen("acme/calls", "acme", 5, 0, 1, None, 0, wait_reason=WaitReason.PRECEDENCE)


def found(job: JobRecord = JOB, **changes: Any) -> JobSnapshot:
    base = JobSnapshot(job, NOW, LANE, ACCOUNT, 2, "j-1", 1)
    return replace(base, **changes)


def overview(**changes: Any) -> Overview:
    worker = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10)
    return replace(Overview(NOW, (worker,), "w", (), (LANE,), (ACCOUNT,), 0, ()), **changes)


HELD = Hold("dian.pending", NOW + 60_000, NOW - 360_000, "j-0", "R-0", "SETP7", "Factus tiene el documento.")
DONE = replace(JOB, state="final", final_type="invoice.validated", number="SETP1", final_at=NOW)
ARCHIVE = replace(JOB, id="j-1~archive", type="invoice.archive", lane="acme/calls", priority="low", parent="j-1")
TRACK = replace(ARCHIVE, id="j-1~track", type="invoice.track", next_at=NOW + 1, deadline_at=NOW + 90_000_000)
EVENT = {"event_code": "030", "event_name": "Acuse", "occurred_at": "t", "number": "SETP1"}


def a_reader(redis: ArqRedis, keys: Keys, *accounts: Any) -> StatusReader:
    known = {account.name: account for account in accounts}
    return StatusReader(redis, keys, known, limit=80, window_s=60.0, results_maxlen=100)
