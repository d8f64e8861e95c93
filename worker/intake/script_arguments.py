"""
The keys and arguments of ``intake.lua``: the one place that knows their order beside the script itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.fiscal_day import start_window_ms
from worker.intake.items import Item
from worker.queue.claims import Claimer
from worker.queue.dispatcher import LaneScriptArguments
from worker.queue.ledger import LedgerPolicy
from worker.settings import Account
from worker.store.keys import Keys
from worker.store.scripts import Arg


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

    def of(self, prepared: Sequence[Prepared]) -> tuple[list[str], list[Arg]]:
        """KEYS and ARGV for these entries, in their order."""
        keys = [self._keys.leader("intake"), self._keys.lanes_due(), self._keys.lanes()]
        keys += [self._keys.dead(), self._keys.deadlines(), self._keys.batches_due(), self._keys.intake_facts()]
        args: list[Arg] = [
            self._group,
            self._claimer.worker_id,
            self._lease_ms,
            self._policy.results_maxlen,
            self._policy.retention_ms,
            len(prepared),
        ]
        lanes = [self._book.arguments(lane) for lane in {one.item.lane for one in prepared if one.item.kind != "close"}]
        args += [len(lanes), *self._claimer.arguments(), self._keys.batch("")]
        for one in prepared:
            keys += one.keys
        for lane_keys, lane_args in lanes:
            keys += lane_keys
            args += lane_args
        for one in prepared:
            args += one.args
        return keys, args

    def _item_keys(self, item: Item) -> list[str]:
        results = self._keys.results(item.results_owner or None)
        # A key that is not there is the stream's own: the worker's Redis user may name keys of the namespace only.
        absent = item.entry.stream
        return [
            item.entry.stream,
            results,
            item.job_key or absent,
            item.document_key or absent,
            self._keys.joined(item.document_key) if item.document_key else absent,
            self._keys.waiting(item.lane),
            self._keys.later(item.lane),
        ]

    def _item_args(self, item: Item) -> list[Arg]:
        record = item.record
        start_at, end_at, score, deadline_ms = 0, 0, 0, 0
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
        head: list[Arg] = [
            item.kind,
            item.entry.id,
            record.id if record else "",
            item.lane,
            item.content,
            fingerprint,
            start_at,
            end_at,
            score,
            deadline_ms,
            item.tally.member,
            item.batch_size,
            item.tally.cents,
            item.tally.number,
            item.tally.failure,
            item.tally.document,
        ]
        pairs = [part for pair in fields.items() for part in pair]
        dead = list(item.dead)
        return [*head, len(fields), *pairs, len(item.event), *item.event, len(dead) // 2, *dead]
