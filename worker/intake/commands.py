"""
What each entry of an intake stream becomes: a command to the script, for a job in the ledger or an end with its event.

No store and no network: what the ledger has to say is an argument.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import structlog

from jobs.batches import NO_TALLY, Tally, tally_of
from jobs.closing.day_index import member_of, refusal_of
from jobs.entry import Accepted, Entry, Refused
from jobs.events import event_id, final_event, refused_event, replayed_event
from jobs.fiscal_day import day_bounds_ms, start_window_ms
from jobs.follow_ups import follow_ups
from jobs.intake import NO_ACCOUNT, EntryValidator, conflict_errors, remains_of
from jobs.rights.traces import without_token
from schemas.contract.envelope import MAX_JOB_BYTES, PartialEnvelope
from schemas.contract.event import ErrorDetail, Event
from schemas.factus import BOGOTA
from schemas.names import in_account
from schemas.records import JobRecord, JobState
from worker.intake.policy import IntakePolicy
from worker.intake.script_arguments import EntryKeys, EntryValues, IntakeCommand, Kind, lay_out
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.script_values import event_values
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import Arg

log = structlog.get_logger()


class IntakeCommands:
    """Makes the commands of one process."""

    def __init__(
        self,
        keys: Keys,
        validator: EntryValidator,
        accounts: Mapping[str, Account],
        bounds: IntakePolicy,
        policy: LedgerPolicy,
    ) -> None:
        self._keys = keys
        self._validator = validator
        self._accounts = accounts
        self._bounds = bounds
        self._policy = policy

    def validate(self, entry: Entry) -> IntakeCommand:
        """
        What becomes of an entry, as far as it can be known without the ledger.

        Raises:
            Exception: A defect of ours, or what cannot be laid out: a text without a UTF-8 form, an instant beyond the
                calendar. The entry then becomes what :meth:`defect` says.
        """
        match self._validator.validate(entry):
            case Accepted(record, None):
                return self._acceptance(entry, record)
            case Accepted(record, answer):
                assert answer is not None
                event = final_event(record, answer, attempts=0, now=self._now(record.account))
                return self._closing(entry, record, event)
            case Refused(remains, errors, content, denial=denial, repeats=repeats):
                refusal = self._refusal(entry, remains, errors, job_id=remains.id, content=content, repeats=repeats)
                return replace(refusal, denial=denial) if denial else refusal

    def _content_of_a_future(self, entry: Entry) -> str:
        """
        What tells two refused entries of one id apart, where there can be two: a stream whose last id lies in the
        future is made anew, and takes the same ids once more. Empty for the ids of every day, which Redis gives once.
        """
        ms = int(entry.id.partition("-")[0])
        is_ahead = ms > self._validator.now_ms() + self._bounds.ahead_ms / 2  # half: our clock and the server's differ
        parts = [entry.raw or b"", entry.sha256.encode(), b"" if entry.n_jobs == 1 else b"%d" % entry.n_jobs]
        return hashlib.sha256(b"".join(parts)).hexdigest() if is_ahead else ""

    def defect(self, entry: Entry, error: Exception) -> IntakeCommand:
        """An entry that tripped us: refused as ``internal``, with what can be read of it."""
        refused = self._validator.refused_unread(entry, _internal(error))
        return self._refusal(entry, refused.remains, refused.errors, job_id=refused.remains.id, content=refused.content)

    def bare_defect(self, entry: Entry, error: Exception) -> IntakeCommand:
        """The same where even that cannot be written: nothing of the entry's own words goes along but its bytes."""
        remains = PartialEnvelope(None, entry_id=entry.id)
        remains.account = entry.owner or None
        return self._refusal(entry, remains, (_internal(error),), job_id=entry.id, content="", is_bare=True)

    def _acceptance(self, entry: Entry, record: JobRecord) -> IntakeCommand:
        zone = self._accounts[record.account].zone
        start_ms, end_ms = start_window_ms(record, zone)
        document = self._document_of(record) if record.issues else ""
        values = EntryValues(
            Kind.ACCEPT,
            entry.id,
            record.id,
            record.lane,
            record.content,
            record.fingerprint,
            start_ms=start_ms,
            end_ms=end_ms,
            score=record.score,
            deadline_ms=self._policy.deadline_ms,
            size=record.batch_size if record.batch else 0,
            day=record.issue_on,
            day_ends_ms=day_bounds_ms(record.issue_on, zone)[1] if record.issue_on else 0,
        )
        tally = Tally(in_account(record.account, record.batch)) if record.batch else NO_TALLY
        keys = self._keys_of(entry, record, document)
        return lay_out(entry, record.account, record, keys, values, tally=tally, fields=_fields(record, start_ms))

    def _document_of(self, record: JobRecord) -> str:
        return self._keys.document(record.account, record.family, record.reference_code)

    def _following(self, entry: Entry, document: str, row: JobRecord) -> IntakeCommand:
        """A job that follows a document: it counts in no batch."""
        delay_ms, life_ms = self._policy.follow_up_ms(row)
        start_ms = round(time.time() * 1000) + delay_ms if delay_ms else 0
        kind = Kind.WATCH if row.is_tracking else Kind.FOLLOW
        values = EntryValues(
            kind,
            entry.id,
            row.id,
            row.lane,
            row.content,
            start_ms=start_ms,
            score=row.score,
            deadline_ms=life_ms,
        )
        return lay_out(
            entry, row.account, row, self._keys_of(entry, row, document), values, fields=_fields(row, start_ms)
        )

    def _closing(
        self, entry: Entry, record: JobRecord, event: Event, document: str = "", must_match: str = ""
    ) -> IntakeCommand:
        """A job that is final as soon as it is taken in: it was answered from what is known."""
        final = replace(record, state=JobState.FINAL, seq=1, payload="", final_type=event.type)
        return lay_out(
            entry,
            record.account,
            final,
            self._keys_of(entry, record, document),
            EntryValues(
                Kind.CLOSE, entry.id, record.id, record.lane, record.content, must_match, size=record.batch_size
            ),
            tally=tally_of(event),
            fields=_fields(final),
            event=event_values(event),
        )

    def _keys_of(self, entry: Entry, record: JobRecord, document: str) -> EntryKeys:
        known = self._accounts.get(record.account)
        return EntryKeys(
            stream=entry.stream,
            results=self._keys.results(record.account if known and known.own_streams else None),
            job=self._keys.job(record.account, record.id),
            document=document or entry.stream,
            joined=self._keys.joined(document) if document else entry.stream,
            waiting=self._keys.waiting(record.lane),
            later=self._keys.later(record.lane),
        )

    def _refusal(
        self,
        entry: Entry,
        remains: PartialEnvelope,
        errors: tuple[ErrorDetail, ...],
        *,
        job_id: str,
        content: str,
        is_bare: bool = False,
        repeats: JobRecord | None = None,
    ) -> IntakeCommand:
        """
        An entry that is refused, under *job_id*.

        Args:
            content: What tells it from others of that id; empty where no other can have it.
            is_bare: No record is made, whatever the id.
            repeats: The job that it would be, where its document is validated with the same payload already.
        """
        event = refused_event(remains, errors, job_id=job_id, now=self._now(remains.account))
        is_denied = errors[0].code == "auth.denied"
        of_a_future = self._content_of_a_future(entry)
        if is_denied:
            # Who may not act for the account takes the place of none of its events either.
            own = f"{entry.id}.{of_a_future[:12]}" if of_a_future else entry.id
            event = event.model_copy(update={"id": event_id(remains.account, own if remains.has_own_id else job_id, 1)})
        record = None
        if not is_bare and (content or of_a_future):
            record = _closed_record(remains, entry, job_id, content or of_a_future, event.type, errors[0])
        # Without a record no key of the ledger is touched: a wrong one there cannot keep the refusal back.
        key = self._keys.job(*_place_of_id(entry, remains, job_id, is_denied=is_denied)) if record else entry.stream
        document = self._document_of(repeats) if repeats else entry.stream
        values = EntryValues(
            Kind.REFUSE if repeats else Kind.CLOSE,
            entry.id,
            record.id if record else "",
            content=record.content if record else "",
            fingerprint=repeats.fingerprint if repeats else "",
            size=(remains.batch_size or 0) if remains.batch and not is_denied else 0,
            ends_prefix=self._keys.ends(remains.account or ""),
            ends_member="" if is_denied else self._end_noted(remains, record, errors[0], job_id),
        )
        command = lay_out(
            entry,
            remains.account,
            record,
            # To the producer, by the way on which the job came.
            EntryKeys(entry.stream, self._keys.results(entry.owner or None), key, document, *[entry.stream] * 3),
            values,
            tally=NO_TALLY if is_denied else tally_of(event),
            fields=_fields(record) if record else {},
            event=event_values(event),
            letter=self._letter(entry, remains, event, job_id),
            errors=errors,
        )
        return replace(command, repeats=repeats) if repeats else command

    def _end_noted(self, remains: PartialEnvelope, record: JobRecord | None, error: ErrorDetail, job_id: str) -> str:
        """How a refusal is noted for whoever closes the day (``lib/day_index.lua``): by its record where it has one."""
        if remains.account not in self._accounts:
            return ""
        type_ = remains.job_type or ""
        return member_of(type_, record.id) if record else refusal_of(type_, job_id, remains.reference_code, error)

    def _letter(self, entry: Entry, remains: PartialEnvelope, event: Event, job_id: str) -> list[Arg]:
        assert event.errors is not None
        raw = without_token(entry.raw or b"")
        letter: list[Arg] = ["reason", event.errors[0].code, "errors", event.to_json()]
        letter += ["raw", raw[: MAX_JOB_BYTES if not entry.size else self._bounds.letter_bytes]]
        # By whose way it came first: an operator who pushes it again takes nobody's place.
        stream = self._keys.jobs(entry.owner or None) if entry.is_operators else entry.stream
        letter += ["stream", stream, "entry", entry.id, "account", remains.account or "", "job_id", job_id]
        return [*letter, "size", entry.size, "sha256", entry.sha256] if entry.size else letter

    def conflict(self, command: IntakeCommand, code: str) -> IntakeCommand:
        """What becomes of an entry that was fine by itself and met another of its id or reference."""
        entry, record, errors = command.entry, command.record, command.errors
        remains = remains_of(record, entry.raw or b"") if record else PartialEnvelope(None, entry_id=entry.id)
        content = record.content if record else ""
        if code == "id.conflict" and record and errors and _is_of_entry(record.id, entry):
            # The entry's id had an end before (see _content_of_a_future), and this one is refused anyhow.
            remains.id = _next_id(record.id)
            repeats = replace(command.repeats, id=remains.id) if command.repeats else None
            return self._refusal(entry, remains, errors, job_id=remains.id, content=content, repeats=repeats)
        if errors and errors[0].code == "auth.denied":
            # Denied before under this id, with another content: denied again, and nothing is told of what is known.
            refusal = self._refusal(entry, remains, errors, job_id=entry.id, content="")
            return replace(refusal, denial=command.denial)
        if code == "id.conflict" and record and not remains.has_own_id and command.kind is Kind.ACCEPT:
            # Redis gives an id once; but a clock was set back, or somebody took it before its time. It is no fault of
            # whoever pushed this job.
            return self._acceptance(entry, replace(record, id=_next_id(record.id)))
        if code == "id.conflict":
            # The id belongs to another job: this entry's answer goes out under the entry's own id.
            return self._refusal(entry, remains, conflict_errors(code), job_id=entry.id, content="")
        content = content if remains.has_own_id else ""
        return self._refusal(entry, remains, conflict_errors(code), job_id=remains.id, content=content)

    def replay(self, command: IntakeCommand, first: Mapping[str, Any], documents: list[Any]) -> list[IntakeCommand]:
        """
        The answer from the ledger, and what this push asked to follow the document.

        Args:
            first: The final event of the job that issued it.
            documents: What has been archived of it since.
        """
        entry, record, document = command.entry, command.repeats or command.record, command.keys.document
        assert record is not None
        event = replayed_event(record, dict(first), documents, now=self._now(record.account))
        closing = self._closing(entry, record, event, document, must_match=record.fingerprint)
        following = follow_ups(record, event.data or {}, seq=event.place, validated_at=first["time"])
        return [closing, *(self._following(entry, document, row) for row in following)]

    def _now(self, account: str | None) -> datetime:
        known = self._accounts.get(account or "")
        return datetime.now(known.zone if known else BOGOTA)


