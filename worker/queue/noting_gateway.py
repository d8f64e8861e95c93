"""
What is noted of an attempt on its way to Factus: when its create was sent, and its document's number.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from jobs.answers import Absent, Answer, DocumentSeen, Done
from jobs.factus_requests import Request
from jobs.ports import Gateway
from schemas.records import JobRecord
from worker.queue.claims import ClaimedJob


@dataclass(slots=True)
class NotingGateway:
    """
    Factus, and what is noted of an attempt on the way: when it sent, and the number of the job's own document while
    Factus has it, which is what is known when the attempt ends in a defect.
    """

    gateway: Gateway
    reference_code: str
    """The job's own. An attempt looks at documents of other jobs as well: their numbers are not noted."""
    number: str = ""
    began: float = field(default_factory=time.monotonic)
    sent_s: tuple[float, float] | None = None
    """Seconds from the start of the attempt between which its create was sent; None where it has sent none."""

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        asked_s = time.monotonic() - self.began
        seen = await self.gateway.create(job, latest_ms=latest_ms)
        self.sent_s = asked_s, time.monotonic() - self.began
        return self._noted(seen)

    async def find(self, family: str, reference_code: str) -> Answer:
        seen = await self.gateway.find(family, reference_code)
        return self._noted(seen) if reference_code == self.reference_code else seen

    async def find_unvalidated(self, family: str) -> Answer:
        return await self.gateway.find_unvalidated(family)

    async def delete(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> Answer:
        seen = await self.gateway.delete(job, reference_code, settle_ms=settle_ms)
        return self._noted(seen) if reference_code == self.reference_code else seen

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Answer:
        return await self.gateway.call(request, marks=marks)

    def _noted(self, seen: Answer) -> Answer:
        """Note what an answer about the job's own reference says of its document."""
        match seen:
            case DocumentSeen(document) if document.reference_code in (None, self.reference_code):
                self.number = document.number or ""
            case Absent() | Done():
                self.number = ""
            case _:
                pass
        return seen


def sent_ms(claimed: ClaimedJob, gateway: NotingGateway) -> tuple[int, int]:
    """Between which instants Factus got the document, on the Redis server's clock; 0 where we have sent none."""
    job = claimed.job
    if job.pending_since or gateway.sent_s is None:
        # What is sent again while DIAN is silent keeps its first date.
        sent_at_ms = min(filter(None, (job.pending_since, job.sending_at)), default=0)
        return sent_at_ms, sent_at_ms
    asked_ms, answered_ms = (claimed.standing.now_ms + round(at_s * 1000) for at_s in gateway.sent_s)
    # It may have got it from an earlier send that had no answer.
    return job.sending_at or asked_ms, answered_ms
