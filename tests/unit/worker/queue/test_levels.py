"""The log at level error where a person must act, and a line when it is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from jobs.events import blocked_event, resumed_event
from jobs.outcomes import AccountState, AttemptResult, Block, Finished, Retry
from schemas.contract.event import ErrorDetail
from tests.records import a_job
from worker.queue.attempt_log import log_attempt, log_notices
from worker.queue.attempt_notices import blocked_since_ms
from worker.queue.attempt_write import Notice
from worker.store.refusals import RefusalWatch

NOW = datetime(2026, 11, 29, tzinfo=UTC)
DENIED = Block("invoice", ErrorDetail(code="factus.denied", message="Factus negó el acceso."))


@pytest.mark.parametrize(
    ("state", "code", "level"),
    [
        ("failed", "factus.unavailable", "error"),
        ("failed", "internal", "error"),
        ("failed", "dian.pending", "error"),
        ("failed", "date.missed", "info"),
        ("rejected", "dian.rejected", "info"),
        ("validated", "", "info"),
    ],
)
def test_a_failure_on_which_an_operator_acts_is_an_error(state: str, code: str, level: str) -> None:
    errors = (ErrorDetail(code=code, message="m"),) if code else ()
    ending = Finished(state, "m", errors=errors)
    with capture_logs() as logs:
        log_attempt(a_job(), AttemptResult(ending, 1), 1, 0, 0.0)
    assert [(line["event"], line["log_level"]) for line in logs] == [("attempt.finished", level)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"is_failure": False, "progress": "{}"}, ("info", "goes_on", None)),
        ({"is_failure": True, "progress": "{}"}, ("warning", "again", "dian.pending")),
        ({"is_failure": False}, ("warning", "again", "dian.pending")),
        ({}, ("warning", "again", "dian.pending")),
    ],
)
def test_a_step_forward_is_no_trouble(changes: dict[str, Any], told: tuple[str, str, str | None]) -> None:
    reason = ErrorDetail(code="dian.pending", message="m", retryable=True)
    with capture_logs() as logs:
        log_attempt(a_job(), AttemptResult(Retry("job", 1.0, reason, **changes), 1), 1, 0, 0.0)
    ((level, outcome, error),) = [(line["log_level"], line["outcome"], line["error"]) for line in logs]
    assert (level, outcome, error) == told


def test_a_block_is_an_error_and_its_end_a_warning() -> None:
    blocked = Notice("blocked", "invoice", blocked_event("acme", DENIED, n_waiting=1, since=NOW, now=NOW, by="j"), 0)
    resumed = Notice("resumed", "invoice", resumed_event("acme", "invoice", since=NOW, now=NOW, by="j"), 0)
    with capture_logs() as logs:
        log_notices("acme", (blocked, resumed))
    assert [(line["event"], line["log_level"], line["scope"]) for line in logs] == [
        ("account.blocked", "error", "invoice"),
        ("account.resumed", "warning", "invoice"),
    ]
    assert "factus-worker resume acme" in logs[0]["detail"]


def test_a_redis_that_stays_silent_is_an_error_once_and_its_return_a_line() -> None:
    watch = RefusalWatch()
    with capture_logs() as logs:
        for _ in range(5):
            watch.failed(RedisConnectionError("refused"))
        watch.succeeded()
        watch.failed(RedisConnectionError("a failover"))
        watch.succeeded()
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("redis.unreachable", "error"),
        ("redis.reachable", "warning"),
    ]


@pytest.mark.parametrize(
    ("code", "standing", "since"),
    [
        ("factus.conflict", {"conflict_since_ms": 7}, 7),
        ("factus.unavailable", {"outage_since_ms": 8}, 8),
        ("factus.credentials", {"outage_since_ms": 8, "conflict_since_ms": 7}, 100),
        ("factus.unavailable", {}, 100),
    ],
)
def test_a_block_lasts_since_its_trouble_began(code: str, standing: dict[str, int], since: int) -> None:
    """Told after ten minutes, it began ten minutes before."""
    block = Block(None, ErrorDetail(code=code, message="m"))
    assert blocked_since_ms(AccountState(now_ms=100, **standing), block) == since