def _is_of_entry(id_: str, entry: Entry) -> bool:
    """Whether a job bears its entry's id, or one that follows it."""
    return id_ == entry.id or id_.startswith(f"{entry.id}.")


def _next_id(id_: str) -> str:
    """For a job whose entry's id another one had before: ``5-0``, ``5-0.2``, ``5-0.3`` ..."""
    base, _, n = id_.partition(".")
    return f"{base}.{int(n or 1) + 1}"


def is_of_unknown_account(command: IntakeCommand) -> bool:
    """Whether an entry is refused for nothing but that this process does not serve its account."""
    return [error.code for error in command.errors] == ["account.unknown"]


def log_refusal(command: IntakeCommand) -> None:
    """Say in the log that an entry is refused, and why; *command* may be any."""
    if command.errors:
        facts: dict[str, Any] = {"error": command.errors[0].code, "n_errors": len(command.errors)}
        if command.denial:
            # A producer whose token ran out, or somebody who tries tokens out: nobody but the log is told which.
            facts |= {"check": command.denial.check.value, "kid": command.denial.kid}
            log.warning("envelope.refused", entry=command.entry.id, account=command.account, **facts)
            return
        # An account that is missing here is the operator's to add; all else the producer corrects.
        if is_of_unknown_account(command):
            log.error("envelope.refused", entry=command.entry.id, account=command.account, **facts)
        else:
            log.info("envelope.refused", entry=command.entry.id, account=command.account, **facts)


