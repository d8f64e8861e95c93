"""
From the intake streams into the ledger and the lanes.

One worker at a time does it, for all streams, so that the order of a stream is the order of its jobs, also where two
entries name one reference; only a sale may pass a backlog, where nobody can tell (``worker/intake/lookout.py``). The
lead is a lease; the script that writes a slice checks it, so a leader that was replaced can write nothing. Where other
workers serve accounts that this one does not, the lead goes round among them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.entry import Entry
from jobs.intake import EntryValidator
from worker.guard import Guard, pause
from worker.intake.commands import IntakeCommands, is_of_unknown_account, log_refusal
from worker.intake.left_entries import LeftEntries
from worker.intake.lookout import Found, Lookout, forget
from worker.intake.peers import Peers
from worker.intake.policy import IntakePolicy
from worker.intake.reader import GROUP, EntryReader
from worker.intake.script_arguments import IntakeCommand, Kind, SliceArguments
from worker.intake.watch import StreamWatch
from worker.intake.writer import EntryWriter, LeadLost
from worker.queue.claims import Claimer
from worker.queue.dispatcher import LaneScriptArguments
from worker.queue.ledger_policy import LedgerPolicy
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

log = structlog.get_logger()

_YIELD_S: Final = 0.01
_STEPS_TO_SEND: Final = 10
"""Steps of the event loop until a command that was begun is on its way: a connection is taken and looked at first."""


class Intake:
    """The intake of one process; idle while another process leads."""

    def __init__(
        self,
        redis: Redis,
        blocking: Redis,
        scripts: Scripts,
        keys: Keys,
        validator: EntryValidator,
        accounts: Mapping[str, Account],
        policy: LedgerPolicy,
        book: LaneScriptArguments,
        claimer: Claimer,
        peers: Peers,
        bounds: IntakePolicy,
        guard: Guard,
    ) -> None:
        self._scripts = scripts
        self._keys = keys
        self._bounds = bounds
        self._peers = peers
        self._worker_id = claimer.worker_id
        self._owners = {keys.jobs(): "", keys.retry(): ""} | {
            keys.jobs(name): name for name, account in accounts.items() if account.own_streams
        }
        self._guard = guard
        self._reader = EntryReader(blocking, self._owners, self._worker_id, bounds, guard, operators=keys.retry())
        self._lookout = Lookout(self._reader, bounds, validator.default_account)
        shared = frozenset(name for name, account in accounts.items() if not account.own_streams)
        self._watch = StreamWatch(
            redis, scripts, keys, list(self._owners), bounds, strays=lambda: shared | peers.forsaken()
        )
        commands = IntakeCommands(keys, validator, accounts, bounds, policy)
        arguments = SliceArguments(keys, policy, book, claimer, group=GROUP, lease_ms=bounds.lease_ms)
        self._writer = EntryWriter(redis, scripts, keys, commands, arguments, claimer, self._guard)
        self._started_at = time.monotonic()
        self._left = LeftEntries()
        self._clock = _Clock()
        self.is_leader = False

    @property
    def n_taken(self) -> int:
        return self._writer.n_taken

    async def run(self, on_work: Callable[[], None], stopping: asyncio.Event) -> None:
        """Take in what is pushed until *stopping*; *on_work* is called after each slice: a lane may be due."""
        try:
            while not stopping.is_set():
                with self._guard.iteration() as iteration:
                    await self._lead(on_work, stopping)
                if iteration.pause_s is not None:
                    # What was read stays pending in the group and is taken up again by whoever leads next.
                    self.is_leader = False
                    await pause(stopping, iteration.pause_s)
        finally:
            await self._resign()

    # -- leading ---------------------------------------------------------------------------------------------------
    async def _lead(self, on_work: Callable[[], None], stopping: asyncio.Event) -> None:
        # The script that writes looks at the lead as well: it need not be asked for before each read.
        is_kept = self.is_leader and not self._clock.is_due("lead", self._bounds.lease_ms / 4)
        lead = 1 if is_kept else await self._keep_lead()
        if not lead:
            self.is_leader = False
            # Where the lead goes round it comes soon: who is handed it must not sleep on it.
            await pause(stopping, min(self._bounds.lease_ms / 3000, self._bounds.rotation_ms / 4000))
            return
        if lead == 2 or not self.is_leader:
            await self._reader.begin()
            self._lookout.clear()
            await self._peers.look()
            self._clock.begin()
            self.is_leader = True
        try:
            if self._clock.is_due("look", self._bounds.look_ms):
                await self._look()
            if self._clock.is_due("reclaim", self._bounds.lease_ms):
                # Again and again: an earlier leader that stood still may wake and read before it learns that it lost.
                await self._reclaim(on_work)
            await self._take_in(await self._reader.next(), on_work, reads_on=lambda: not stopping.is_set())
        except LeadLost:
            self.is_leader = False
            return
        await self._hand_over()

    async def _keep_lead(self) -> int:
        """0: another worker's, 1: still ours, 2: newly ours."""
        keys = {"leader": self._keys.leader("intake")}
        args: ScriptArgs = {"worker": self._worker_id, "lease_ms": self._bounds.lease_ms}
        lead = int(await self._scripts.run("acquire_leadership", keys, args))
        self._clock.mark("lead")
        return lead

    async def _look(self) -> None:
        await self._reader.look_again()
        with self._guard.member("watch"):
            await self._watch.look()
        with self._guard.member("peers"):
            await self._peers.look()

    async def _hand_over(self) -> None:
        """Let another worker lead for a while, where one serves accounts that this one does not."""
        other = self._peers.next_leader()
        if other is None or not self._clock.is_due("rotation", self._bounds.rotation_ms):
            return
        keys = {"leader": self._keys.leader("intake")}
        args: ScriptArgs = {"worker": self._worker_id, "other": other, "lease_ms": self._bounds.lease_ms}
        if await self._scripts.run("hand_over", keys, args):
            self.is_leader = False
            log.debug("intake.lead_handed_over")

    async def _resign(self) -> None:
        self._lookout.clear()
        try:
            await self._scripts.run(
                "release_leadership", {"leader": self._keys.leader("intake")}, {"worker": self._worker_id}
            )
        except RedisError as exc:
            log.info("intake.not_resigned", error=type(exc).__name__)  # the lease ends by itself

    # -- entries ---------------------------------------------------------------------------------------------------
    async def _reclaim(self, on_work: Callable[[], None]) -> None:
        """What an earlier leader had read and not written, and what was left to others, oldest first."""
        for stream in self._reader.streams:
            pending = await self._reader.pending(stream)
            self._left.keep_only(stream, pending)
            # What is left to others is not read each time: there may be a backlog of it, and nothing else is read then.
            ids = [
                id_
                for id_ in pending
                if not self._guard.rest_s(id_.decode()) and not self._left.still(stream, id_, self._is_awaited)
            ]
            while ids:
                n, entries = await self._reader.claimed(stream, ids[: self._bounds.read_entries])
                ids = ids[n:]
                fresh = [entry for entry in entries if entry not in self._left]
                if fresh:
                    log.info("intake.taken_over", n_entries=len(fresh))
                await self._take_in(entries, on_work)

    async def _take_in(
        self, entries: Sequence[Entry], on_work: Callable[[], None], *, reads_on: Callable[[], bool] = lambda: False
    ) -> None:
        """
        Examine and write entries, in order, in slices: while the server writes one, the next is examined, and calls
        under way in this process go on.

        Args:
            reads_on: Whether to read the entries that follow while the last of these are examined and written. Reading
                on ends when few are left, and before other work of the lead is due.

        Raises:
            LeadLost, RedisError: Nothing more was written; what was not is pending.
        """
        ends_at = time.monotonic() + self._bounds.look_ms / 1000
        writing: asyncio.Task[None] | None = None
        reading: asyncio.Task[list[Entry]] | None = None
        try:
            while entries:
                are_many = self._are_many(entries)
                if not are_many:
                    self._lookout.clear()
                async for slice_ in self._slices(entries):
                    found = await self._lookout.found() if await self._lookout.has_looked() else ()
                    last: list[IntakeCommand] = []
                    async for passing in self._passing(found):
                        if last:
                            await self._written(writing)
                            writing = asyncio.create_task(self._writer.write(last))
                        last = passing
                    await self._written(writing)
                    writing = asyncio.create_task(self._write(slice_, last))
                    if are_many and reads_on():
                        self._lookout.begin(slice_.last_stream)
                    is_near_end = are_many and not reading and slice_.n_left <= self._bounds.slice_entries
                    if is_near_end and reads_on() and time.monotonic() < ends_at:
                        reading = asyncio.create_task(self._reader.more())
                    await _sending(_STEPS_TO_SEND if slice_.n_left or reading else 1)
                entries = await reading if reading else ()
                reading = None
                if writing and not entries:
                    await writing
                on_work()
        finally:
            for task in filter(None, (writing, reading)):
                task.cancel()
                task.add_done_callback(forget)

    def _are_many(self, entries: Sequence[Entry]) -> bool:
        """Whether so much was read together that there may be a backlog."""
        n_bytes = sum(len(entry.raw or b"") for entry in entries)
        return len(entries) >= self._bounds.read_entries or n_bytes >= self._bounds.read_bytes

    async def _written(self, writing: asyncio.Task[None] | None) -> None:
        """Before the next slice is written: the last one is, and the lead is still ours."""
        if writing:
            await writing
        await self._renew()

    async def _write(self, slice_: _Slice, passing: Sequence[IntakeCommand]) -> None:
        await self._writer.write([*passing, *slice_.commands])
        for stream, id_ in slice_.read_to.items():
            self._lookout.taken(stream, id_)

    async def _passing(self, found: Sequence[Found]) -> AsyncIterator[list[IntakeCommand]]:
        """What becomes of those that are taken in before their turn, as much at once as goes into a slice."""
        outlines = {entry.id: outline for entry, outline in found}
        async for slice_ in self._slices(
            [entry for entry, _ in found], stays=lambda entry: self._lookout.stays(entry, outlines[entry.id])
        ):
            if slice_.commands:
                log.debug("intake.taken_ahead", n_entries=len(slice_.commands))
                yield slice_.commands

    async def _slices(
        self, entries: Sequence[Entry], stays: Callable[[Entry], None] = lambda _entry: None
    ) -> AsyncIterator[_Slice]:
        """
        Entries as they are examined, in their order, bounded as the policy says.

        Args:
            stays: Called with each entry that is left where it is.
        """
        slice_ = _Slice()
        yielded_at = time.perf_counter()
        for n_left, entry in zip(range(len(entries) - 1, -1, -1), entries, strict=True):
            if time.perf_counter() - yielded_at > _YIELD_S:
                await asyncio.sleep(0)
                yielded_at = time.perf_counter()
            commands = await self._examined(entry)
            slice_.add(entry, commands)
            if not commands:
                stays(entry)
            if not n_left or slice_.is_full(self._bounds):
                slice_.n_left = n_left
                yield slice_
                slice_ = _Slice()
                yielded_at = time.perf_counter()

    async def _renew(self) -> None:
        """The script renews the lead as well, but only once it runs."""
        if self._clock.is_due("lead", self._bounds.lease_ms / 3) and not await self._keep_lead():
            raise LeadLost

    async def _examined(self, entry: Entry) -> list[IntakeCommand]:
        """What an entry becomes; empty when it is left to another worker, or to a later look."""
        if len(entry.raw or b"") < self._bounds.apart_bytes:
            commands = self._writer.prepare(entry)
        else:
            commands = await asyncio.to_thread(self._writer.prepare, entry)
        if commands and is_of_unknown_account(commands[0]) and (account := commands[0].account) is not None:
            left_s = self._left.note(entry, account)
            if self._is_awaited(account, left_s):
                return []
        self._left.forget(entry)
        for one in commands:
            if one.kind is not Kind.REFUSE:  # the ledger may have its answer (EntryWriter.write)
                log_refusal(one)
        return commands

    def _is_awaited(self, account: str, left_s: float) -> bool:
        """Whether a worker that serves the account lives, or may be on its way."""
        if account in self._peers.elsewhere():
            return True
        if self._peers.has_served(account):
            return left_s < self._bounds.absence_ms / 1000
        return time.monotonic() - self._started_at < self._bounds.grace_ms / 1000


