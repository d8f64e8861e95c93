"""
The ledger on Redis: what every job and document has come to. The only truth about progress.

Every change is one Lua script, fenced: whoever lost a job to another worker is refused and writes nothing. Events are
published by the script that changes the record, so neither exists without the other.

Here the end of an attempt is written. What is read is in ``ledger_reader.py``; what an attempt asks while it runs is in
``journal.py`` and ``change_locks.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arq.constants import in_progress_key_prefix, job_key_prefix
from redis.exceptions import RedisError

from jobs.batches import NO_TALLY, tally_of
from jobs.outcomes import Finished, Retry
from schemas.names import in_account
from schemas.records import JobRecord
from worker.queue.attempt_write import AttemptWrite, events_packed, notices_packed, term_packed
from worker.queue.claims import ClaimedJob, Claimer
from worker.queue.dispatcher import LaneKeys, LaneScriptArguments, LaneValues
from worker.queue.ended_owners import EndedOwners
from worker.queue.job_script_arguments import JobScriptArguments
from worker.queue.ledger_errors import lease_lost, ledger_error
from worker.queue.script_values import TallyValues, pairs, tally_values
from worker.store.keys import Keys
from worker.store.scripts import Arg, ScriptArgs, ScriptKeys, Scripts


class Ledger:
    """Writes the ends of attempts: the job goes on, is final, or has its last word."""

    def __init__(
        self,
        scripts: Scripts,
        keys: Keys,
        of_lanes: LaneScriptArguments,
        of_jobs: JobScriptArguments,
        claimer: Claimer,
        ended_owners: EndedOwners,
    ) -> None:
        self._scripts = scripts
        self._keys = keys
        self._of_lanes = of_lanes
        self._of_jobs = of_jobs
        self._policy = of_jobs.policy
        self._claimer = claimer
        self._ended_owners = ended_owners

    async def pause(self, claimed: ClaimedJob, ending: Retry, write: AttemptWrite) -> int:
        """
        The attempt ends and the job stays open; what was started in its place is run.

        Returns:
            How many jobs of the lane were started.

        Raises:
            LeaseLost: Another worker has the job; nothing was written.
            LedgerUnavailable: No answer from Redis; it may have been written.
            LedgerRefused: It cannot be written; nothing was.
        """
        end: dict[str, Arg] = {
            "ending": ending.waits,
            "pause_ms": round(ending.pause_s * 1000),
            "reason": ending.reason.code,
            "document_state": "",
            "narrows": int(ending.narrows),
        }
        return await self._finish(claimed, end, write, ())

    async def close(
        self, claimed: ClaimedJob, final: Finished, write: AttemptWrite, following: Sequence[JobRecord] = ()
    ) -> int:
        """
        The job is final; what was started in its place is run. Jobs that joined its document end after it
        (``joined_jobs.py``).

        Args:
            following: The jobs that this document starts.

        Returns, raises:
            As :meth:`pause`.
        """
        end: dict[str, Arg] = {
            "ending": "final",
            "pause_ms": round(final.free_in_s * 1000),
            "reason": _left(final),
            "document_state": final.state,
            "narrows": 0,
        }
        return await self._finish(claimed, end, write, following)

    async def last_word(self, claimed: ClaimedJob, final: Finished, write: AttemptWrite) -> None:
        """
        The job is final although a key beside it keeps :meth:`close` from saying so: its event, and of the rest what
        can be done.

        Raises:
            As :meth:`pause`.
        """
        job = claimed.job
        member = in_account(job.account, job.id)
        keys = {
            "job": self._keys.job(job.account, job.id),
            "results": self._of_jobs.results_stream(job),
            "dead": self._keys.dead(),
            "deadlines": self._keys.deadlines(),
            "batches_due": self._keys.batches_due(),
            "flight": self._keys.in_flight(job.lane),
            "queue": self._keys.arq_queue(),
            "lanes_due": self._keys.lanes_due(),
            **self._of_jobs.document_keys(job),
        }
        args: ScriptArgs = {
            "id": job.id,
            "arq_id": claimed.arq_id,
            "fence": job.fence,
            "document_state": final.state,
            "retention_ms": self._policy.retention_ms,
            "maxlen": self._policy.results_maxlen,
            "batch_prefix": self._keys.batch(""),
            "arq_job_prefix": job_key_prefix,
            "mark_prefix": in_progress_key_prefix,
            "lane": job.lane,
            "number": final.number,
            "error": write.fields.get("last_error", ""),
            "member": member,
            **self._of_jobs.end_noted(job),
            "n_events": len(write.events),
            "n_dead": len(write.dead),
            "rest": [*self._own_tally(job, write), *events_packed(write), *pairs(write.dead)],
        }
        try:
            word, *rest = await self._scripts.run("last_word", keys, args)
        except RedisError as exc:
            raise ledger_error(exc, "the last word of a job could not be written") from exc
        if word == b"lost":
            raise lease_lost(job)
        if rest[0]:
            self._ended_owners.add(member)

    async def _finish(
        self, claimed: ClaimedJob, end: Mapping[str, Arg], write: AttemptWrite, follow_ups: Sequence[JobRecord]
    ) -> int:
        job = claimed.job
        lane_keys, lane_values = self._of_lanes.arguments(job.lane)
        keys = self._end_keys(job, write, follow_ups, lane_keys)
        args = self._end_values(claimed, end, write, follow_ups, lane_values)
        try:
            word, *rest = await self._scripts.run("end_attempt", keys, args)
        except RedisError as exc:
            raise ledger_error(exc, "the end of an attempt could not be written") from exc
        if word == b"lost":
            raise lease_lost(job)
        n_joined, n_started, *rows = rest
        if n_joined:
            self._ended_owners.add(in_account(job.account, job.id))
        self._claimer.receive(n_started, rows)
        return int(n_started)

    def _end_keys(
        self, job: JobRecord, write: AttemptWrite, follow_ups: Sequence[JobRecord], lane_keys: LaneKeys
    ) -> ScriptKeys:
        return {
            "lane": lane_keys,
            "job": self._keys.job(job.account, job.id),
            "results": self._of_jobs.results_stream(job),
            "notices": self._of_jobs.results_of(job.account),
            "dead": self._keys.dead(),
            "deadlines": self._keys.deadlines(),
            "batches_due": self._keys.batches_due(),
            **self._of_jobs.document_keys(job),
            **self._of_jobs.bill_keys(job, write.bill),
            "follow_ups": [key for row in follow_ups for key in self._of_jobs.follow_up_keys(row)],
        }

    def _end_values(
        self,
        claimed: ClaimedJob,
        end: Mapping[str, Arg],
        write: AttemptWrite,
        follow_ups: Sequence[JobRecord],
        lane_values: LaneValues,
    ) -> ScriptArgs:
        job = claimed.job
        return {
            "lane": lane_values,
            "claimer": self._claimer.arguments(),
            "id": job.id,
            "arq_id": claimed.arq_id,
            "fence": job.fence,
            **end,
            "retention_ms": self._policy.retention_ms,
            "maxlen": self._policy.results_maxlen,
            "goes_on": int(write.goes_on),
            "health": write.health,
            "n_events": len(write.events),
            "n_fields": len(write.fields),
            "n_dead": len(write.dead),
            "n_notices": len(write.notices),
            "n_facts": len(write.bill.facts) if write.bill else 0,
            "term": term_packed(write.bill),
            "n_follow_ups": len(follow_ups),
            "batch_prefix": self._keys.batch(""),
            **self._of_jobs.end_noted(job),
            "mend": write.mend,
            "rest": [
                *pairs(write.fields),
                *pairs(write.dead),
                *(self._own_tally(job, write) if end["ending"] == "final" else ()),
                *events_packed(write),
                *notices_packed(write),
                *(pairs(write.bill.facts) if write.bill else ()),
                *(value for row in follow_ups for value in self._of_jobs.follow_up_values(row)),
            ],
        }

    def _own_tally(self, job: JobRecord, write: AttemptWrite) -> TallyValues:
        # A job that follows another is no member of its batch: that one has been counted.
        return tally_values(NO_TALLY if job.parent or not write.events else tally_of(write.events[-1]))


def _left(final: Finished) -> str:
    return "stays" if final.leaves_a_document else ""
