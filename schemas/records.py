"""
Ledger records exactly as stored, versioned.

One hash per job and one per document. All values are text in Redis; this module is the only reader and writer of that
form. Open records never expire; final ones live ``FACTUS_LEDGER_DAYS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from schemas import names, strict_json

VERSION: Final = "1"

PRIORITY_RANK: Final = {"high": 0, "normal": 1, "low": 2}
_BAND: Final = 10**15
_SEQ_PER_MS: Final = 2048
_EPOCH_MS: Final = 1_735_689_600_000  # 2025-01-01T00:00:00Z: keeps a score within the 53 bits of a double


def queue_score(priority: str, entry_id: str, now_ms: int) -> int:
    """
    The place of a job in its lane: priority first, then the order of the intake stream.

    Exact as a double until the year 2039. Entries beyond 2,048 in one millisecond share a place; so do those with an
    invented id from before 2025. An id of the future counts as of now: it stands behind nobody who comes later.
    """
    ms, _, seq = entry_id.partition("-")
    elapsed_ms = min(max(min(int(ms), now_ms) - _EPOCH_MS, 0), _BAND // _SEQ_PER_MS - 1)
    return PRIORITY_RANK[priority] * _BAND + elapsed_ms * _SEQ_PER_MS + min(int(seq or 0), _SEQ_PER_MS - 1)


def pushed_at_ms(entry_id: str, now_ms: int) -> int:
    """When an entry was pushed, by its id. An invented one (of the future, from before 2025) counts as of *now_ms*."""
    found = entry_id.partition("-")[0]
    ms = int(found) if _WHOLE_NUMBER.fullmatch(found) else 0
    return ms if _EPOCH_MS <= ms <= now_ms else now_ms


def score_with_priority(score: int, priority: str) -> int:
    """The place of a job that came when the one with *score* did, at a priority of its own."""
    return PRIORITY_RANK[priority] * _BAND + score % _BAND


def score_by(at_ms: int, priority: str) -> int:
    """The place of a job that should run by an instant, among those of its priority."""
    return queue_score(priority, f"{max(at_ms, 0)}-0", max(at_ms, 0))


def pushed_ms_of(score: int) -> int:
    """When the job was pushed that has this place, about."""
    return _EPOCH_MS + score % _BAND // _SEQ_PER_MS


def score_bands() -> tuple[tuple[int, int], ...]:
    """The places of what comes back, and of each priority: from, and up to."""
    return ((-_BAND, 0), *((rank * _BAND, (rank + 1) * _BAND) for rank in PRIORITY_RANK.values()))


class JobState(StrEnum):
    """Where a job stands, as stored."""

    WAITING = "waiting"
    """In its lane, or held until later."""
    INFLIGHT = "inflight"
    JOINED = "joined"
    """The document is issued by another job."""
    FINAL = "final"


class SendState(StrEnum):
    """What a job may have at Factus, as stored."""

    NOTHING = ""
    SENDING = "sending"
    """From before the first byte until the answer is written: a record found so is of unknown outcome."""
    UNKNOWN = "unknown"
    """Sent, and nobody knows what came of it: it is looked up first."""
    DELETING = "deleting"
    """DIAN rejected it, and it is being removed at Factus."""


class DocumentState(StrEnum):
    """What became of a document, as stored."""

    OPEN = "open"
    VALIDATED = "validated"
    REJECTED = "rejected"
    FAILED = "failed"


class WaitReason(StrEnum):
    """Why the last look at a lane started no more, as stored (``lib/lanes.lua``)."""

    NOTHING = ""
    """Nothing waited; also what a word means that this version does not know: nothing is said of it."""
    WIDTH = "width"
    """As many are under way as may be."""
    HOLD = "hold"
    ALLOWANCE = "allowance"
    PRECEDENCE = "precedence"
    PROBE = "probe"
    """A single attempt asks whether Factus answers again."""

    @classmethod
    def read(cls, word: str) -> WaitReason:
        return _WAIT_REASONS.get(word, cls.NOTHING)


_WAIT_REASONS: Final = {reason.value: reason for reason in WaitReason}


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """
    One job. Instants are milliseconds since 1970 on the Redis server's clock; 0 means "not set".

    ``epoch`` counts dispatches. ``fence`` rises with each run of an attempt, and goes by the server's clock so that no
    two runs ever have the same: a writer that holds another fence is refused.
    ``verdict`` holds why DIAN rejected it, as errors in JSON; it is being removed since ``deleting_at``. ``parent`` is
    the issuing job that a follow-up (archive, RADIAN) belongs to; ``progress`` what a job of several calls has done so
    far, as JSON of its own. ``defects`` counts the attempts in a row that ended in a defect of ours.
    ``tax_amount``, ``prefix`` and ``issued_ms`` (when Factus made it) are Factus's, of a validated document: whoever
    closes its day needs them.

    What is stored as JSON is read once: ``parsed_options`` and its like are to be looked at, not to be changed, and
    raise :class:`~schemas.strict_json.JsonRefused` where the record is damaged. The payload alone is not kept in that
    form.
    """

    v: str = VERSION
    account: str
    id: str
    type: str
    family: str
    lane: str
    entry: str
    source: str = ""
    priority: str = "normal"
    score: int = 0
    reference_code: str = ""
    batch: str = ""
    batch_size: int = 0
    metadata: str = "{}"
    options: str = "{}"
    traceparent: str = ""
    content: str = ""
    fingerprint: str = ""
    payload: str = ""
    warnings: str = ""
    total: str = ""
    tax_amount: str = ""
    prefix: str = ""
    issued_ms: int = 0
    party: str = ""
    state: JobState = JobState.WAITING
    epoch: int = 0
    fence: int = 0
    attempts: int = 0
    seq: int = 0
    failures: int = 0
    defects: int = 0
    accepted_at: int = 0
    start_at: int = 0
    expires_at: int = 0
    deadline_at: int = 0
    issue_on: str = ""
    sent: SendState = SendState.NOTHING
    sending_at: int = 0
    deleting_at: int = 0
    pending_since: int = 0
    verdict: str = ""
    number: str = ""
    parent: str = ""
    progress: str = ""
    next_at: int = 0
    last_error: str = ""
    final_type: str = ""
    final_at: int = 0
    worker: str = ""

    if not TYPE_CHECKING:

        def __init__(self, **given: Any) -> None:
            # The one that a frozen dataclass gets sets each of 48 fields by a call of its own: 12 us for each job, and
            # for each of its states. What is not given stands in the class.
            if not (_REQUIRED <= given.keys() <= _NAMES):
                raise TypeError(f"wrong fields of a job record: {sorted(_NAMES.symmetric_difference(given))}")
            self.__dict__.update(given)

    @property
    def issues(self) -> bool:
        """Whether it issues a document; else it reads, asks or follows one."""
        return names.issues(self.type)

    @property
    def is_tracking(self) -> bool:
        """Whether it watches the RADIAN events of a document: it publishes to their stream, and has no final event."""
        return names.verb_of(self.type) == names.TRACK

    @property
    def is_final(self) -> bool:
        return self.state == JobState.FINAL

    @property
    def is_uncertain(self) -> bool:
        """Whether something was sent and nobody knows what came of it."""
        return self.sent in _UNCERTAIN

    @property
    def is_unsent(self) -> bool:
        """
        Whether Factus surely has nothing of this job. ``unknown`` without a sending of its own is said of its
        reference: an earlier job has tried it, or another one removes what bears it.
        """
        return not (self.attempts or self.pending_since or (self.is_uncertain and self.sending_at))

    @property
    def is_being_removed(self) -> bool:
        """Whether DIAN rejected the document, and its removal at Factus has begun."""
        return self.sent == SendState.DELETING

    @cached_property
    def parsed_options(self) -> Mapping[str, Any]:
        """The options that the job has; those that stand by their default are not there."""
        return _object(self.options)

    @property
    def archives(self) -> tuple[str, ...]:
        """The kinds of files that are to be archived."""
        return tuple(self.parsed_options.get("archive") or ())

    @property
    def tracks_radian(self) -> bool:
        return bool(self.parsed_options.get("track_radian"))

    @property
    def accepts_tacitly(self) -> bool:
        """Whether the tacit acceptance (034) is declared when the term is over."""
        return bool(self.parsed_options.get("tacit_acceptance"))

    @property
    def goes_after_acceptance(self) -> bool:
        """Whether a note is issued although its bill has been accepted."""
        return bool(self.parsed_options.get("after_acceptance"))

    @property
    def deletes_rejected(self) -> bool:
        """Whether a document that DIAN rejects is removed at Factus; it is unless the producer says no."""
        return bool(self.parsed_options.get("delete_rejected", True))

    @cached_property
    def parsed_metadata(self) -> Mapping[str, Any]:
        return _object(self.metadata)

    @cached_property
    def parsed_warnings(self) -> tuple[Mapping[str, Any], ...]:
        """The warnings of the payload and of the options, as error details."""
        return tuple(strict_json.parse(self.warnings)) if self.warnings else ()

    @cached_property
    def parsed_last_error(self) -> Mapping[str, Any] | None:
        """Why the last attempt did not succeed, as an error detail; None where none has failed."""
        return _object(self.last_error) if self.last_error else None

    @cached_property
    def parsed_progress(self) -> Mapping[str, Any]:
        """What earlier turns have done; empty in the first."""
        if not self.progress:
            return {}
        found: Mapping[str, Any] = strict_json.parse_written(self.progress)
        return found

    def parse_payload(self) -> Mapping[str, Any]:
        """The payload, read anew each time: the record stays while Factus is waited for, and a payload may be large."""
        return _object(self.payload)

    def to_hash(self) -> dict[str, str]:
        """Fields that differ from the default: a queued job stays small in memory."""
        given = self.__dict__
        found = {"v": self.v}
        for name, default in _DEFAULTS:
            if name in given and (value := given[name]) != default:
                found[name] = str(value)
        return found

    @classmethod
    def from_hash(cls, stored: Mapping[bytes, bytes]) -> Self:
        """
        Read a record.

        Raises:
            ValueError: Written by a version that this one does not know, or damaged.
        """
        text = {name.decode(): value.decode() for name, value in stored.items()}
        _check_version(text)
        known: dict[str, Any] = {
            name: int(value) if name in _NUMBERS else value for name, value in text.items() if name in _NAMES
        }
        for name, states in _STATES:
            if name in known:
                known[name] = _state(states, known[name])
        return cls(**known)

    @classmethod
    def from_damaged(cls, stored: Mapping[bytes, bytes]) -> tuple[Self, list[str]]:
        """
        Read what can be read of a record, so that its job can end, and the names of the damaged fields.

        A number that is none counts as not set: a deadline as over. A state that is none is the one that promises
        least: waiting, and sent with an unknown outcome. Text that is not UTF-8 keeps its bytes as surrogates: nothing
        can be sent of it.

        Raises:
            ValueError: Written by a version that this one does not know, or without what every record has.
        """
        text = {_text(name): _text(value) for name, value in stored.items()}
        _check_version(text)
        numbers = {name: _number(text[name]) for name in _NUMBERS & text.keys()}
        words = {name: text[name] for name in (_NAMES & text.keys()) - _NUMBERS}
        found: dict[str, Any] = {**words, **{name: value or 0 for name, value in numbers.items()}}
        damaged = [name for name, value in numbers.items() if value is None]
        damaged += [name for name, value in words.items() if not _is_writable(value)]
        for name, states in _STATES:
            if name in found:
                damaged += [] if found[name] in states else [name]
                found[name] = states.get(found[name], _UNREADABLE[name])
        return cls(**found), sorted(set(damaged))


_JOB_FIELDS: Final = fields(JobRecord)
_NAMES: Final = frozenset(field.name for field in _JOB_FIELDS)
_DEFAULTS: Final = tuple((field.name, field.default) for field in _JOB_FIELDS if field.name != "v")
_NUMBERS: Final = frozenset(field.name for field in _JOB_FIELDS if field.type == "int")
_REQUIRED: Final = frozenset(field.name for field in _JOB_FIELDS if field.default is MISSING)
_STATES: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("state", {state.value: state for state in JobState}),
    ("sent", {state.value: state for state in SendState}),
)
_UNREADABLE: Final = {"state": JobState.WAITING, "sent": SendState.UNKNOWN}
_UNCERTAIN: Final = frozenset({SendState.SENDING, SendState.UNKNOWN})
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


def _check_version(text: Mapping[str, str]) -> None:
    """
    Raises:
        ValueError: Of another version, or without what every record has.
    """
    if text.get("v") != VERSION:
        raise ValueError("job record of a version that this one does not know")
    if not text.keys() >= _REQUIRED:
        raise ValueError("job record without what every record has")


def _state(states: Mapping[str, str], word: str) -> str:
    if word not in states:
        raise ValueError("job record in a state that this one does not know")
    return states[word]


def _object(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = strict_json.parse(text)
    return found


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _number(value: str) -> int | None:
    return int(value) if _WHOLE_NUMBER.fullmatch(value) else None


def _is_writable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRecord:
    """
    Who issues, or has issued, the document of one reference code.

    ``state`` is None where it is a word that this version does not know; ``event`` is the final event of the job that
    issued it, from which a repeated push is answered. Beside these the scripts alone write and read ``free_at`` (ms:
    before it nothing is issued under the reference) and ``stays`` (an unvalidated document is left at Factus).
    """

    v: str = VERSION
    state: DocumentState | None
    job: str
    fingerprint: str
    event: str = ""

    @classmethod
    def from_hash(cls, stored: Mapping[bytes, bytes]) -> Self:
        text = {_text(name): _text(value) for name, value in stored.items()}
        words = {name: text.get(name, "") for name in ("v", "job", "fingerprint", "event")}
        return cls(state=_DOCUMENT_STATES.get(text.get("state", "")), **words)

    @property
    def is_open(self) -> bool:
        return self.state is DocumentState.OPEN


_DOCUMENT_STATES: Final = {state.value: state for state in DocumentState}
