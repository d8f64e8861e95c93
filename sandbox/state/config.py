"""What one sandbox is started with. A value, never read from the environment."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sandbox.state.faults import Rule
from sandbox.values.durations import Latency


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """
    Settings of one sandbox.

    Args:
        seed: Decides latencies, notices and the shares of the fault plan; the same seed gives the same answers.
        latency: How long a create takes. Reads take a twentieth of it unless read_latency is given.
        rate_limit: Requests per account in one window; 0 for no limit.
        notice_share: Share of the validated documents that carry DIAN's notice RUT01.
        has_examples: Every account begins with the documents that public examples name.
        reuses_numbers: The number of a removed document is given to the next one. Nobody has recorded what Factus does.
        lane_width: How many creates of one family and account may be under way at once; more are answered 409.
        is_shared: Every account has the rights of the public sandbox's user, and no more.
        log: Gets a line for each request.
        now: Unix time in seconds. Tests move it.
        sleep: Lets that many seconds pass. Tests hold a request here instead.
    """

    seed: int = 0
    latency: Latency = field(default_factory=Latency)
    read_latency: Latency | None = None
    rate_limit: int = 80
    rate_window_s: float = 60.0
    token_lifetime_s: int = 3600
    notice_share: float = 0.25
    faults: tuple[Rule, ...] = ()
    has_examples: bool = False
    reuses_numbers: bool = False
    lane_width: int = 1
    is_shared: bool = False
    log: Callable[[str], None] | None = None
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def reading_latency(self) -> Latency:
        return self.latency.scaled(0.05) if self.read_latency is None else self.read_latency
