"""
Keeping tokens out of what is kept: the bytes of a job as a dead letter may hold them.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Final

from schemas import strict_json

BLOT: Final = b"***"

_LETTER: Final = rb"[A-Za-z0-9_-]"
_CHAR: Final = rb"(?:[A-Za-z0-9_-]\0?)"  # UTF-16 puts a NUL beside each
_DOT: Final = rb"\.\0?"
# Each run of such characters is looked at from its beginning only, and nothing is given back: a megabyte of them costs
# no more than its length.
_JWT: Final = re.compile(
    rb"(?<!" + _LETTER + rb")(?<!" + _LETTER + rb"\0)(?:"
    # Whatever begins like the header of one, also where the end is cut off.
    rb"e\0?[wy]\0?" + _CHAR + rb"{6,}+" + _DOT + _CHAR + rb"++(?:" + _DOT + _CHAR + rb"*+)?"
    # Or is as long as a header, claims and a signature are at least.
    rb"|" + _CHAR + rb"{16,}+" + _DOT + _CHAR + rb"{16,}+" + _DOT + _CHAR + rb"{20,}+)"
)
_MARKS: Final = (b"token", b"\\u")
"""Without a dot between long words and without these no token stands in the bytes of a job."""


def without_token(raw: bytes) -> bytes:
    """
    The bytes of a job as a dead letter may keep them: without its ``token``, and without what is a JWT elsewhere.

    What cannot be read loses whatever looks like a JWT; a job that can be read only what surely is one, so that no text
    of a document is lost.
    """
    found = _JWT.search(raw)
    if not found and not any(mark in raw for mark in _MARKS):
        return raw
    try:
        parsed = strict_json.parse(raw)
    except strict_json.JsonRefused:
        return _JWT.sub(BLOT, raw)
    if isinstance(parsed, dict) and "token" in parsed:
        raw = strict_json.dump({name: value for name, value in parsed.items() if name != "token"}).encode()
    return _JWT.sub(_blotted, raw) if found else raw


def _blotted(match: re.Match[bytes]) -> bytes:
    return BLOT if _is_header(match[0].partition(b".")[0]) else match[0]


def _is_header(part: bytes) -> bool:
    """Whether it is base64url of JSON that names an algorithm."""
    try:
        return b'"alg"' in urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        return False
