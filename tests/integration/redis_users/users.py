"""The users of ``deploy/users.acl``, and how one comes in as each of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis

from worker.store import embedded_binary

Connect = Callable[[str], redis.Redis]

USERS = (
    "admin", "worker", "operator", "viewer", "monitor", "door", "webhooks", "producer", "consumer", "producer-acme",
    "consumer-acme",
)  # fmt: skip


def servers() -> list[Path]:
    """The bundled one, and Redis where it is installed: both read the same file, and not every word of it alike."""
    found = [embedded_binary.find_binary()]
    if on_path := shutil.which("redis-server"):
        found.append(Path(on_path))
    return found


def client(socket: Path, user: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket), username=user, password=user, decode_responses=True)


def denied(call: Callable[..., Any], *arguments: Any) -> bool:
    try:
        call(*arguments)
    except redis.exceptions.NoPermissionError:
        return True
    return False


def all_denied(
    connect: Connect, user: str, *commands: str, refusals: Sequence[str] = ("acl failure in script",)
) -> list[str]:
    """
    Which of these a user may do although it should not.

    Args:
        refusals: Words of other errors that let nobody do it either, in small letters.
    """
    allowed = []
    for text in commands:
        with connect(user) as client:
            try:
                client.execute_command(*text.split(" "))
                allowed.append(text)
            except redis.exceptions.NoPermissionError:
                pass
            except redis.exceptions.ResponseError as exc:
                if not any(word in str(exc).lower() for word in refusals):
                    allowed.append(f"{text}: {exc}")
    return allowed
