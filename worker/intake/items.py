"""
What each entry of an intake stream becomes, as the script takes it: a job for the ledger, or an end with its event.

No store and no network: what the ledger has to say is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from jobs.batches import NO_TALLY, Tally, tally_of
from jobs.following import follow_ups
from jobs.intake import Accepted, Entry, IntakeDesk, Refused, conflict_errors, remains_of
from jobs.results import final_event, refused_event, replayed_event
from schemas.envelope import Remains
from schemas.event import ErrorDetail, Event
from schemas.factus import BOGOTA
from schemas.records import JobRecord
from worker.keys import Keys
from worker.ledger import event_values
from worker.lua import Arg
from worker.settings import Account

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as the script takes it."""

    entry: Entry
    kind: str
    job_key: str
    document_key: str
    lane: str
    record: JobRecord | None
    account: str | None
    content: str = ""
    event: Sequence[Arg] = ()
    dead: Sequence[Arg] = ()
    must_match: str = ""
    tally: Tally = NO_TALLY
    batch_size: int = 0


class IntakeItems:
    """Makes the items of one process."""

    def __init__(self, keys: Keys, desk: IntakeDesk, accounts: Mapping[str, Account]) -> None:
        self._keys = keys
        self._desk = desk
        self._accounts = accounts

    def examine(self, entry: Entry) -> Item:
        """What becomes of an entry, as far as it can be known without the ledger. Never raises."""
        match self._examined(entry):
            case Accepted(record, answer) if answer is None:
                document = (
                    self._keys.document(record.account, record.family, record.reference_code) if record.issues else ""
                )
                tally = Tally(f"{record.account}/{record.batch}") if record.batch else NO_TALLY
                return self._acceptance(entry, record, document, tally)
            case Accepted(record, answer):
                assert answer is not None
                event = final_event(record, answer, attempts=0, now=self._now(record.account))
                return self._closing(entry, record, event)
            case Refused(remains, errors, content):
                return self._refusal(entry, remains, errors, job_id=remains.id, content=content)

    def _examined(self, entry: Entry) -> Accepted | Refused:
        try:
            return self._desk.examine(entry)
        except Exception as exc:  # whatever a producer found to trip us, the entries behind it go on
            log.exception("intake.defect", entry=entry.id, error=type(exc).__name__)
            fault = ErrorDetail(
                code="internal", message=f"Defecto interno al revisar el trabajo: {type(exc).__name__}."
            )
            return Refused(Remains(None, entry_id=entry.id), (fault,))

    def _acceptance(self, entry: Entry, record: JobRecord, document: str = "", tally: Tally = NO_TALLY) -> Item:
        return Item(
            entry,
            "accept",
            self._keys.job(record.account, record.id),
            document,
            record.lane,
            record,
            record.account,
            record.content,
            tally=tally,
            batch_size=record.batch_size if tally.member else 0,
        )

    def _closing(self, entry: Entry, record: JobRecord, event: Event, document: str = "", must_match: str = "") -> Item:
        """A job that is final as soon as it is taken in: it was answered from what is known."""
        return Item(
            entry,
            "close",
            self._keys.job(record.account, record.id),
            document,
            record.lane,
            _final(record, event.type),
            record.account,
            record.content,
            event_values(event),
            must_match=must_match,
            tally=tally_of(event),
            batch_size=record.batch_size,
        )

    def _refusal(
        self, entry: Entry, remains: Remains, errors: tuple[ErrorDetail, ...], *, job_id: str, content: str
    ) -> Item:
        event = refused_event(remains, errors, job_id=job_id, now=self._now(remains.account))
        record = None
        if content:
            record = _closed_record(remains, entry, content, event.type, errors[0])
        dead: list[Arg] = ["reason", errors[0].code, "errors", event.to_json(), "raw", entry.raw or b""]
        dead += ["stream", entry.stream, "entry", entry.id, "account", remains.account or "", "job_id", job_id]
        log.info(
            "envelope.refused", entry=entry.id, account=remains.account, error=errors[0].code, n_errors=len(errors)
        )
        key = self._keys.job(remains.account or "?", job_id)
        return Item(
            entry,
            "close",
            key,
            "",
            "",
            record,
            remains.account,
            content,
            event_values(event),
            dead,
            tally=tally_of(event),
            batch_size=(remains.batch_size or 0) if remains.batch else 0,
        )

    def conflict(self, item: Item, code: str) -> Item:
        """What becomes of an entry that was fine by itself and met another of its id or reference."""
        entry = item.entry
        remains = remains_of(item.record, entry.raw or b"") if item.record else Remains(None, entry_id=entry.id)
        if code == "id.conflict":
            # The id belongs to another job: this entry's answer goes out under the entry's own id.
            return self._refusal(entry, remains, conflict_errors(code), job_id=entry.id, content="")
        content = item.content if remains.has_own_id else ""
        return self._refusal(entry, remains, conflict_errors(code), job_id=remains.id, content=content)

    def replay(self, item: Item, first: Mapping[str, Any], documents: list[Any]) -> list[Item]:
        """
        The answer from the ledger, and what this push asked to follow the document.

        Args:
            first: The final event of the job that issued it.
            documents: What has been archived of it since.
        """
        record = item.record
        assert record is not None
        event = replayed_event(record, dict(first), documents, now=self._now(record.account))
        closing = self._closing(item.entry, record, event, item.document_key, must_match=record.fingerprint)
        following = follow_ups(record, event.data or {}, seq=event.seq)
        return [closing, *(self._following(item, row) for row in following)]

    def _following(self, item: Item, row: JobRecord) -> Item:
        kind = "watch" if row.is_tracking else "follow"
        return replace(self._acceptance(item.entry, row, item.document_key), kind=kind)

    def _now(self, account: str | None) -> datetime:
        known = self._accounts.get(account or "")
        return datetime.now(known.zone if known else BOGOTA)


def _closed_record(remains: Remains, entry: Entry, content: str, final_type: str, error: ErrorDetail) -> JobRecord:
    return JobRecord(
        account=remains.account or "?",
        id=remains.id,
        type=remains.job_type or "",
        family="",
        lane="",
        entry=entry.id,
        reference_code=remains.reference_code or "",
        batch=remains.batch or "",
        content=content,
        state="final",
        seq=1,
        last_error=error.model_dump_json(),
        final_type=final_type,
    )


def _final(record: JobRecord, final_type: str) -> JobRecord:
    return replace(record, state="final", seq=1, payload="", final_type=final_type)