_DENIED: Final = "!"
"""Stands for the account in the keys of denied jobs; no account can have that name."""


def _place_of_id(entry: Entry, remains: PartialEnvelope, job_id: str, *, is_denied: bool) -> tuple[str, str]:
    """
    Account and id under which the record of a refused job stands, so that the same push has one answer.

    One that was denied uses up no id of the account that it named: it has a place of its own.
    """
    account = remains.account or NO_ACCOUNT
    return (_DENIED, f"{entry.owner}/{account}/{job_id}") if is_denied else (account, job_id)


def _internal(error: Exception) -> ErrorDetail:
    return ErrorDetail(code="internal", message=f"Defecto interno al revisar el trabajo: {type(error).__name__}.")


def _closed_record(
    remains: PartialEnvelope, entry: Entry, job_id: str, content: str, final_type: str, error: ErrorDetail
) -> JobRecord:
    return JobRecord(
        account=remains.account or NO_ACCOUNT,
        id=job_id,
        type=remains.job_type or "",
        family="",
        lane="",
        entry=entry.id,
        source=entry.owner,
        reference_code=remains.reference_code or "",
        batch=remains.batch or "",
        content=content,
        state=JobState.FINAL,
        seq=1,
        last_error=error.model_dump_json(),
        final_type=final_type,
    )


def _fields(record: JobRecord, start_ms: int = 0) -> dict[str, str]:
    """A record as it is stored; *start_ms* before which it may not be begun, where there is such an instant."""
    fields = record.to_hash()
    if start_ms:
        fields["start_at"] = str(start_ms)
    return fields
