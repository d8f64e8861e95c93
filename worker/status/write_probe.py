"""Whether Redis takes writes: it is seen by writing one key that dies by itself."""

from __future__ import annotations

import secrets
from typing import Final

from redis.exceptions import NoPermissionError, ResponseError

from worker.guard import redis_word
from worker.store.connection import words_of
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys

_LIFE_MS: Final = 5_000


def write_refused(keys: Keys) -> Inquiry[tuple[str, str] | None]:
    """Redis's first word, and all of them, when it refuses to write. Who may only look is no reason to worry."""
    (reply,) = yield [("SET", keys.write_probe(secrets.token_hex(6)), "1", "PX", _LIFE_MS)]
    if isinstance(reply, NoPermissionError) or not isinstance(reply, Exception):
        return None
    if not isinstance(reply, ResponseError):
        raise reply
    return redis_word(reply), words_of(reply)
