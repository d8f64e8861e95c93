"""
Logging: structlog to standard error, and the one processor that keeps secrets and personal data out.

Event names are constant strings (docs/events.md). Keys are an allow list: what is not named there does not leave the
process, so a careless ``log.info("x", payload=...)`` prints nothing of the payload.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from worker.uncaught import places_of

ALLOWED_KEYS: Final = frozenset(
    {
        # structlog's own
        "event", "level", "timestamp", "exception", "logger",
        # who and what
        "account", "job_id", "job_type", "reference_code", "number", "lane", "worker_id", "fence", "epoch", "entry",
        "arq_id", "traceparent", "task", "scope", "stream", "group", "pid", "version", "namespace",
        # what came of it
        "outcome", "error", "detail", "member", "key", "places", "waits", "signal", "method", "status", "reason",
        "path", "variables", "route", "url", "check", "kid",
        # figures
        "attempts", "duration_ms", "queue_wait_ms", "next_attempt_in_s", "n_entries", "n_errors", "n_lanes",
        "n_requeued", "n_freed", "n_woken", "n_cancelled", "n_accounts", "n_run", "hold_s", "n_foreign", "generation",
        "n_unread", "n_trimmed", "n_joined", "n_defects", "busy_ms", "environments",
        "is_shared", "n_jobs", "n_waiting", "day",
        # signed jobs: which check, which keys, which file; never anything else of a token
        "kids", "setting",
    }
)  # fmt: skip


def keep_allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not on the list; say which, so that the gap is seen."""
    dropped = [key for key in event if key not in ALLOWED_KEYS and not key.startswith("_")]
    for key in dropped:
        del event[key]
    if dropped:
        event["detail"] = f"keys not logged: {', '.join(sorted(dropped))}"
    return event


def frames_only(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """
    Where an exception came from, without its words: those may quote a payload, a name, a token.
    """
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = places_of(error)
    return event


def configure_logging(*, is_json: bool, level: str = "info") -> None:
    """Set up logging for this process. Libraries speak from WARNING on, through the same renderer."""
    threshold = getattr(logging, level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    tail: list[Any] = (
        [frames_only, keep_allowed, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if is_json
        else [frames_only, keep_allowed, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        # A line is one write: processes that share a terminal or a file do not mix theirs.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
