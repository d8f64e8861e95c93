"""
What is known of a reference or a job, as ``status REFERENCE --json`` and the door tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from schemas.factus import BOGOTA
from worker.speech import Speech
from worker.status.explain import Explanation, explain, explain_event
from worker.status.lookup import JobLookup


@dataclass(frozen=True, slots=True)
class Story:
    """Every job that has the reference, or the id, in words and figures."""

    told: tuple[Explanation, ...]
    is_pushed: bool
    """Nothing is known of it but that it stands in an intake stream."""

    @property
    def is_known(self) -> bool:
        return bool(self.told or self.is_pushed)

    def to_json(self) -> dict[str, Any]:
        return {"found": [asdict(one) for one in self.told], "is_waiting_for_intake": self.is_pushed}


async def story_of(
    finder: JobLookup,
    wanted: str,
    zones: Mapping[str, ZoneInfo],
    speech: Speech,
    *,
    account: str | None = None,
    family: str | None = None,
    may_see: Callable[[str], bool] = lambda _account: True,
    default_account: str | None = None,
) -> Story:
    """
    Look everywhere: the ledger, the latest results, what was pushed and not taken in.

    Args:
        zones: Of the accounts that are configured here.
        may_see: Whether an account may be told of.
        default_account: Whose job one is that names no account, whichever account is asked for.
    """
    told = []
    for found in await finder.find(wanted, account=account, family=family, may_see=may_see):
        job = found.job.job
        one = explain(found, zones.get(job.account, BOGOTA), speech)
        # The record of a job that was refused at the door has no reason, a call's no answer; their events have.
        event = await finder.last_event(job.id, job.account) if one.needs_event else None
        told.append(explain_event(event, speech) if event else one)
    if not told and (event := await finder.last_event(wanted, account, may_see)):
        told = [explain_event(event, speech)]
    if told:
        return Story(tuple(told), is_pushed=False)
    pushed = await finder.pushed_for(wanted, account=account, may_see=may_see, default_account=default_account)
    return Story((), is_pushed=pushed is not None)
