"""
A run: what is pushed goes in, what comes out is held against the promises, all the time and at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from tests.fuzz.actions import Action, Add, Case, Delete, Plant
from tests.fuzz.answers import ACCESS
from tests.fuzz.entries import JWT, OWN
from tests.fuzz.promises import Book, Owed, Violation, death, held_too_long, names_of
from tests.fuzz.service import MEMORY_BOUND, SECRETS, SHORT_DEADLINE_S, Service, wait_a_little

GOOD_WITHIN_S: Final = 20.0
"""How long an honest job may take among everything else."""
ENDED_AFTER_S: Final = 30.0
"""How long after its deadline a job may have its end: a worker has much to do beside."""
BARRED_S: Final = 30.0
"""How long pushes may be turned away after an id of the far future."""
SCRIPT_MS: Final = 1000
"""How long a script may hold the server, and with it everybody."""
_SERVER_BACK_S: Final = 30.0
_END_S: Final = 15.0
_AT_ONCE: Final = 40
_OWN_FROM: Final = 500_000
_LARGEST_FIELD: Final = 16 * 1024 * 1024
"""``proto-max-bulk-len`` of the embedded server."""
_FIRST_DEATHS: Final = 2
_PLANTED: Final = tuple(secret.encode() for secret in (*SECRETS.values(), ACCESS, JWT))

_TRIMMING_ADD: Final = """
local before = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 5000)
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', unpack(ARGV, 2))
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local gone = first == nil and {id} or {}
for _, row in ipairs(before) do
  if first == nil or row[1] ~= first[1] then gone[#gone + 1] = row[1] else break end
end
return {id, gone}
"""


@dataclass(frozen=True)
class Seen:
    """What had been going on when a promise was seen broken: where to look for the cause first."""

    n_done: int = 0
    """Actions done."""
    recent: tuple[str, ...] = ()
    """The requests answered last, the newest first."""
    subject: str = ""


class Barred(Exception):
    """Nobody can push any more, and nobody mends it."""


def _is_refused_for_its_size(action: Action) -> bool:
    """A server closes the connection of who pushes a field beyond its bound (``proto-max-bulk-len``)."""
    return isinstance(action, Add) and any(len(part) > _LARGEST_FIELD for pair in action.fields for part in pair)


@dataclass
class Course:
    """One run of the service, from its start to its end."""

    service: Service
    book: Book = field(default_factory=Book)
    violations: list[Violation] = field(default_factory=list)
    n_deaths: int = 0
    n_kills: int = 0
    longest: dict[str, Any] = field(default_factory=lambda: {"held_ms": 0, "used_ms": 0, "place": ""})
    longest_script_ms: int = 0
    n_bytes: int = 0
    n_done: int = 0
    """Actions done so far."""
    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    _accepted: list[tuple[str, str]] = field(default_factory=list)
    _last: dict[str, str] = field(default_factory=dict)
    _next_look: float = 0.0
    _stands: bool = False
    _n_own: int = 0
    _was_asked_to_end: bool = False
    _log_at: int = 0

    @property
    def is_over(self) -> bool:
        """Whether going on would show nothing new: the service has ended again and again, or stands still."""
        ends = self.n_deaths >= _FIRST_DEATHS or self._stands
        return ends or any(found.kind in ("silent", "barred") for found in self.violations)

    # -- pushing ---------------------------------------------------------------------------------------------------
    def play(self, actions: Sequence[Action]) -> None:
        """Do the actions in their order, as fast as the server takes them."""
        for action in actions:
            if self.is_over:
                return
            try:
                self._do(action)
            except Barred:
                self._blame(Violation("barred", "", f"pushes have been turned away for {BARRED_S:g} s"))
            except RedisError as exc:
                if not _is_refused_for_its_size(action):
                    self._server_stands(exc)
            self.n_done += 1
            self.look()

    def _do(self, action: Action) -> None:
        redis, keys = self.service.redis, self.service.keys
        match action:
            case Add():
                self._add(action)
            case Delete(back) if len(self._accepted) >= back:
                owner, entry = self._accepted[-back]
                if redis.xdel(keys.jobs(owner or None), entry):
                    self.book.forgive(entry)
            case Delete():
                pass
            case Plant(name, kind):
                self.book.may_fail_within = True
                _PLANTERS[kind](redis, f"{keys.namespace}:{name}")

    def _add(self, add: Add) -> None:
        if add.is_good:
            self._add_until_taken(add)
            return
        left = add.times
        while left:
            taken = self._send(add, min(left, 500))
            left = 0 if taken < min(left, 500) else left - taken
            if add.times > _AT_ONCE:
                self.look()

    def _send(self, add: Add, n: int) -> int:
        """How many the server took."""
        stream = self.service.keys.jobs(add.owner or None)
        flat = [part for pair in add.fields for part in pair]
        if add.maxlen is not None:
            id_, gone = self.service.redis.eval(_TRIMMING_ADD, 1, stream, add.maxlen, *flat)
            self._taken(add, id_.decode())
            for entry in gone:
                self.book.forgive(entry.decode())
            return 1
        pipe = self.service.redis.pipeline(transaction=False)
        at = self.service.clock()
        for _ in range(n):
            pipe.execute_command("XADD", stream, self._id_of(add), *flat)
        replies = pipe.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, bytes):
                self._taken(add, reply.decode(), at)
        return sum(isinstance(reply, bytes) for reply in replies)

    def _id_of(self, add: Add) -> str:
        """No two streams have one id: it names jobs that have no other, and here their events are told apart by it."""
        if not add.owner or add.id != "*":
            return add.id
        self._n_own += 1
        return f"{int(time.time() * 1000)}-{_OWN_FROM + self._n_own}"

    def _add_until_taken(self, add: Add) -> None:
        gives_up_at = time.monotonic() + BARRED_S
        while not self._send(add, 1):
            if time.monotonic() > gives_up_at:
                raise Barred
            self.look()
            wait_a_little()

    def _taken(self, add: Add, entry: str, at: float | None = None) -> None:
        size = add.size // add.times
        self.n_bytes += size
        self._accepted = [*self._accepted[-200:], (add.owner, entry)]
        owed = Owed(entry, add.owner, names_of(add, entry), at or self.service.clock(), size, add.is_good)
        self.book.owe(owed)

    def kill_worker(self) -> None:
        """kill -9 at any moment: whoever comes next begins with what this one had in hand."""
        if self.service.worker.poll() is None and not self.is_over:
            self.n_kills += 1
            self.service.kill_worker()
            self.service.restart_worker()

    # -- watching --------------------------------------------------------------------------------------------------
    def look(self, *, always: bool = False) -> None:
        """Read what has come out, and hold it against the promises."""
        at = time.monotonic()
        if at < self._next_look and not always:
            return
        self._next_look = at + 0.05
        try:
            self._read_events()
        except RedisError as exc:
            self._server_stands(exc)
        for hold in self.service.new_holds():
            if hold["used_ms"] > self.longest["used_ms"]:
                self.longest = hold
            if (found := held_too_long(hold)) is not None:
                self._blame(found)
        peak = self.service.memory_peak()
        if peak > MEMORY_BOUND:
            self._blame(Violation("memory", "", f"the worker has held {peak >> 20} MiB"))
        status = self.service.worker.poll()
        if status is not None and not self._was_asked_to_end:
            self._died(status)
        self._late(self.service.clock())

    def _read_events(self) -> None:
        keys, now = self.service.keys, self.service.clock()
        streams = [stream for owner in (None, OWN) for stream in (keys.results(owner), keys.radian(owner))]
        reply = self.service.redis.xread({stream: self._last.get(stream, "0-0") for stream in streams}, count=500)
        for stream, rows in reply or ():
            name = stream.decode()
            self._last[name] = rows[-1][0].decode()
            for _, fields in rows:
                for found in self.book.receive(name, fields[b"event"], now, _PLANTED):
                    self._blame(found)

    def _server_stands(self, error: RedisError) -> None:
        """A server that answers nobody, most often for a script: everybody waits for whoever called it."""
        began = time.monotonic()
        while time.monotonic() - began < _SERVER_BACK_S:
            try:
                self.service.redis.ping()
                break
            except RedisError:
                wait_a_little()
        else:
            self._stands = True
        told = f"{type(error).__name__}: {str(error)[:80]}"
        took = (
            f"{self.longest_script_ms} ms, the longest script" if self._read_slow_scripts() else "it did not come back"
        )
        self._blame(Violation("server stands", "", f"the server answered nobody ({told}); {took}"))

    def _read_slow_scripts(self) -> bool:
        """The server's own record of what took long; False when it cannot be asked."""
        try:
            rows = self.service.redis.slowlog_get(32)
        except RedisError:
            return False
        for row in rows:
            took = round(row["duration"] / 1000)
            if not row["command"].upper().startswith(b"EVAL") or took <= self.longest_script_ms:
                continue
            self.longest_script_ms = took
            if took > SCRIPT_MS:
                words = row["command"][:300].split()
                keys = [word.decode("utf-8", "replace") for word in words[3:9]]
                self._blame(Violation("script held", keys[0] if keys else "", f"a script of {took} ms, keys {keys}"))
        return True

    def _died(self, status: int) -> None:
        log = self.service.log.read_bytes()[self._log_at :].decode("utf-8", "replace")
        self._log_at = self.service.log.stat().st_size
        self.n_deaths += 1
        self._blame(death(status, log))
        if not self.is_over:
            self.service.restart_worker()

    def _late(self, now: float) -> None:
        if self.n_deaths:
            return  # nobody was there to answer
        for owed in self.book.all_open():
            bound = GOOD_WITHIN_S if owed.is_good else self.service.deadline_s + ENDED_AFTER_S
            if now - owed.at > bound:
                kind = "honest job late" if owed.is_good else "silent"
                text = f"{sorted(owed.names)} has no final event after {bound:g} s"
                self._blame(Violation(kind, "", text, next(iter(sorted(owed.names - {owed.entry})), "")))
                self.book.forgive(owed.entry)

    def _blame(self, violation: Violation) -> None:
        if violation.name not in {known.name for known in self.violations}:
            self.violations.append(violation)
            recent = dict.fromkeys(reversed(self.service.side.order[-400:]))
            self.seen[violation.name] = Seen(self.n_done, tuple(recent), violation.subject)

    # -- waiting ---------------------------------------------------------------------------------------------------
    def wait(self, is_done: Callable[[], bool]) -> None:
        """Look on until something is so, or the course is over. Every wait ends: what is owed too long is blamed."""
        while not (self.is_over or is_done()):
            self.look()
            wait_a_little()

    def honest_jobs_done(self) -> bool:
        return not any(owed.is_good for owed in self.book.all_open())

    def all_done(self) -> bool:
        return not self.book.open

    def finish(self) -> None:
        """Everything must have its end; nothing may be left in the intake; the worker goes when it is asked to."""
        self.wait(self.all_done)
        self.look(always=True)
        self._read_slow_scripts()
        if not self.is_over:
            self._nothing_left()
        if self.service.worker.poll() is None and not self.n_deaths:
            self._was_asked_to_end = True
            status = self.service.stop_worker(patience_s=_END_S)
            self.look(always=True)
            if status != 0:
                text = f"asked to end, the worker did so with {status} (None: not within {_END_S:g} s)"
                self._blame(Violation("no end", str(status), text))
        self._log_keeps_secrets()

    def _nothing_left(self) -> None:
        gives_up_at = time.monotonic() + 5
        while left := self._left():
            if time.monotonic() > gives_up_at:
                self._blame(Violation("left", "", left))
                return
            wait_a_little()

    def _left(self) -> str:
        for owner in (None, OWN):
            stream = self.service.keys.jobs(owner)
            try:
                if n := self.service.redis.xlen(stream):
                    return f"{n} entries are left in {stream}"
                if n := self.service.redis.xpending(stream, "intake")["pending"]:
                    return f"{n} entries of {stream} are given out and not acknowledged"
            except ResponseError:
                return f"{stream} has no group"
            except RedisError as exc:
                return f"{stream}: {type(exc).__name__}"
        return ""

    def _log_keeps_secrets(self) -> None:
        log = self.service.log.read_bytes()
        for secret in _PLANTED:
            if secret in log:
                at = log.index(secret)
                self._blame(
                    Violation("secret", "log", f"{secret.decode()} stands in the log: {log[at - 200 : at + 50]!r}")
                )


_PLANTERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "string": lambda redis, name: redis.set(name, "x", nx=True),
    "list": lambda redis, name: redis.exists(name) or redis.rpush(name, "x"),
    "set": lambda redis, name: redis.exists(name) or redis.sadd(name, "x"),
    "hash": lambda redis, name: redis.exists(name) or redis.hset(name, "x", "x"),
    "zset": lambda redis, name: redis.exists(name) or redis.zadd(name, {"x": 1}),
}


def replay(
    case: Case,
    *,
    answers_seed: str | None = None,
    until: tuple[str, str] | None = None,
    deadline_s: float = SHORT_DEADLINE_S,
) -> Course:
    """
    Play a case on a service of its own.

    Args:
        answers_seed: Wild answers beside those of the case; None for right ones.
        until: The name of a violation: seen, the rest is not waited for.
    """
    service = Service(answers_seed, case.answers, deadline_s=deadline_s)
    course = Course(service)
    try:
        course.play(case.actions)
        course.wait(lambda: course.all_done() or any(found.name == until for found in course.violations))
        if until is None or until[0] in ("left", "no end", "secret"):
            course.finish()
        else:
            course.look(always=True)
    finally:
        service.close()
    return course
