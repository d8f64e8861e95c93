"""
The people who may come in: ``FACTUS_USERS_FILE``, read again when it changes.

What turned bad is not taken: the last good content stays, and it is told. A door never starts with a bad one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import structlog
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import Type

from jobs.errors import ConfigurationError
from jobs.rights.globs import any_matches
from worker.bounded_files import FileUnusable, read_whole, text_of
from worker.guard import Guard, pause
from worker.settings.values import toml_place

log = structlog.get_logger()

Role = Literal["producer", "viewer", "operator"]

LOOK_S: Final = 3.0
_VARIABLE: Final = "FACTUS_USERS_FILE"
_MOST_BYTES: Final = 1024 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_KEYS: Final = frozenset({"password", "accounts", "types", "role"})
_MOST_MEMORY_KIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class User:
    """One person. ``accounts`` and ``types`` are globs."""

    name: str
    password: str = field(repr=False)
    """Its Argon2id hash."""
    accounts: tuple[str, ...]
    types: tuple[str, ...]
    role: Role

    @property
    def mark(self) -> str:
        """Stands in a login: another password ends what was given for the old one."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:16]

    def allows_account(self, name: str) -> bool:
        return any_matches(self.accounts, name)

    def allows_type(self, name: str) -> bool:
        return any_matches(self.types, name)


class UsersInvalid(ValueError):
    """The file cannot be used. The message says where and why, and quotes no hash."""


def users_of(raw: bytes) -> dict[str, User]:
    """
    The users of a file.

    Raises:
        UsersInvalid: It is no TOML, or a user in it is not whole.
    """
    try:
        table = tomllib.loads(text_of(raw))
    except FileUnusable as exc:
        raise UsersInvalid(str(exc)) from None
    except RecursionError:
        raise UsersInvalid("is not TOML: too deeply nested") from None
    except ValueError as exc:
        raise UsersInvalid(f"is not TOML{toml_place(exc)}") from None
    users = table.get("users")
    if not isinstance(users, dict) or set(table) != {"users"}:
        raise UsersInvalid("holds tables named [users.NAME] and nothing else")
    return {name: _user(name, values) for name, values in users.items()}


def _user(name: str, values: object) -> User:
    where = f"users.{name}"[:80]
    if not _NAME.fullmatch(name):
        raise UsersInvalid(f"{where}: a name has 1 to 64 of A-Za-z0-9._@-")
    if not isinstance(values, Mapping):
        raise UsersInvalid(f"{where} is not a table")
    if unknown := sorted(values.keys() - _KEYS):
        raise UsersInvalid(f"{where}: {unknown[0]} is none of {', '.join(sorted(_KEYS))}")
    role: Role | None = values.get("role")
    if role is None or role not in get_args(Role):
        raise UsersInvalid(f"{where}: role is producer, viewer or operator")
    password = values.get("password")
    if not isinstance(password, str) or not _is_argon2id(password):
        raise UsersInvalid(f"{where}: password is no Argon2id hash; make one with factus-worker user hash")
    # Who only looks pushes nothing, whatever its types.
    types = _globs(values, "types", where) if "types" in values or role == "producer" else ()
    return User(name, password, _globs(values, "accounts", where), types, role)


def _globs(values: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = values.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise UsersInvalid(f'{where}: {name} is a list of names or globs, such as ["*"]')
    return tuple(found)


def _is_argon2id(text: str) -> bool:
    try:
        found = extract_parameters(text)
    except (InvalidHashError, ValueError):
        return False
    return found.type is Type.ID and found.memory_cost <= _MOST_MEMORY_KIB


class UsersFile:
    """The users that count now; ``fault`` is why the newest content of the file does not, or empty."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            ConfigurationError: The file cannot be used; names it and what is wrong.
        """
        self._path = path
        self._raw = b""
        self.fault = ""
        try:
            self._raw = read_whole(path, most=_MOST_BYTES)
            self.users = users_of(self._raw)
        except (FileUnusable, UsersInvalid) as exc:
            raise ConfigurationError(f"{_VARIABLE}: {path}: {exc}") from None
        self.nobody = _nobody(self.users)

    def look(self) -> None:
        """Take what has changed and is good."""
        try:
            raw = read_whole(self._path, most=_MOST_BYTES)
            if raw == self._raw:
                return
            self._raw = raw
            users = users_of(raw)
        except (FileUnusable, UsersInvalid) as exc:
            self._raw = self._raw if isinstance(exc, UsersInvalid) else b""
            if (fault := str(exc)) != self.fault:
                log.error("users.not_taken", path=str(self._path), reason=fault)
            self.fault = str(exc)
            return
        self.users, self.nobody, self.fault = users, _nobody(users), ""
        log.info("users.taken", path=str(self._path))

    async def follow(self, stopping: asyncio.Event, guard: Guard, *, every_s: float = LOOK_S) -> None:
        """Look again and again until *stopping*."""
        while not stopping.is_set():
            with guard.iteration():
                await asyncio.to_thread(self.look)
            await pause(stopping, every_s)


def _nobody(users: Mapping[str, User]) -> str:
    """A hash that no password has, as dear to check as the others: who is unknown takes as long as who is known."""
    known = [extract_parameters(user.password) for user in users.values()]
    hasher = (
        PasswordHasher.from_parameters(max(known, key=lambda one: one.memory_cost * one.time_cost))
        if known
        else PasswordHasher()
    )
    return hasher.hash(hashlib.sha256(b"nobody").digest())
