"""
The account's own secrets, taken out of foreign words: a server that echoes what it was sent must not make events, dead
letters or log lines tell it on.

Each secret is looked for as it is and in the forms in which servers give back what they got: escaped as JSON, as a URL,
as HTML, as base64 at any offset, as hexadecimal.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

BLOT: Final = "[oculto]"

_SHORTEST: Final = 4
"""Characters of a secret that is looked for. What is shorter stands in every other word."""

_SHORTEST_ANYWHERE: Final = 8
"""Below it a secret is one only where it stands alone: ``2026`` inside of a number is none."""

_KEPT_KEYS: Final = frozenset(
    {
        "number", "reference_code", "identification", "identification_number", "dv", "cufe", "cude", "cuds", "cune",
        "qr", "qr_image", "public_url", "total", "pdf_base_64_encoded", "xml_base_64_encoded",
    }
)  # fmt: skip
"""What names or is a document, by which decisions are taken. Where somebody's password is the NIT, the NIT stays."""


_WORD: Final = re.compile(r"[\w.~+/=-]{20,}")
_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")


def _blot_opaque(text: str) -> str:
    """Without what no person writes: letters and digits without a space, as tokens are. Looks at each letter once."""
    return _WORD.sub(lambda word: BLOT if _DIGIT.search(word[0]) and _LETTER.search(word[0]) else word[0], text)


def without_opaque_words(value: Any) -> Any:
    """
    A JSON value without words that may be tokens, in keys and texts.

    For what refuses a token: it may quote one that another process had, of which nobody here has heard.
    """
    match value:
        case str():
            return _blot_opaque(value)
        case dict():
            return {_blot_opaque(key): without_opaque_words(item) for key, item in value.items()}
        case list():
            return [without_opaque_words(item) for item in value]
        case _:
            return value


class Redactor:
    """Blots the secrets of one account out of texts and of JSON values."""

    def __init__(self, secrets: Iterable[str]) -> None:
        own = dict.fromkeys(secret for secret in secrets if len(secret) >= _SHORTEST)
        self._own = [form for secret in own for form in _forms_of(secret)]

    def text(self, text: str, *tokens: str) -> str:
        """One text without the secrets, and without these access tokens."""
        return self._blot(text, [form for form in self._forms(tokens) if form.is_in(text.casefold())])

    def value(self, value: Any, *tokens: str) -> Any:
        """A JSON value without them, in keys and texts; nearly always none stands in it, and it is the very same."""
        forms = self._forms(tokens)
        if not forms:
            return value
        text = "\0".join(_texts(value)).casefold()
        found = [form for form in forms if form.is_in(text)]
        return self._clean(value, found) if found else value

    def _forms(self, tokens: Sequence[str]) -> list[_Form]:
        return [*self._own, *(form for one in tokens if len(one) >= _SHORTEST for form in _forms_of_token(one))]

    def _clean(self, value: Any, forms: list[_Form]) -> Any:
        match value:
            case str():
                return self._blot(value, forms)
            case dict():
                return {
                    self._blot(key, forms): item
                    if key in _KEPT_KEYS and isinstance(item, str)
                    else self._clean(item, forms)
                    for key, item in value.items()
                }
            case list():
                return [self._clean(item, forms) for item in value]
            case _:
                return value

    @staticmethod
    def _blot(text: str, forms: list[_Form]) -> str:
        for form in forms:
            text = form.pattern.sub(BLOT, text)
        return text


class _Form:
    """One spelling of a secret."""

    def __init__(self, plain: str, *, is_whole: bool) -> None:
        self.plain = plain.casefold()
        pattern = re.escape(plain)
        self._pattern = rf"(?<!\w){pattern}(?!\w)" if is_whole else pattern

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Made when it is needed: nearly no answer holds a secret, and there are a dozen spellings of each."""
        return re.compile(self._pattern, re.IGNORECASE)

    def is_in(self, casefolded: str) -> bool:
        return self.plain in casefolded


@lru_cache(maxsize=512)
def _forms_of_token(token: str) -> tuple[_Form, ...]:
    """Each account has one for an hour."""
    return _forms_of(token)


def _forms_of(secret: str) -> tuple[_Form, ...]:
    is_whole = len(secret) < _SHORTEST_ANYWHERE
    spellings = dict.fromkeys(
        [
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret).replace("/", "\\/")[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            quote(secret),
            quote(secret, safe=""),
            quote_plus(secret),
            html.escape(secret),
            html.escape(secret, quote=False),
        ]
    )
    encoded = dict.fromkeys([*_base64_of(secret.encode("utf-8", "replace")), secret.encode("utf-8", "replace").hex()])
    found = [_Form(spelling, is_whole=is_whole) for spelling in spellings]
    found += [_Form(spelling, is_whole=False) for spelling in encoded if len(spelling) >= _SHORTEST_ANYWHERE]
    # Longest first: what is left of a longer form would still tell a part.
    return tuple(sorted(found, key=lambda form: -len(form.plain)))


def _base64_of(raw: bytes) -> Iterator[str]:
    """The characters that stand in base64 wherever *raw* begins: those that no neighbour can change."""
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        first = (0, 2, 3)[offset]
        last = len(text) if (offset + len(raw)) % 3 == 0 else len(text) - 1
        core = text[first:last]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _texts(value: Any) -> list[str]:
    """Every key and text of a JSON value, but for what names a document."""
    found: list[str] = []
    left = [value]
    while left:
        one = left.pop()
        kind = type(one)  # of hundreds of values in each answer: isinstance takes three times as long
        if kind is str:
            found.append(one)
        elif kind is dict:
            for key, item in one.items():
                found.append(key)
                if not (key in _KEPT_KEYS and type(item) is str):
                    left.append(item)
        elif kind is list:
            left += one
    return found
