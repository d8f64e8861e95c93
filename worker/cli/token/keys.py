"""
Key files, and tokens signed with them.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from jobs.rights.keys import KeyInvalid, SigningKey, signing_key_of_bytes, verification_key_of
from schemas import strict_json
from worker.bounded_files import FileUnusable, read_whole
from worker.rights.signatures import is_pair, new_key, public_part, signed_token

_MOST_BYTES: Final = 64 * 1024
_DAY_S: Final = 86_400


class KeyFileError(Exception):
    """A key file cannot be read, used or written. The words, English and Spanish, hold nothing of the key."""

    def __init__(self, en: str, es: str) -> None:
        super().__init__(en)
        self.es = es


def written_key(kid: str, alg: str, path: str, bounds: Mapping[str, Any]) -> str:
    """
    Make a key and write it; returns the public part as JSON.

    Args:
        bounds: Members that bound what the key's tokens grant.

    Raises:
        KeyFileError: The file is there already, or cannot be written.
    """
    key: dict[str, Any] = {**new_key(kid, alg), **bounds}
    try:
        # With its mode from the first moment, and never in place of another key.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as exc:
        raise KeyFileError("it is there already; nothing was written", "ya existe; no se escribió nada") from exc
    except (OSError, ValueError) as exc:
        words = getattr(exc, "strerror", None)
        en, es = (words, words) if words else ("its name cannot be used", "ese nombre no se puede usar")
        raise KeyFileError(f"it cannot be written: {en}", f"no se puede escribir: {es}") from exc
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)  # whatever the umask took away
        file.write(json.dumps(key) + "\n")
    return json.dumps(public_part(key))


def issued_token(path: str, claims: Mapping[str, Any], days: int) -> str:
    """
    A token of these claims, issued now and good for so many days.

    Raises:
        KeyFileError: The file holds no private key that can be used.
    """
    now_s = int(time.time())
    times = {"iat": now_s, "exp": now_s + days * _DAY_S, "jti": secrets.token_hex(8)}
    return signed_token(_signing_key(path), {**claims, **times})


def _signing_key(path: str) -> SigningKey:
    try:
        raw = read_whole(path, most=_MOST_BYTES)
        key = signing_key_of_bytes(raw)
    except FileUnusable as exc:
        raise KeyFileError(str(exc), exc.es) from exc
    except KeyInvalid as exc:
        raise KeyFileError(
            f"no private key (JWK) that can be used: {exc}", f"no es una llave privada (JWK) que sirva: {exc}"
        ) from None
    if not is_pair(key, verification_key_of(strict_json.parse(raw))):
        raise KeyFileError(
            f"the public part (x) of {key.kid} is not that of its private one (d)",
            f"la parte pública (x) de {key.kid} no es la de su privada (d)",
        )
    return key