async def _sending(n_steps: int) -> None:
    """
    Let commands that were begun go out, and others run. Else the server has nothing to do while this process examines
    the next slice, and this process waits for it afterwards.
    """
    for _ in range(n_steps):
        await asyncio.sleep(0)


@dataclass(slots=True)
class _Slice:
    """What goes into one script."""

    commands: list[IntakeCommand] = field(default_factory=list)
    n_bytes: int = 0
    n_entries: int = 0
    n_left: int = 0
    """How many entries follow of those that were read together."""

    began_at: float = field(default_factory=time.perf_counter)

    read_to: dict[str, str] = field(default_factory=dict)
    """By stream the last entry, whether or not it became a command."""

    def add(self, entry: Entry, commands: Sequence[IntakeCommand]) -> None:
        self.commands += commands
        self.n_bytes += len(entry.raw or b"")
        self.n_entries += 1
        self.read_to.pop(entry.stream, None)
        self.read_to[entry.stream] = entry.id

    @property
    def last_stream(self) -> str:
        return next(reversed(self.read_to))

    def is_full(self, bounds: IntakePolicy) -> bool:
        took_ms = (time.perf_counter() - self.began_at) * 1000
        is_large = self.n_entries >= bounds.slice_entries or self.n_bytes >= bounds.slice_bytes
        return is_large or took_ms >= bounds.slice_ms


@dataclass(slots=True)
class _Clock:
    """When something was done last, on this process's own clock."""

    _at: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Everything but the rotation is due: this worker leads from now on."""
        self._at = {"rotation": time.monotonic()}

    def mark(self, what: str) -> None:
        self._at[what] = time.monotonic()

    def is_due(self, what: str, every_ms: float) -> bool:
        """Whether it is time again; then it counts as done."""
        now = time.monotonic()
        if now - self._at.get(what, float("-inf")) < every_ms / 1000:
            return False
        self._at[what] = now
        return True
