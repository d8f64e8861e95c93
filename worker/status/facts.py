"""
What ``status`` sees, as values: workers, intake, lanes, accounts, letters. No I/O; ``reader.py`` fills them in.

Instants are milliseconds since 1970 on the Redis server's clock; 0 means "not so".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import date, tzinfo
from typing import Any, Final

from jobs.range_ends import RangeEnd, range_end
from schemas.names import is_calls_lane, is_issuing_lane
from schemas.records import WaitReason
from worker.queue.consumer_lag import GroupLag
from worker.speech import iso

WAIT_REASONS: Final = {
    WaitReason.HOLD: "held",
    WaitReason.ALLOWANCE: "allowance",
    WaitReason.PRECEDENCE: "precedence",
    WaitReason.PROBE: "outage",
    WaitReason.WIDTH: "width",
}
"""Why a lane stopped, and as it is told."""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """One living worker process."""

    id: str
    pid: int
    version: str
    accounts: tuple[str, ...]
    n_running: int
    n_run: int
    seen_ms_ago: int
    own_streams: tuple[str, ...] | None = None
    """Those of them that have streams of their own; None where a worker of a version before does not say."""

    failed: str = ""
    """What has failed in its loops since it started, by loop: ``sweep=2,take=1``."""

    failed_lately: str = ""
    """The same of the last ten minutes; ``failing_since_ms`` is since when there are such failures."""

    failing_since_ms: int = 0

    held_ms: int = 0
    """The longest time for which its event loop was held."""

    environments: dict[str, str] = field(default_factory=dict)
    """Which Factus it asks for each of its accounts."""

    is_signed: bool = False
    """Whether it takes signed jobs only."""

    keys_fault: str = ""
    """Why the newest file of keys or revocations does not count; empty when it does."""


@dataclass(frozen=True, slots=True)
class IntakeSeen:
    """One stream of pushed jobs. ``n_pushed`` are not taken in yet, ``n_pending`` of them are in a worker's hands."""

    stream: str
    n_pushed: int
    n_pending: int
    n_gone: int = 0
    """Entries that somebody removed before they were read; ``gone_at_ms`` is when it was last noticed."""

    gone_at_ms: int = 0
    last_id_ahead: str = ""
    """The stream's last id where it lies in the future: the stream takes no ids of today."""

    renewed_at_ms: int = 0
    """When such a stream was last made anew."""


@dataclass(frozen=True, slots=True)
class Hold:
    """
    Why nothing starts. ``until_ms`` is when it is asked again, and may be over while an attempt asks; ``since_ms`` is
    when it began, whatever was asked since.

    The job that met it last, with what was seen then; ``mend`` is what a person does, where the reason does not say.
    """

    reason: str
    until_ms: int
    since_ms: int = 0
    job_id: str = ""
    reference_code: str = ""
    number: str = ""
    said: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class LaneSeen:
    """
    One queue of jobs. ``next_look_ms`` is 0 when no look is planned: the end of a job makes the next one.

    ``wait_reason`` is why the dispatcher's last look started no more. ``n_tracking`` of those that come later watch
    RADIAN events; ``n_ahead`` documents of the account go before calls.
    """

    name: str
    account: str
    n_waiting: int
    n_later: int
    n_in_flight: int
    hold: Hold | None
    next_look_ms: int
    backlog_s: float = 0.0
    n_tracking: int = 0
    n_ahead: int = 0
    wait_reason: WaitReason = WaitReason.NOTHING
    why: str | None = None
    """``held``, ``allowance``, ``precedence``, ``outage``, ``width``; null where nothing waits."""
    width: int = 1
    """How many of its jobs may be under way at once: for documents what is in use just now (``lane_width``)."""
    oldest_ms: int = 0
    """When the job was pushed that waits longest; 0 where nothing waits."""
    pace_per_minute: float = 0.0
    done_ms: float | None = None
    """When the backlog will be done, by the estimate; None where nothing waits, or nobody knows."""

    def to_json(self, zone: tzinfo) -> dict[str, Any]:
        """The lane as ``status --json`` has it."""
        return {
            **asdict(self),
            "waiting": self.n_waiting,
            "delayed": self.n_later,
            "in_flight": self.n_in_flight,
            "oldest_at": iso(self.oldest_ms, zone),
            "pace_per_minute": round(self.pace_per_minute, 1),
            "done_at": None if self.done_ms is None else iso(round(self.done_ms), zone),
        }

    @property
    def is_calls(self) -> bool:
        """Whether these are the jobs that issue nothing; else documents of one family, issued one at a time."""
        return is_calls_lane(self.name)

    @property
    def issues(self) -> bool:
        return is_issuing_lane(self.name)

    @property
    def n_open(self) -> int:
        return self.n_waiting + self.n_later + self.n_in_flight


@dataclass(frozen=True, slots=True)
class Block:
    """Something of an account that only a person can mend and that has been told (``account.blocked``)."""

    scope: str
    """``*``: the whole account; a family: its issuing; a job type: its jobs."""
    since_ms: int


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """One account's allowance, hold and token."""

    name: str
    is_configured: bool
    limit: int
    window_s: float
    n_used: int
    hold: Hold | None
    n_throttled: int
    token_generation: int
    token_life_s: float
    environment: str | None = None
    """Which Factus: ``production``, ``sandbox`` or ``local``; None where neither this process nor a worker knows."""
    blocks: tuple[Block, ...] = ()
    base_url: str | None = None
    """Its address; None where the account is not configured here."""


@dataclass(frozen=True, slots=True)
class LettersSeen:
    """
    Dead letters by who has to act. ``n`` are there; where they are many, the newest were looked at.
    """

    n: int = 0
    n_producer: int = 0
    n_operator: int = 0
    n_developers: int = 0
    codes: tuple[tuple[str, int], ...] = ()
    """Reasons of those on which an operator or developer acts, with how often each stands there."""


