"""
Every metric: name, kind, unit, labels, and what it says. The only place where a name is written.

Two kinds of numbers, told apart by their names: ``factus_`` is of the whole service, read from Redis and the same in
every process (``max by``); ``factus_worker_`` is of one process (``sum``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]

ACCOUNT: Final = "account"
"""The label that FACTUS_METRICS_ACCOUNTS=false leaves out."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``name`` as it is exposed, without what a histogram adds to it."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit that stands at the end of a name: seconds, or nothing for what is counted."""
        return "seconds" if self.name.removesuffix("_total").endswith("_seconds") else ""

    def labels_with(self, *, accounts: bool) -> tuple[str, ...]:
        return self.labels if accounts else tuple(label for label in self.labels if label != ACCOUNT)


JOBS: Final = Metric(
    "factus_jobs_total",
    "counter",
    "Final events that were published, by job type (other: those beyond the first twelve) and outcome. Exact: counted "
    "in the step that publishes.",
    ("type", "outcome"),
)
LANE_JOBS: Final = Metric(
    "factus_lane_jobs",
    "gauge",
    "Open jobs of a lane: waiting, delayed (for a time, a retry, a look at RADIAN) and in_flight.",
    (ACCOUNT, "lane", "state"),
)
LANE_OLDEST: Final = Metric(
    "factus_lane_oldest_timestamp_seconds",
    "gauge",
    "When the job was pushed that waits longest in a lane. Absent where none waits.",
    (ACCOUNT, "lane"),
)
LANE_DONE: Final = Metric(
    "factus_lane_done_timestamp_seconds",
    "gauge",
    "When the backlog of a lane will be done, by the estimate. Absent where none waits, or the lane is held.",
    (ACCOUNT, "lane"),
)
LANE_BLOCKED: Final = Metric(
    "factus_lane_blocked",
    "gauge",
    "1 while something holds an account (family empty), the lane of a family, or the whole service (account empty; "
    "reason redis.*). Absent where nothing does.",
    (ACCOUNT, "family", "reason"),
)
ALLOWANCE_USED: Final = Metric(
    "factus_allowance_used", "gauge", "Calls of an account within its window just now.", (ACCOUNT,)
)
ALLOWANCE_LIMIT: Final = Metric(
    "factus_allowance_limit", "gauge", "Calls that an account may make within its window.", (ACCOUNT,)
)
TOKEN_EXPIRES: Final = Metric(
    "factus_token_expires_timestamp_seconds",
    "gauge",
    "When the access token of an account ends. A new one is fetched when it is needed.",
    (ACCOUNT,),
)
AT_RISK: Final = Metric(
    "factus_jobs_at_risk", "gauge", "Documents that will miss their day, as day.at_risk has told last."
)
DEAD_LETTERS: Final = Metric("factus_dead_letters", "gauge", "Dead letters that are there.")
CONSUMER_LAG: Final = Metric(
    "factus_consumer_lag",
    "gauge",
    "Entries of a result stream that a consumer group was never given (other: the most of those beyond four).",
    ("stream", "group"),
)
WEBHOOK_WAITING: Final = Metric(
    "factus_webhook_waiting",
    "gauge",
    "Deliveries that wait for an endpoint (other: of all beyond the first three).",
    ("endpoint",),
)
RANGE_LEFT: Final = Metric(
    "factus_range_remaining",
    "gauge",
    "Numbers that are left in a numbering range, as Factus last said in an answer.",
    (ACCOUNT, "family", "prefix"),
)
RANGE_EXPIRES: Final = Metric(
    "factus_range_expires_timestamp_seconds",
    "gauge",
    "When the authorization of a numbering range ends, as Factus last said in an answer.",
    (ACCOUNT, "family", "prefix"),
)
PROBLEMS: Final = Metric(
    "factus_problems",
    "gauge",
    "Problems that status tells, by id and severity: failure, warning (other: those beyond the first five kinds). "
    "Absent where there is none. Dead letters have a metric of their own.",
    ("kind", "severity"),
)
WORKERS: Final = Metric(
    "factus_workers",
    "gauge",
    "Workers by their signs of life: alive, or lost: ended without a goodbye within ten minutes. "
    "Absent while Redis takes no writes, signs of life neither.",
    ("state",),
)
RANGE_ENDING: Final = Metric(
    "factus_range_ending",
    "gauge",
    "1 while a numbering range has 30 days, or less than 5 % of its numbers, left, or has ended. Absent otherwise.",
    (ACCOUNT, "family", "prefix"),
)
BUILD: Final = Metric("factus_build_info", "gauge", "1; the version is the label.", ("version",))

CALLS: Final = Metric(
    "factus_worker_calls_total",
    "counter",
    "Calls of this process to Factus: create, look, delete, call (all else), token; ok is 2xx, refused any other "
    "answer below 500, lost no answer or one that does not say whether it was done.",
    ("operation", "outcome"),
)
DURATION: Final = Metric(
    "factus_worker_call_duration_seconds",
    "histogram",
    "How long a call of this process to Factus took, from the permit to the end of the answer.",
    ("operation",),
)
THROTTLED: Final = Metric(
    "factus_worker_throttled_total", "counter", "Calls of this process that Factus answered with 429."
)
CONFLICTS: Final = Metric(
    "factus_worker_conflicts_total",
    "counter",
    "Calls of this process that Factus answered with 409, by what they asked for.",
    ("cause",),
)
REPAIRS: Final = Metric(
    "factus_worker_repairs_total", "counter", "Jobs and lanes that the sweep of this process had to mend."
)
BUSY: Final = Metric(
    "factus_worker_slots_busy",
    "gauge",
    "Slots of this process in use: a job that runs takes one, and one more for each 64 KiB of its payload.",
)
SLOTS: Final = Metric("factus_worker_slots", "gauge", "Slots of this process.")

SERVICE: Final = (
    JOBS, LANE_JOBS, LANE_OLDEST, LANE_DONE, LANE_BLOCKED, ALLOWANCE_USED, ALLOWANCE_LIMIT, TOKEN_EXPIRES, AT_RISK,
    DEAD_LETTERS, CONSUMER_LAG, WEBHOOK_WAITING, RANGE_LEFT, RANGE_EXPIRES, RANGE_ENDING, PROBLEMS, WORKERS, BUILD,
)  # fmt: skip
PROCESS: Final = (CALLS, DURATION, THROTTLED, CONFLICTS, REPAIRS, BUSY, SLOTS)
METRICS: Final = (*SERVICE, *PROCESS)

MOST_SERIES: Final = 60
"""Series without an account, those of the process included, histograms aside."""

MOST_OF_ACCOUNT: Final = 15
"""Series of one account; without the label of all accounts together."""
