"""
Every Redis key of the service, in one screenful. Nobody else builds a key name.

Public (docs/contract.md): the streams ``jobs``, ``results``, ``radian`` and ``retry``, and ``token:{account}``. All
else may change freely. Accounts hold no colon and lanes one slash, so no two names can meet. No key holds personal
data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ENDS_AS_A_LIST: Final = re.compile(r":(joined|removals):*\Z")


@dataclass(frozen=True, slots=True)
class Keys:
    """Names under one namespace."""

    namespace: str

    # -- streams ---------------------------------------------------------------------------------------------------
    def jobs(self, account: str | None = None) -> str:
        """Intake; with *account* the own stream of an account with ``own_streams``."""
        return self._stream("jobs", account)

    def retry(self) -> str:
        """Intake of what the operator pushes again (``dead retry``); field ``owner`` beside ``job``. Needs no token."""
        return self._stream("retry", None)

    def intake_facts(self) -> str:
        """Hash: what became of the intake streams, by field and stream (worker/store/lua/look_at_streams.lua)."""
        return f"{self.namespace}:intake:facts"

    def served_accounts(self) -> str:
        """Sorted set: account -> ms at which a living worker served it last."""
        return f"{self.namespace}:intake:served"

    def results(self, account: str | None = None) -> str:
        return self._stream("results", account)

    def radian(self, account: str | None = None) -> str:
        return self._stream("radian", account)

    def dead(self) -> str:
        """Stream of dead letters: ``reason``, ``errors`` (the event), ``raw``, and where it came from."""
        return f"{self.namespace}:dead"

    def denied(self) -> str:
        """List of the ids of dead letters whose push was denied, oldest first: they go before all others."""
        return f"{self.namespace}:intake:denied"

    def counts(self) -> str:
        """
        Hash: ``job type/outcome`` -> how many final events were published (jobs/event_counts.py), by the script that
        published each. Never expires; lib/events.lua builds the name from that of a stream.
        """
        return f"{self.namespace}:counts"

    def ranges(self, account: str) -> str:
        """Hash: ``family/prefix`` -> what the last answer said of a numbering range (worker/queue/range_notes.py)."""
        return f"{self.namespace}:ranges:{account}"

    def outcomes(self, own_streams: Iterable[str]) -> list[str]:
        """Every stream that consumers read: the common ones, and those of the accounts with ``own_streams``."""
        return [stream for owner in (None, *own_streams) for stream in (self.results(owner), self.radian(owner))]

    # -- ledger ----------------------------------------------------------------------------------------------------
    def job(self, account: str, job_id: str) -> str:
        """Hash: everything known of one job (schemas/records.py)."""
        return f"{self.namespace}:job:{account}:{job_id}"

    def job_prefix(self) -> str:
        """What stands before ``account:id`` in the key of a job's record."""
        return f"{self.namespace}:job:"

    def document(self, account: str, family: str, reference_code: str) -> str:
        """
        Hash: who issues, or has issued, the document of one reference code; ``watched_by`` and ``archived_by:JOB``.

        Lists stand beside it under its name and a word; a reference that ends in such a word, after a colon, gets one
        colon more, so that no reference names another one's list.
        """
        more = ":" if _ENDS_AS_A_LIST.search(reference_code) else ""
        return f"{self.namespace}:doc:{account}:{family}:{reference_code}{more}"

    def joined(self, document: str) -> str:
        """List: jobs that wait for the document of that key, issued by another job."""
        return f"{document}:joined"

    def removals(self, document: str) -> str:
        """List: jobs that remove at Factus the document of that key, in the order in which they asked."""
        return f"{document}:removals"

    def bill(self, account: str, number: str) -> str:
        """
        Hash: what is remembered of a bill by its number: ``form`` (``credit`` or ``cash``), and once it is accepted
        ``accepted`` (033 or 034), ``cude``, ``occurred_at``.
        """
        return f"{self.namespace}:bill:{account}:{number}"

    def terms(self) -> str:
        """Sorted set: ``account/job id`` of a watch over a bill -> ms from which the bill is due."""
        return f"{self.namespace}:terms"

    def changes(self, account: str, thing: str) -> str:
        """List: jobs that change one thing of an account at Factus (a range, the company), one after the other."""
        return f"{self.namespace}:changes:{account}:{thing}"

    def cancelled(self, account: str, job_id: str) -> str:
        """List: ids of the jobs that a cancellation has ended."""
        return f"{self.namespace}:changes:{account}:cancelled:{job_id}"

    def ended_ids(self, account: str, job_id: str) -> str:
        """List: ids of the jobs that joined a document whose job has ended, and that are still to end."""
        return f"{self.namespace}:ended:ids:{account}:{job_id}"

    def ended_event(self, account: str, job_id: str) -> str:
        """String: the final event of the job that they joined (JSON)."""
        return f"{self.namespace}:ended:event:{account}:{job_id}"

    def ended_due(self) -> str:
        """Sorted set: ``account/job id`` of a job whom others joined -> ms from which any worker may end these."""
        return f"{self.namespace}:ended:due"

    # -- closing a day ---------------------------------------------------------------------------------------------
    def ends(self, account: str, day: int | None = None) -> str:
        """
        Sorted set: id of a job that issues (or removes) a document -> ms at which it ended; one for each day of UTC,
        counted from 1970. Without a day what stands before it, for the scripts (``lib/day_index.lua``).
        """
        return f"{self.namespace}:day_ends:{account}:" + ("" if day is None else str(day))

    def ends_since(self) -> str:
        """String: ms since which ends are noted; 0 when there were no jobs before."""
        return f"{self.namespace}:day_ends"

    def day_pages(self, account: str, job_id: str) -> str:
        """Hash: the pages that a closing has read so far."""
        return f"{self.namespace}:closing:{account}:pages:{job_id}"

    def foreign_amounts(self, account: str) -> str:
        """Hash: ``family/number`` of a document that is not ours -> its total and tax, as Factus told them once."""
        return f"{self.namespace}:closing:{account}:amounts"

    def day_chain(self, account: str) -> str:
        """Hash: ``sha256`` of the certificate that was made last, and its ``job``. Never expires."""
        return f"{self.namespace}:closing:{account}:chain"

    # -- lanes -----------------------------------------------------------------------------------------------------
    def lanes_due(self) -> str:
        """Sorted set: lane -> ms at which it is next worth a look."""
        return f"{self.namespace}:lanes:due"

    def deadlines(self) -> str:
        """Sorted set: ``account/job id`` -> ms at which an open job's time is up."""
        return f"{self.namespace}:deadlines"

    def lanes(self) -> str:
        """Set of the lanes that have work, due or not; the sweep walks it."""
        return f"{self.namespace}:lanes"

    def lane(self, lane: str) -> str:
        """
        Hash: ``starts``, ``hold_until`` (ms), ``hold_reason``, ``conflict_since`` (ms), ``wait_reason`` (why the last
        look started no more), ``slot_at`` (ms; lib/pace.lua), ``busy_ms`` (what the attempts of a document took so
        far), of a width above one ``width_in_use``, ``narrow_until`` and the rest (lib/width.lua), and of a hold
        ``held_since`` (ms), ``held_for``, ``held_by``, ``held_mend``.
        """
        return f"{self.namespace}:lane:{lane}"

    def waiting(self, lane: str) -> str:
        """Sorted set: job id -> priority and order of arrival."""
        return f"{self.namespace}:lane:{lane}:waiting"

    def later(self, lane: str) -> str:
        """Sorted set: job id -> ms before which it must not run."""
        return f"{self.namespace}:lane:{lane}:later"

    def in_flight(self, lane: str) -> str:
        """Sorted set: job id -> ms at which it was dispatched."""
        return f"{self.namespace}:lane:{lane}:flight"

    def seen(self, lane: str) -> str:
        """List: what each document of late took of its lane, newest first: ``sent ms:ms:gap ms`` (lib/seen.lua)."""
        return f"{self.namespace}:lane:{lane}:seen"

    def day_jobs(self, lane: str, day: str) -> str:
        """Sorted set: the jobs of a lane that must go out on a day and of which nothing was sent -> as in waiting."""
        return f"{self.namespace}:lane:{lane}:day:{day}"

    def batch_jobs(self, lane: str, day: str, batch: str) -> str:
        """Sorted set: the same of a batch; *day* is empty for those that may go out on any."""
        return f"{self.namespace}:lane:{lane}:batch:{day}:{batch}"

    def days(self) -> str:
        """Sorted set: ``account/day`` of the days on which jobs must go out -> ms at which the day is over."""
        return f"{self.namespace}:days"

    def day_told(self, account: str, day: str) -> str:
        """Hash: what was told of an account's day: ``n_told``, ``is_at_risk``, ``will_miss``, ``told_at`` (ms)."""
        return f"{self.namespace}:day:{account}:{day}"

    # -- account ---------------------------------------------------------------------------------------------------
    def rosters(self) -> str:
        """Hash: for each bucket of accounts, with which credentials and marks it was last found unchanged."""
        return f"{self.namespace}:rosters"

    def account(self, account: str) -> str:
        """
        Hash: ``hold_until``, ``hold_reason``, ``outage``, ``outage_since``, ``outage_steps``, ``probe_until``,
        ``margin_ms``, ``throttled_at``, ``slot_at`` (the last instant that was given to a lane), of others who use it
        ``others_until`` and the rest (lib/others.lua), ``blocked:SCOPE`` (ms), ``credentials`` (the mark of those of
        the last start), and of a hold ``held_since`` and the rest as a lane has them.
        """
        return f"{self.namespace}:account:{account}"

    def grants(self, account: str) -> str:
        """List: the newest grants of the rate limit, ms, newest first."""
        return f"{self.namespace}:grants:{account}"

    def token(self, account: str) -> str:
        """Hash: the shared access token (contract G5)."""
        return f"{self.namespace}:token:{account}"

    def token_refused(self, account: str) -> str:
        """String with a short life: what the token route has just answered instead of a token."""
        return f"{self.namespace}:token:{account}:refused"

    def token_lock(self, account: str) -> str:
        return f"{self.namespace}:token:{account}:lock"

    # -- process ---------------------------------------------------------------------------------------------------
    def arq_queue(self) -> str:
        return f"{self.namespace}:arq:queue"

    def wake(self) -> str:
        """Pub/sub channel: work was enqueued."""
        return f"{self.namespace}:wake"

    def leader(self, task: str, accounts: Iterable[str] | None = None) -> str:
        """
        String: the worker that runs *task* (``intake``, ``sweep``) just now; with *accounts*, among those that serve
        the same.
        """
        if accounts is None:
            return f"{self.namespace}:leader:{task}"
        names = "\n".join(sorted(accounts)).encode()
        return f"{self.namespace}:leader:{task}:{hashlib.sha256(names).hexdigest()[:16]}"

    def worker(self, worker_id: str) -> str:
        """Hash with a short life: one living worker process, for ``status``."""
        return f"{self.namespace}:worker:{worker_id}"

    def write_probe(self, name: str) -> str:
        """String with a short life: ``status`` tries whether Redis takes writes."""
        return f"{self.namespace}:probe:{name}"

    def workers(self) -> str:
        """Sorted set: worker id -> ms of its last heartbeat."""
        return f"{self.namespace}:workers"

    # -- webhooks --------------------------------------------------------------------------------------------------
    def hooks(self) -> str:
        """
        What stands before the keys of endpoints, deliveries and bodies: ``endpoint:NAME`` (hash: ``state``,
        ``failing_since``, ``bytes`` ...) with ``:due``, ``:leased``, ``:order`` and ``:failed`` beside it,
        ``delivery:NAME:ID`` and ``body:NAME`` (worker/store/lua/lib/deliveries.lua).
        """
        return f"{self.namespace}:hooks:"

    def hook(self, endpoint: str, of: str = "") -> str:
        """An endpoint's hash, or with *of* (``due``, ``leased``, ``order``, ``failed``) what stands beside it."""
        return f"{self.hooks()}endpoint:{endpoint}" + (f":{of}" if of else "")

    def delivery(self, endpoint: str, message: str) -> str:
        """Hash: one delivery (``webhook-id``) to an endpoint."""
        return f"{self.hooks()}delivery:{endpoint}:{message}"

    def hook_places(self) -> str:
        """Hash: endpoint -> where it stands in each stream, JSON."""
        return f"{self.hooks()}places"

    def hook_looks(self) -> str:
        """Sorted set: endpoint -> ms at which something of it is to be done."""
        return f"{self.hooks()}next"

    def hooks_seen(self) -> str:
        """Sorted set: endpoint -> ms at which a process had it in its file last."""
        return f"{self.hooks()}seen"

    def hook_processes(self) -> str:
        """Sorted set: id of a process that delivers -> ms of its last sign of life."""
        return f"{self.hooks()}processes"

    def hook_process(self, process_id: str) -> str:
        """Hash with a short life: what has failed in a living process that delivers, for ``status``."""
        return f"{self.hooks()}process:{process_id}"

    def hook_rotations(self) -> str:
        """Hash: endpoint -> which secrets leave, by their digest, and when (JSON). No secret stands here."""
        return f"{self.hooks()}rotations"

    # -- batches ---------------------------------------------------------------------------------------------------
    def batch(self, member: str) -> str:
        """Hash: size, counts and sums of a batch; *member* is ``account/batch``."""
        return f"{self.namespace}:batch:{member}"

    def batch_failures(self, member: str) -> str:
        """List: the failures of a batch that are kept by name. Its colon stands where no member has one: producers name
        their batches as they like."""
        return self.batch(f":failures:{member}")

    def batch_documents(self, member: str) -> str:
        """Set: ``family/reference`` of the documents whose money a batch has counted."""
        return self.batch(f":documents:{member}")

    def batches_due(self) -> str:
        """Set: ``account/batch`` whose jobs are all final and whose closing event is still to be published."""
        return f"{self.namespace}:batches:due"

    def _stream(self, name: str, account: str | None) -> str:
        return f"{self.namespace}:{name}" + (f":{account}" if account else "")
