"""
Dead letters: work that needs a person, as it is kept, read, pushed again and dropped.

A letter is pushed again as a new job, through the intake like every other, by the operator's own stream: whatever keeps
a document from going out twice holds for it as well. What a letter looks like on a terminal is said by
``worker/cli/dead/rendering.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from redis.asyncio import Redis

from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.contract.envelope import MAX_JOB_BYTES
from schemas.names import ending_of, followed_id, pushable_id
from schemas.records import JobRecord
from worker.retry_ids import parted, retry_id
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Scripts

_PAGE: Final = 100
_MOST_RECORDS: Final = 20


_NO_ACCOUNT: Final = "?"
"""Where the ledger keeps refusals of jobs whose account could not be read."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One entry of the dead letters. Fields that are missing (a hand wrote there) are empty."""

    id: str
    reason: str
    account: str
    job_id: str
    stream: str
    """Where it was pushed: the key of the intake stream, or only the account whose own stream it is."""
    entry: str
    raw: bytes
    event: Mapping[str, Any]
    """The final event of the job, as published."""

    @classmethod
    def of(cls, entry: bytes, fields: Mapping[bytes, bytes]) -> Letter:
        def text(name: str) -> str:
            return fields.get(name.encode(), b"").decode(errors="replace")

        return cls(
            id=entry.decode(),
            reason=text("reason"),
            account=text("account"),
            job_id=text("job_id") or text("entry") or entry.decode(),
            stream=text("stream"),
            entry=text("entry"),
            raw=fields.get(b"raw", b""),
            event=_object(fields.get(b"errors", b"")),
        )

    @property
    def at_ms(self) -> int:
        return int(self.id.partition("-")[0])

    @property
    def errors(self) -> list[dict[str, Any]]:
        return list(self.event.get("errors") or [])

    @property
    def message(self) -> str:
        return str(self.errors[0].get("message", "")) if self.errors else str(self.event.get("message", ""))

    @property
    def reference_code(self) -> str:
        return self.event.get("reference_code") or ""

    @property
    def is_of_accepted_job(self) -> bool:
        """Whether the job was accepted and failed later; ``raw`` is then an envelope of ours, not what was pushed."""
        return ending_of(str(self.event.get("type", ""))) in ("failed", "archived")

    @property
    def may_be_done(self) -> tuple[str, str] | None:
        """
        What the job may have done although it failed, and would do again (Spanish, English); None when it is safe to
        push again.
        """
        job_type = JOB_TYPES.get(str(_object(self.raw).get("type", "")))
        # The code of every end after which nobody knows; it is also that of a long outage, which asks once too often.
        return job_type.description.may_be_done if job_type and self.reason == "factus.unavailable" else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant; None takes all."""

    account: str | None = None
    reason_glob: str | None = None

    def takes(self, letter: Letter) -> bool:
        if self.account is not None and letter.account != self.account:
            return False
        return self.reason_glob is None or fnmatchcase(letter.reason, self.reason_glob)


@dataclass(frozen=True, slots=True)
class History:
    """What else is known of a letter's job: its records in the ledger, oldest first, and other letters."""

    records: tuple[JobRecord, ...]
    others: tuple[Letter, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A job as it would be pushed again: all but its new id."""

    owner: str
    """The account by whose own stream it came first; empty for the common one."""
    envelope: Mapping[str, Any]
    document: str
    """Key of its document; empty when the letter does not tell."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A letter was pushed again, and is gone."""

    job_id: str
    stream: str
    entry: str
    goes_without: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter that cannot be pushed again stays where it is."""

    why: str
    """Spanish."""
    why_en: str


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such letter (any more)."""


class DeadLetters:
    """The dead letters of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, *, retention_ms: int) -> None:
        """
        Args:
            retention_ms: How long the ledger remembers what is final.
        """
        self._redis = redis
        self._scripts = Scripts(redis)
        self._keys = keys
        self._retention_ms = retention_ms
        self._given: set[tuple[str, str]] = set()

    async def letters(self, wanted: Wanted, since: str = "-") -> AsyncIterator[Letter]:
        """The letters that are there, oldest first."""
        start = since
        while True:
            page = await self._redis.xrange(self._keys.dead(), min=start, count=_PAGE)
            for entry, fields in page:
                letter = Letter.of(entry, fields)
                if wanted.takes(letter):
                    yield letter
            if len(page) < _PAGE:
                return
            start = f"({page[-1][0].decode()}"

    async def get(self, letter_id: str) -> Letter | None:
        for entry, fields in await self._redis.xrange(self._keys.dead(), letter_id, letter_id):
            return Letter.of(entry, fields)
        return None

    async def history(self, letter: Letter) -> History:
        """The job and what it was pushed again as, from the ledger; letters of the same job or reference."""
        base, n = parted(letter.job_id)
        ids = [base, *(f"{base}.r{k}" for k in range(max(n - _MOST_RECORDS, 0) + 1, n + 1))]
        ids = ids if followed_id(base) == base else [followed_id(base), *ids]
        records = [await self._record(letter.account, job_id) for job_id in ids]
        others = [
            other
            async for other in self.letters(Wanted(account=letter.account))
            if other.id != letter.id and _is_related(other, letter)
        ]
        return History(tuple(record for record in records if record), tuple(others))

    async def retry(self, letter: Letter) -> Pushed | Kept | Gone:
        """
        Push a letter's job again as a new job and remove the letter, in one step.

        Safe to call again, and by two at once: only who still finds the letter pushes. Whether a document may go out
        is the intake's to say, as for any job; a reference that the ledger has forgotten is looked up at Factus first.

        Raises:
            RedisError: It may have been pushed; the letter is then gone.
        """
        found = repeat_of(letter, self._keys)
        if isinstance(found, Kept):
            return found
        goes_without = lost_fields(letter, await self._record(letter.account, letter.job_id))
        base, n = parted(letter.job_id)
        while True:
            n += 1
            job_id = retry_id(base, n)
            if (letter.account, job_id) in self._given:
                continue  # pushed a moment ago, and not in the ledger yet
            word, *rest = await self._push(letter, found, job_id)
            match word:
                case b"pushed":
                    self._given.add((letter.account, job_id))
                    return Pushed(job_id, self._keys.retry(), rest[0].decode(), goes_without)
                case b"gone":
                    return Gone()
                case _:
                    continue

    async def drop(self, letter_id: str) -> bool:
        """Delete a letter; False when it was not there."""
        return bool(await self._redis.xdel(self._keys.dead(), letter_id))

    async def _push(self, letter: Letter, repeat: Repeat, job_id: str) -> list[bytes]:
        dead = self._keys.dead()
        record = self._keys.job(letter.account or _NO_ACCOUNT, job_id)
        text = strict_json.dump({**repeat.envelope, "id": job_id})
        reply: list[bytes] = await self._scripts.run(
            "retry_letter",
            {"dead": dead, "stream": self._keys.retry(), "record": record, "document": repeat.document or dead},
            {
                "letter": letter.id,
                "envelope": text,
                "owner": repeat.owner,
                "job_id": letter.job_id,
                "retention_ms": self._retention_ms,
            },
        )
        return reply

    async def _record(self, account: str, job_id: str) -> JobRecord | None:
        key = self._keys.job(account or _NO_ACCOUNT, job_id)
        stored = await command(self._redis, "HGETALL", key)
        return JobRecord.from_hash(dict(stored)) if stored else None


def repeat_of(letter: Letter, keys: Keys) -> Repeat | Kept:
    """The job of a letter as it can be pushed again, or why it cannot."""
    envelope = _object(letter.raw)
    if not envelope:
        return Kept(
            "sus bytes no son un objeto JSON que se pueda enviar otra vez: vea dead show --raw",
            "its bytes are no JSON object that could be pushed again: see dead show --raw",
        )
    if len(letter.raw) > MAX_JOB_BYTES:
        n = len(letter.raw)
        return Kept(
            f"tiene {n} bytes, más de los que admite un trabajo: vea dead show --raw",
            f"it holds {n} bytes, more than a job may: see dead show --raw",
        )
    owner = letter.stream.removeprefix(keys.jobs()).removeprefix(":")
    if owner and letter.account != owner:
        # Pushed elsewhere it would be taken: that a stream can name no other account must hold for its letters too.
        return Kept(
            f"se envió por el canal propio de la cuenta {owner} y no es para esa cuenta",
            f"it was pushed to the own stream of account {owner} and is not for that account",
        )
    if letter.account:
        envelope.setdefault("account", letter.account)
    return Repeat(owner, envelope, _document_key(letter, envelope, keys))


def lost_fields(letter: Letter, record: JobRecord | None) -> tuple[str, ...]:
    """What an accepted job said and its letter does not carry: when it may run, and its place in the lane."""
    if not letter.is_of_accepted_job or followed_id(letter.job_id) != letter.job_id:
        return ()  # a job of the service's own was given nothing by anybody
    if record is None:
        return ("priority, not_before, expires_at, issue_on (?)",)
    said = {
        f"issue_on {record.issue_on}": record.issue_on,
        "not_before": record.start_at and not record.issue_on,
        "expires_at": record.expires_at,
        f"priority {record.priority}": record.priority != "normal",
    }
    return tuple(name for name, is_said in said.items() if is_said)


def _document_key(letter: Letter, envelope: Mapping[str, Any], keys: Keys) -> str:
    type_, payload = envelope.get("type"), envelope.get("payload")
    job_type = JOB_TYPES.get(type_) if isinstance(type_, str) else None
    reference = payload.get("reference_code") if isinstance(payload, dict) else None
    if not (job_type and job_type.issues and letter.account and isinstance(reference, str) and reference):
        return ""
    return keys.document(letter.account, job_type.family, reference)


def _is_related(other: Letter, letter: Letter) -> bool:
    is_same_job = _base(other) == _base(letter)
    return is_same_job or bool(letter.reference_code and other.reference_code == letter.reference_code)


def _base(letter: Letter) -> str:
    return pushable_id(parted(letter.job_id)[0])


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = strict_json.parse_written(raw)
    except strict_json.JsonRefused:
        return {}
    return found if isinstance(found, dict) else {}
