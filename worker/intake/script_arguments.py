"""
The keys and arguments of ``intake.lua``: the one place that knows their order beside the script itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobs.fiscal_day import start_window_ms
from worker.intake.items import Item
from worker.queue.claims import Claimer
from worker.queue.dispatcher import LaneScriptArguments
from worker.queue.ledger import LedgerPolicy, tally_values
from worker.settings import Account
from worker.store.keys import Keys
from worker.store.scripts import Arg, Key, ScriptArgs, ScriptKeys


class EntryKeys(NamedTuple):
    """The keys of one entry in the order of ``ENTRY_KEYS`` (``intake.lua``)."""

    stream: str
    results: str
    job: str
    document: str
    joined: str
    waiting: str
    later: str


class EntryValues(NamedTuple):
    """What else the script takes of an entry, in the order of ``ENTRY``; its tally and the lists stand behind."""

    kind: str
    entry: str
    id: str
    lane: str
    content: str
    fingerprint: str
    start_ms: int
    end_ms: int
    score: int
    deadline_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """One item, laid out for the script: what could fail about it has been tried."""

    item: Item
    keys: Sequence[str]
    args: Sequence[Arg]
    refusal: int = 0
    """1 for the refusal of an entry that tripped us, 2 for the barer one that follows when that one fails; else 0."""


class IntakeArguments:
    """Lays out what the script needs to know of a few entries."""

    def __init__(
        self,
        keys: Keys,
        accounts: Mapping[str, Account],
        policy: LedgerPolicy,
        book: LaneScriptArguments,
        claimer: Claimer,
        *,
        group: str,
        lease_ms: int,
    ) -> None:
        self._keys = keys
        self._accounts = accounts
        self._policy = policy
        self._book = book
        self._claimer = claimer
        self._group = group
        self._lease_ms = lease_ms

    def prepare(self, item: Item) -> Prepared:
        """
        One item's part of KEYS and ARGV.

        Raises:
            Exception: It cannot be laid out: a text without a UTF-8 form, an instant beyond the calendar.
        """
        keys, args = self._item_keys(item), self._item_args(item)
        # A text without a UTF-8 form would fail when the whole slice is sent: here it costs its own entry only.
        "".join([*keys, *[arg for arg in args if type(arg) is str]]).encode()
        return Prepared(item, keys, args)

    def of(self, prepared: Sequence[Prepared]) -> tuple[ScriptKeys, ScriptArgs]:
        """KEYS and ARGV for these entries, in their order."""
        lanes = [self._book.arguments(lane) for lane in {one.item.lane for one in prepared if one.item.kind != "close"}]
        rest_of_keys: list[Key] = []
        rest: list[Arg] = []
        for _, values in lanes:
            rest += values
        for one in prepared:
            rest_of_keys += one.keys
            rest += one.args
        for lane_keys, _ in lanes:
            rest_of_keys += lane_keys
        keys: ScriptKeys = {
            "leader": self._keys.leader("intake"),
            "due": self._keys.lanes_due(),
            "lanes": self._keys.lanes(),
            "dead": self._keys.dead(),
            "deadlines": self._keys.deadlines(),
            "batches_due": self._keys.batches_due(),
            "facts": self._keys.intake_facts(),
            "rest": rest_of_keys,
        }
        args: ScriptArgs = {
            "group": self._group,
            "worker": self._claimer.worker_id,
            "lease_ms": self._lease_ms,
            "maxlen": self._policy.results_maxlen,
            "retention_ms": self._policy.retention_ms,
            "n_entries": len(prepared),
            "n_lanes": len(lanes),
            "taker": self._claimer.arguments(),
            "batch_prefix": self._keys.batch(""),
            "rest": rest,
        }
        return keys, args

    def _item_keys(self, item: Item) -> EntryKeys:
        # A key that is not there is the stream's own: the worker's Redis user may name keys of the namespace only.
        absent = item.entry.stream
        return EntryKeys(
            stream=item.entry.stream,
            results=self._keys.results(item.results_owner or None),
            job=item.job_key or absent,
            document=item.document_key or absent,
            joined=self._keys.joined(item.document_key) if item.document_key else absent,
            waiting=self._keys.waiting(item.lane),
            later=self._keys.later(item.lane),
        )

    def _item_args(self, item: Item) -> list[Arg]:
        record = item.record
        start_at, end_at, deadline_ms = 0, 0, 0
        score = 0
        fields: dict[str, Arg] = {}
        if record:
            if item.kind == "accept":
                start_at, end_at = start_window_ms(record, self._accounts[record.account].zone)
                deadline_ms = self._policy.deadline_ms
            if record.parent:
                delay_ms, deadline_ms = self._policy.follow_up_ms(record)
                start_at = round(time.time() * 1000) + delay_ms if delay_ms else 0
            score, fields = record.score, dict(record.to_hash())
            if start_at:
                fields["start_at"] = start_at
        fingerprint = item.must_match or (record.fingerprint if record and item.kind == "accept" else "")
        head = EntryValues(
            kind=item.kind,
            entry=item.entry.id,
            id=record.id if record else "",
            lane=item.lane,
            content=item.content,
            fingerprint=fingerprint,
            start_ms=start_at,
            end_ms=end_at,
            score=score,
            deadline_ms=deadline_ms,
            size=item.batch_size,
        )
        pairs = [part for pair in fields.items() for part in pair]
        dead = list(item.dead)
        tally = tally_values(item.tally)
        return [*head, *tally, len(fields), *pairs, len(item.event), *item.event, len(dead) // 2, *dead]