@dataclass(frozen=True, slots=True)
class RadianSeen:
    """Watched bills whose term is over today, tomorrow, or was before, and that nobody has accepted or claimed."""

    due_today: int = 0
    due_tomorrow: int = 0
    due_before: int = 0


@dataclass(frozen=True, slots=True)
class EndpointSeen:
    """One endpoint of webhooks, as a process had it in its file lately. Counts are deliveries."""

    name: str
    is_disabled: bool = False
    disabled_why: str = ""
    """``gone`` (410), ``failing`` (for 120 h) or ``operator``."""

    disabled_at_ms: int = 0
    failing_since_ms: int = 0
    """Since when it has only failed."""

    n_waiting: int = 0
    oldest_due_ms: int = 0
    """When the delivery was due that has waited longest for its attempt."""

    n_under_way: int = 0
    """Known where it was asked for: the commands of webhooks do."""

    n_exhausted: int = 0
    """Deliveries that have had their last attempt, and are kept for a replay."""

    n_delivered: int = 0
    n_bytes: int = 0
    """Of what waits, as it is kept."""

    last_success_ms: int = 0
    last_failure_ms: int = 0
    last_status: int = 0
    last_fault: str = ""
    n_gone: int = 0
    """Events that were trimmed before they were read for it; ``gone_at_ms`` is when it was last noticed."""

    gone_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class DelivererSeen:
    """One living process that delivers webhooks, in which something has failed of late (as :class:`WorkerSeen`)."""

    id: str
    failed: str
    failed_lately: str
    failing_since_ms: int


@dataclass(frozen=True, slots=True)
class RangeSeen:
    """One numbering range in use, as Factus has shown it; ``document`` is what it numbers: a family, or its words."""

    account: str
    document: str
    prefix: str
    n_left: int | None
    n_numbers: int | None
    """Of how many; both None where Factus does not say."""

    ends_on: date | None = None
    """Its last day; None where no resolution bounds it."""

    days_left: int = 0
    """Until that day; below 0 when it is over."""

    is_expired: bool = False
    """Factus's own word."""

    @property
    def end(self) -> RangeEnd:
        """What is to be told of it."""
        days_left = -1 if self.is_expired else self.days_left if self.ends_on else None
        return range_end(self.n_left, self.n_numbers, days_left)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at a glance."""

    now_ms: int
    workers: tuple[WorkerSeen, ...]
    intake_leader: str
    intakes: tuple[IntakeSeen, ...]
    lanes: tuple[LaneSeen, ...]
    accounts: tuple[AccountSeen, ...]
    n_dead: int
    groups: tuple[GroupLag, ...]
    writes_refused: str | None = None
    """Redis's words where it takes no writes; ``writes_word`` is the first of them."""
    writes_word: str = ""
    damaged: tuple[str, ...] = ()
    """Keys of the service that hold something else than they should; what they would say is missing here."""
    n_letters_gone: int = 0
    """Dead letters that went because there were too many; ``letters_gone_at_ms`` is when it last happened."""
    letters_gone_at_ms: int = 0
    letters: LettersSeen = LettersSeen()
    radian: RadianSeen = RadianSeen()
    endpoints: tuple[EndpointSeen, ...] = ()
    """Endpoints of webhooks that a process has had in its file during the last week."""
    n_delivering: int | None = None
    """Processes that deliver webhooks; None where this user of Redis may not see it."""
    failing_deliverers: tuple[DelivererSeen, ...] = ()
    unread_streams: tuple[tuple[str, int], ...] = ()
    """Own streams of accounts in which something waits and that no worker reads, and how many entries."""

    complete_batches: tuple[str, ...] = ()
    """``account/batch`` of those that nobody has closed yet."""
    ranges: tuple[RangeSeen, ...] = ()
    """What is known of numbering ranges without asking Factus."""


def with_backlog(lane: LaneSeen, lanes: Iterable[LaneSeen], account: AccountSeen, now_ms: int) -> LaneSeen:
    """A lane with what its account's other lanes take of the allowance that they share."""
    if not lane.n_waiting:
        return lane
    issuing = [
        other.n_waiting
        for other in lanes
        if other.account == lane.account and other.name != lane.name and other.issues and not other.hold
    ]
    # Calls stand behind documents; families take turns, so that a shorter queue is through before a longer one.
    n_ahead = sum(issuing) if lane.is_calls else 0
    n_beside = n_ahead if lane.is_calls else sum(min(n, lane.n_waiting) for n in issuing)
    n_calls = lane.n_waiting + n_beside
    needs_s = backlog_s(n_calls, account, lane.hold, now_ms)
    if lane.wait_reason == WaitReason.ALLOWANCE and lane.next_look_ms > now_ms:
        # Used up in a burst, the allowance comes back in one.
        n_windows = (n_calls - 1) // account.limit
        needs_s = max(needs_s, (lane.next_look_ms - now_ms) / 1000 + n_windows * account.window_s)
    return replace(lane, n_ahead=n_ahead, backlog_s=needs_s)


def backlog_s(n_calls: int, account: AccountSeen, hold: Hold | None, now_ms: int) -> float:
    """
    How long so many calls will need, seconds: the end of a hold, then what the allowance lets go.

    What the allowance has left goes at once, so it counts for nothing; Factus's own slowness is not foreseen, nor that
    a job may need several calls.
    """
    if not n_calls:
        return 0.0
    holds = [one.until_ms for one in (hold, account.hold) if one]
    held_s = max([until - now_ms for until in holds], default=0) / 1000
    n_later = max(n_calls - max(account.limit - account.n_used, 0), 0)
    return held_s + n_later * account.window_s / account.limit
