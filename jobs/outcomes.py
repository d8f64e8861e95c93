"""What an attempt can end in: a closed set of two. Either the job is final, or it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from schemas.event import ErrorDetail

State = Literal["validated", "rejected", "refused", "failed", "completed"]
"""``completed`` for jobs that do not issue; ``refused`` for a document that we did not send."""

Sent = Literal["", "unknown", "deleting"]
Waits = Literal["job", "lane", "account"]

Weather = Literal["fair", "outage", "unclear"]
"""What an attempt learnt of Factus: it answers, it does not, or neither (no call came through to it)."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    Only a person can mend what stops the account, or one family of it. Published once (``account.blocked``).

    ``by_call`` marks a block that a call found which issues nothing: it says nothing of issuing in that family.
    """

    family: str | None
    error: ErrorDetail
    by_call: bool = False

    @property
    def scope(self) -> str:
        return scope_of(self.family, by_call=self.by_call)


def scope_of(family: str | None, *, by_call: bool) -> str:
    """Under which name a block is remembered: the whole account, a family, or the calls of a family."""
    if family is None:
        return "*"
    return f"calls.{family}" if by_call else family


@dataclass(frozen=True, slots=True)
class Final:
    """The job's one final result."""

    state: State
    message: str
    data: dict[str, Any] | None = None
    errors: tuple[ErrorDetail, ...] = ()
    number: str = ""
    block: Block | None = None
    news: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """
    The job stays open.

    ``waits`` says who pauses with it: only the ``job`` (others of its lane go on), its ``lane`` (it stays at the
    head), or the whole ``account``. ``sent`` is what the next attempt must know: ``""`` nothing is at Factus,
    ``"unknown"`` look before sending, ``"deleting"`` finish a removal. ``is_failure`` lets the backoff grow.
    ``pending`` publishes ``X.pending`` (once). ``progress`` is what a job of several calls has done so far (JSON; None
    leaves it as it is), ``news`` what it has to publish on the way: RADIAN events, as their ``data``.
    """

    waits: Waits
    pause_s: float
    reason: ErrorDetail
    sent: Sent = ""
    is_failure: bool = True
    pending: bool = False
    number: str = ""
    weather: Weather = "fair"
    block: Block | None = None
    progress: str | None = None
    news: tuple[dict[str, Any], ...] = ()


Ending = Final | Again


@dataclass(frozen=True, slots=True)
class Attempted:
    """
    One attempt, run to its end.

    ``n_sent`` is how often the job's own call went out and was taken: a call that met no connection, no permit, 401,
    409 or 429 does not count (docs/contract.md, ``attempts``).
    """

    ending: Ending
    n_sent: int
    n_calls: int = 0

    @property
    def weather(self) -> Weather:
        """An ending without a call says nothing of Factus."""
        if isinstance(self.ending, Again):
            return self.ending.weather
        return "fair" if self.n_calls else "unclear"
