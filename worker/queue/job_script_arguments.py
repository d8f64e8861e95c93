"""
What the scripts that end jobs are given of a job: its streams, its document, its bill, and what follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from jobs.closing.day_index import member_of
from jobs.outcomes import BillNote
from schemas.records import JobRecord
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.script_values import pairs
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import Arg


class FollowUpKeys(NamedTuple):
    """The keys of a job that follows a document, in the order of ``FOLLOW_UP_KEYS`` (``lib/ends.lua``)."""

    job: str
    waiting: str
    later: str


class FollowUpValues(NamedTuple):
    """What else the scripts take of one, in the order of ``FOLLOW_UP``; its record's fields stand behind."""

    id: str
    lane: str
    account: str
    score: int
    delay_ms: int
    life_ms: int
    watches: int


_OF_DOCUMENT: Final = ("document", "joined", "ended_ids", "ended_event", "ended_due")


@dataclass(frozen=True, slots=True)
class JobScriptArguments:
    """Builds the keys and values of jobs. Raises KeyError for an account that is not configured here."""

    keys: Keys
    accounts: Mapping[str, Account]
    policy: LedgerPolicy

    def results_of(self, account: str) -> str:
        """The stream of an account's results."""
        return self.keys.results(account if self.accounts[account].own_streams else None)

    def results_stream(self, job: JobRecord) -> str:
        """Where the events of a job go."""
        owner = self._owner(job)
        return self.keys.radian(owner) if job.is_tracking else self.keys.results(owner)

    def _owner(self, job: JobRecord) -> str | None:
        return job.account if self.accounts[job.account].own_streams else None

    def end_noted(self, job: JobRecord) -> dict[str, Arg]:
        """How the end of a job is noted for whoever closes its day (``lib/day_index.lua``)."""
        return {"ends_prefix": self.keys.ends(job.account), "ends_member": member_of(job.type, job.id)}

    def bill_keys(self, job: JobRecord, note: BillNote | None) -> dict[str, str]:
        """What is remembered of the job's bill, its own key for none; and from when bills are due."""
        own = self.keys.job(job.account, job.id)
        bill = self.keys.bill(job.account, note.number) if note and note.facts else own
        return {"bill": bill, "terms": self.keys.terms()}

    def document_keys(self, job: JobRecord) -> dict[str, str]:
        """The document, who joined it, and where these stand when it has ended; the job's own key when it issues
        nothing."""
        if not job.issues:
            return dict.fromkeys(_OF_DOCUMENT, self.keys.job(job.account, job.id))
        document = self.keys.document(job.account, job.family, job.reference_code)
        return {
            "document": document,
            "joined": self.keys.joined(document),
            "ended_ids": self.keys.ended_ids(job.account, job.id),
            "ended_event": self.keys.ended_event(job.account, job.id),
            "ended_due": self.keys.ended_due(),
        }

    def follow_up_keys(self, row: JobRecord) -> FollowUpKeys:
        """The keys of a job that follows a document."""
        return FollowUpKeys(
            job=self.keys.job(row.account, row.id),
            waiting=self.keys.waiting(row.lane),
            later=self.keys.later(row.lane),
        )

    def follow_up_values(self, row: JobRecord) -> list[Arg]:
        """What else ``read_follow_up`` (lib/ends.lua) takes of it."""
        delay_ms, life_ms = self.policy.follow_up_ms(row)
        fields = pairs(row.to_hash())
        head = FollowUpValues(
            id=row.id,
            lane=row.lane,
            account=row.account,
            score=row.score,
            delay_ms=delay_ms,
            life_ms=life_ms,
            watches=int(row.is_tracking),
        )
        return [*head, len(fields) // 2, *fields]
