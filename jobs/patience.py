"""How long the service waits for what nobody can hurry: a person, another document, an answer that is late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PatiencePolicy:
    """
    The waits of attempts, beside the backoff.

    Attributes:
        account_pause_s: How often an account that Factus refuses is tried again, unless the longest pause of the
            backoff is shorter.
        change_pause_s: How often a job looks whether the one before it is done, where two may not change the same
            thing at once.
        least_settle_ms: The shortest wait after a change that had no answer, also where the time-out is shorter. A
            change that arrives late undoes what came after it, and a DELETE takes whatever bears the reference by then.
        outage_ms: How long no token may come, whatever the answer, before a person is told.
        foreign_ms: How long somebody else's document may bar a family before a person is told.
        lone_failures: So many failures, and a job that Factus surely has not done lets others of its lane go first.
    """

    account_pause_s: float = 300.0
    change_pause_s: float = 2.0
    least_settle_ms: int = 10_000
    outage_ms: int = 600_000
    foreign_ms: int = 600_000
    lone_failures: int = 3


PATIENCE: Final = PatiencePolicy()
