"""
Writing what entries become, in their order, and never stopping at one.

A slice is one script. When it fails for a reason that lies in an entry, the slice is halved until the entry is found,
and that one is refused as a defect of ours; what lies with the server passes through, and everything stays pending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.entry import Entry
from jobs.follow_ups import archive_job
from schemas import strict_json
from worker.guard import Guard, is_server_state
from worker.intake.commands import IntakeCommands, log_refusal
from worker.intake.script_arguments import IntakeCommand, Kind, SliceArguments
from worker.queue.claims import Claimer
from worker.store.keys import Keys
from worker.store.scripts import Scripts

log = structlog.get_logger()


class LeadLost(Exception):
    """Another worker leads by now. Nothing more was written."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """The final event of the job that issued a document, and what has been archived of it since."""

    event: dict[str, Any]
    documents: list[Any]


class EntryWriter:
    """Writes for one process."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        commands: IntakeCommands,
        arguments: SliceArguments,
        claimer: Claimer,
        guard: Guard,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._commands = commands
        self._arguments = arguments
        self._claimer = claimer
        self._guard = guard
        self.n_taken = 0

    def prepare(self, entry: Entry) -> list[IntakeCommand]:
        """What becomes of an entry, laid out for the script, whatever it does to us; empty when nothing can be."""
        try:
            return [self._commands.validate(entry)]
        except Exception as exc:  # noqa: BLE001  # whatever a producer found to trip us, those behind it go on
            return self._refused(entry, exc)

    async def write(self, slice_: Sequence[IntakeCommand]) -> None:
        """
        Write these, in order.

        Raises:
            LeadLost: The lead is another worker's.
            RedisError: The server is out of reach, or takes no writes. What was not written is pending.
        """
        left = list(slice_)
        while left:
            try:
                n_done, code, words, n_started, *claimed = await self._scripts.run("intake", *self._arguments.of(left))
            except RedisError as exc:
                if is_server_state(exc):
                    raise
                await self._write_parts(left, exc)
                return
            self.n_taken += n_done
            for one in left[:n_done]:
                if one.kind is Kind.REFUSE:
                    log_refusal(one)
            left = left[n_done:]
            self._claimer.receive(n_started, claimed)
            match code:
                case b"done":
                    return
                case b"leader":
                    log.warning("intake.lead_lost", n_entries=len(left))
                    raise LeadLost
                case _:
                    left = await self._answered(left, words)

    async def _answered(self, commands: Sequence[IntakeCommand], words: Sequence[Any]) -> list[IntakeCommand]:
        """The same; those of which the ledger says why they cannot be taken as they are, in another form."""
        in_ledger = {
            place: (code, stored) for place, code, stored in zip(words[::3], words[1::3], words[2::3], strict=True)
        }
        answers = await self._answers_of(
            {stored: commands[place].account or "" for place, (code, stored) in in_ledger.items() if code == b"replay"}
        )
        taken: list[IntakeCommand] = []
        for place, command in enumerate(commands):
            match in_ledger.get(place):
                case None:
                    taken.append(command)
                case b"replay", stored:
                    taken += self._replayed(command, answers[stored])
                case code, _:
                    taken += self._conflicting(command, code.decode())
        return taken

    async def _answers_of(self, events: Mapping[bytes, str]) -> dict[bytes, _Answer | Exception]:
        """
        What the ledger answers for documents that are validated.

        Args:
            events: The final event of each, as stored, and its account.

        Returns:
            For each the answer, or why it cannot be read, which is a matter of whoever asks for it.
        """
        answers: dict[bytes, _Answer | Exception] = {}
        first: dict[bytes, dict[str, Any]] = {}
        pipeline = self._redis.pipeline(transaction=False)
        for stored, account in events.items():
            try:
                event = strict_json.parse_written(stored)
                pipeline.hget(self._keys.job(account, archive_job(event["job_id"])), "progress")
                first[stored] = event
            except Exception as exc:  # noqa: BLE001  # what stands there, others have written
                answers[stored] = exc
        for stored, progress in zip(first, await pipeline.execute(raise_on_error=False), strict=True):
            try:
                if isinstance(progress, Exception):
                    raise progress
                documents = strict_json.parse_written(progress)["documents"] if progress else []
                answers[stored] = _Answer(first[stored], documents)
            except Exception as exc:  # an outage is no matter of an entry
                if is_server_state(exc):
                    raise
                answers[stored] = exc
        return answers

    async def _write_parts(self, commands: list[IntakeCommand], error: RedisError) -> None:
        """What could not be written together: in halves, and what is left alone at last in another form."""
        first = commands[0].entry
        rest = next((n for n, one in enumerate(commands) if one.entry is not first), 0)
        if rest:
            middle = max(rest, len(commands) // 2)
            while commands[middle].entry is commands[middle - 1].entry:
                middle -= 1
            await self.write(commands[:middle])
            await self.write(commands[middle:])
            return
        refusal = self._refused(first, error, after=commands[0].refusal)
        if refusal:
            await self.write(refusal)
        else:
            # Not even its refusal can be written: it stays pending, is tried again at a growing pause, and the entries
            # behind it go on.
            self._guard.fails(first.id, "the refusal of the entry cannot be written")

    def _conflicting(self, command: IntakeCommand, code: str) -> list[IntakeCommand]:
        try:
            other = self._commands.conflict(command, code)
            log_refusal(other)
            return [other]
        except Exception as exc:  # noqa: BLE001  # as in prepare
            return self._refused(command.entry, exc)

    def _replayed(self, command: IntakeCommand, answer: _Answer | Exception) -> list[IntakeCommand]:
        try:
            if isinstance(answer, Exception):
                raise answer
            return self._commands.replay(command, answer.event, answer.documents)
        except Exception as exc:  # noqa: BLE001  # as in prepare
            return self._refused(command.entry, exc)

    def _refused(self, entry: Entry, error: Exception, *, after: int = 0) -> list[IntakeCommand]:
        """
        The refusal of an entry that tripped us.

        Args:
            after: Which refusal has failed already; a barer one follows.

        Returns:
            Empty when there is none that could be written.
        """
        log.exception("intake.defect", entry=entry.id, error=type(error).__name__, exc_info=error)
        self._guard.failed.note(self._guard.task)
        for n, make in enumerate((self._commands.defect, self._commands.bare_defect), 1):
            if n > after:
                try:
                    return [replace(make(entry, error), refusal=n)]
                except Exception as exc:  # the refusal trips us too
                    log.exception("intake.defect", entry=entry.id, error=type(exc).__name__)
        return []
