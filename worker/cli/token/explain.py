"""
What a token says, for people. Nothing is checked, and nothing of it has to be right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jobs.rights.encoding import decode
from schemas import strict_json
from schemas.factus import BOGOTA
from worker.speech import Speech, clock, span

_LATEST_S: Final = 253_402_300_799  # the end of 9999


class Unreadable(Exception):
    """What was typed is no token. The words, English and Spanish, hold nothing of it."""

    def __init__(self, en: str, es: str) -> None:
        super().__init__(en)
        self.es = es


@dataclass(frozen=True, slots=True)
class Parts:
    """Header and claims, as they stand there."""

    header: Any
    claims: Any


def parts_of(typed: bytes) -> Parts:
    """
    Header and claims of a token.

    Raises:
        Unreadable: It has not three parts, or one of them is no JSON.
    """
    words = typed.decode("utf-8", "replace").split()
    if words[:1] == ["Bearer"]:
        words = words[1:]
    parts = words[0].split(".") if len(words) == 1 else []
    if len(parts) != 3:
        raise Unreadable("no token: it has three parts with dots between", "no es un token: son tres partes con puntos")
    try:
        return Parts(*(strict_json.parse(decode(part.rstrip("="))) for part in parts[:2]))
    except ValueError as exc:
        raise Unreadable(
            "no token: header and claims are base64url of JSON",
            "no es un token: encabezado y datos son JSON en base64url",
        ) from exc


def explained(parts: Parts, speech: Speech) -> list[tuple[str, str]]:
    """Names and texts; what is not there is empty."""
    say = speech.say
    header = parts.header if isinstance(parts.header, dict) else {}
    claims = parts.claims if isinstance(parts.claims, dict) else {}
    told = [
        (say("productor", "producer"), _text(claims, "iss")),
        (say("servicio", "service"), _text(claims, "aud")),
        (say("cuentas", "accounts"), _text(claims, "accounts")),
        (say("tipos", "types"), _text(claims, "types")),
        (say("emitido", "issued"), _when(claims, "iat", speech)),
        (say("desde", "not before"), _when(claims, "nbf", speech)),
        (
            say("vence", "expires"),
            _when(claims, "exp", speech) or say("nunca: no dice cuándo", "never: it does not say"),
        ),
        (say("solo para el trabajo", "only for the job"), _text(claims, "job_sha256")),
        (say("número", "token id"), _text(claims, "jti")),
        (say("llave", "key"), _text(header, "kid")),
        (say("firma", "signature"), _text(header, "alg")),
        (say("clase", "kind"), _text(header, "typ")),
    ]
    known = {"iss", "aud", "accounts", "types", "iat", "nbf", "exp", "job_sha256", "jti"}
    told += [(name, _text(claims, name)) for name in claims if name not in known]
    told += [(name, _text(header, name)) for name in header if name not in ("kid", "alg", "typ")]
    return told


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name, "")
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else strict_json.dump(value)


def _when(claims: dict[str, Any], name: str, speech: Speech) -> str:
    at_s = claims.get(name)
    if type(at_s) is not int or not 0 <= at_s <= _LATEST_S:
        return _text(claims, name)
    left_s = at_s - datetime.now(UTC).timestamp()
    life = span(abs(left_s))
    told = speech.say(f"en {life}", f"in {life}") if left_s > 0 else speech.say(f"hace {life}", f"{life} ago")
    return f"{clock(at_s * 1000, BOGOTA)} ({told})"
