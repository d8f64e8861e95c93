"""
The allowance of requests of one account.

Counts as Laravel's `throttle` does: the first hit opens a fixed window, refused requests are not counted. Beside that
it measures what was really sent, in any sliding window, because that is what a client promises about itself.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Allowance:
    """The state after one request. *retry_after_s* is None when the request may pass."""

    limit: int
    n_remaining: int
    retry_after_s: int | None = None
    resets_at: int = 0

    @property
    def headers(self) -> dict[str, str]:
        shown = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(self.n_remaining)}
        if self.retry_after_s is not None:
            shown["Retry-After"] = str(self.retry_after_s)
            shown["X-RateLimit-Reset"] = str(self.resets_at)
        return shown


UNLIMITED: Final = Allowance(limit=0, n_remaining=0)


class FixedWindow:
    """At most *limit* requests from the first hit until *window_s* later; a limit of 0 means none."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self.window_s = window_s
        self._opened_at = -math.inf
        self._n_hits = 0

    def take(self, now: float) -> Allowance:
        if self.limit == 0:
            return UNLIMITED
        if now >= self._opened_at + self.window_s:
            self._opened_at, self._n_hits = now, 0
        if self._n_hits >= self.limit:
            left_s = self._opened_at + self.window_s - now
            return Allowance(self.limit, 0, math.ceil(left_s), math.ceil(now + left_s))
        self._n_hits += 1
        return Allowance(self.limit, self.limit - self._n_hits)


class BusiestWindow:
    """The most requests that ever fell into one window: any sliding one, and the fixed ones of the throttle."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.most_sliding = 0
        self.most_fixed = 0
        self._recent: deque[float] = deque()
        self._fixed_opened_at = -math.inf
        self._n_fixed = 0

    def note(self, now: float) -> None:
        recent = self._recent
        recent.append(now)
        while recent[0] <= now - self.window_s:
            recent.popleft()
        self.most_sliding = max(self.most_sliding, len(recent))
        if now >= self._fixed_opened_at + self.window_s:
            self._fixed_opened_at, self._n_fixed = now, 0
        self._n_fixed += 1
        self.most_fixed = max(self.most_fixed, self._n_fixed)
