"""
What ``intake.lua`` is given: an entry's command laid out, and a slice of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from jobs.batches import NO_TALLY, Tally
from jobs.entry import Entry
from jobs.rights.denial import Denied
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord
from worker.queue.claims import Claimer
from worker.queue.dispatcher import LaneScriptArguments
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.script_values import tally_values
from worker.store.keys import Keys
from worker.store.scripts import Arg, Key, ScriptArgs, ScriptKeys


class Kind(StrEnum):
    """What the script does with an entry."""

    ACCEPT = "accept"
    """Its job is work: a record, in its lane or joined to the job that issues the same document."""

    CLOSE = "close"
    """It is final at once, refused or answered from what is known: its event, and the entry is taken out."""

    REFUSE = "refuse"
    """It is closed by a refusal, unless its document is validated with the same payload: then that is its answer."""

    FOLLOW = "follow"
    """A job that follows a document which was answered from the ledger: its files are archived."""

    WATCH = "watch"
    """The same that watches the document's RADIAN events: a document has one."""


class EntryKeys(NamedTuple):
    """
    The keys of one entry in the order of ``ENTRY_KEYS`` (``intake.lua``).

    A key that an entry does not need is the stream's: the worker's Redis user may name keys of the namespace only.
    """

    stream: str
    results: str
    job: str
    document: str
    joined: str
    waiting: str
    later: str


class EntryValues(NamedTuple):
    """What else the script takes of an entry, in the order of ``ENTRY``; its tally and the lists stand behind."""

    kind: Kind
    entry: str
    id: str = ""
    lane: str = ""
    content: str = ""
    fingerprint: str = ""
    start_ms: int = 0
    end_ms: int = 0
    score: int = 0
    deadline_ms: int = 0
    size: int = 0
    day: str = ""
    day_ends_ms: int = 0
    ends_prefix: str = ""
    ends_member: str = ""


@dataclass(frozen=True, slots=True)
class IntakeCommand:
    """What becomes of one entry, laid out for the script: what could fail about that has been tried."""

    entry: Entry
    kind: Kind
    account: str | None
    """As far as one could be read."""

    record: JobRecord | None
    """What the ledger keeps of it; None for a refusal that uses up no id."""

    keys: EntryKeys
    args: Sequence[Arg]
    errors: tuple[ErrorDetail, ...] = ()
    """Why it is refused; empty for what is not."""

    refusal: int = 0
    """1 for the refusal of an entry that tripped us, 2 for the barer one that follows when that one fails; else 0."""

    denial: Denied | None = None
    """Why its token grants it nothing, where that is why it is refused."""

    repeats: JobRecord | None = None
    """Of a refusal by rules: the job that it would be where the document is validated already (:attr:`Kind.REFUSE`)."""

    @property
    def lane(self) -> str:
        """The lane that it puts work into; empty for what is final at once."""
        return "" if self.kind in (Kind.CLOSE, Kind.REFUSE) or self.record is None else self.record.lane


_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def lay_out(
    entry: Entry,
    account: str | None,
    record: JobRecord | None,
    keys: EntryKeys,
    values: EntryValues,
    *,
    tally: Tally = NO_TALLY,
    fields: Mapping[str, str] = _NOTHING,
    event: Sequence[Arg] = (),
    letter: Sequence[Arg] = (),
    errors: tuple[ErrorDetail, ...] = (),
) -> IntakeCommand:
    """
    One entry's part of KEYS and ARGV.

    Args:
        fields: Of the record, as they are stored.
        event: The values of its event (``EventValues``), or none.
        letter: Names and values of its dead letter, in turn.

    Raises:
        UnicodeError: A text has no UTF-8 form. It would fail when the whole slice is sent: here it costs its own
            entry only.
    """
    pairs = [part for pair in fields.items() for part in pair]
    n_pairs = len(letter) // 2
    args = [*values, *tally_values(tally), len(fields), *pairs, len(event), *event, n_pairs, *letter]
    "".join([*keys, *[arg for arg in args if type(arg) is str]]).encode()
    return IntakeCommand(entry, values.kind, account, record, keys, args, errors)


@dataclass(frozen=True, slots=True)
class SliceArguments:
    """Lays out what the script needs to know of a few entries together."""

    keys: Keys
    policy: LedgerPolicy
    book: LaneScriptArguments
    claimer: Claimer
    group: str
    lease_ms: int

    def of(self, commands: Sequence[IntakeCommand]) -> tuple[ScriptKeys, ScriptArgs]:
        """KEYS and ARGV for these entries, in their order."""
        lanes = [self.book.arguments(lane) for lane in {one.lane for one in commands} if lane]
        rest_of_keys: list[Key] = []
        rest: list[Arg] = []
        for _, values in lanes:
            rest += values
        for one in commands:
            rest_of_keys += one.keys
            rest += one.args
        for lane_keys, _ in lanes:
            rest_of_keys += lane_keys
        keys: ScriptKeys = {
            "leader": self.keys.leader("intake"),
            "due": self.keys.lanes_due(),
            "lanes": self.keys.lanes(),
            "dead": self.keys.dead(),
            "denied": self.keys.denied(),
            "deadlines": self.keys.deadlines(),
            "batches_due": self.keys.batches_due(),
            "facts": self.keys.intake_facts(),
            "days": self.keys.days(),
            "rest": rest_of_keys,
        }
        args: ScriptArgs = {
            "group": self.group,
            "worker": self.claimer.worker_id,
            "lease_ms": self.lease_ms,
            "maxlen": self.policy.results_maxlen,
            "retention_ms": self.policy.retention_ms,
            "n_entries": len(commands),
            "n_lanes": len(lanes),
            "claimer": self.claimer.arguments(),
            "batch_prefix": self.keys.batch(""),
            "rest": rest,
        }
        return keys, args
