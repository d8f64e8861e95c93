"""
JSON at the border, read so that nothing is lost and nothing can hurt.

Numbers with a fraction become :class:`~decimal.Decimal` (never a binary float), repeated keys, NaN, lone surrogates
and deep nesting are refused. Used for everything that comes from outside: jobs, files, answers of Factus.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
"""How deep arrays and objects may be nested (docs/contract.md, section 1); the document itself is level 1."""

_MAX_INTEGER_DIGITS: Final = 100
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_escape = json.encoder.encode_basestring
_quick_dump: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class JsonRefused(ValueError):
    """The text is not JSON that we take. The message says why, in Spanish, and quotes none of the content."""


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefused(f"{name} no es un número JSON")


def _integer(text: str) -> int:
    # int() of a long text is quadratic and raises beyond 4300 digits; no amount or identifier is near this.
    if len(text) > _MAX_INTEGER_DIGITS:
        raise JsonRefused(f"número de más de {_MAX_INTEGER_DIGITS} dígitos")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_INTEGER_DIGITS:
        raise JsonRefused(f"número de más de {_MAX_INTEGER_DIGITS} dígitos")
    return Decimal(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefused("clave repetida en un objeto")
    return found


_DECODER: Final = json.JSONDecoder(
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_refuse_constant,
    object_pairs_hook=_object,
)


_TRUSTING_DECODER: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_integer)


def parse(raw: bytes | str) -> Any:
    """
    Read one JSON document.

    Args:
        raw: UTF-8 bytes, or text. The caller limits the size.

    Raises:
        JsonRefused: Not JSON, not UTF-8, or one of the refused forms above.
    """
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    try:
        found = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise JsonRefused(f"no es UTF-8 (byte {exc.start})") from exc
    except json.JSONDecodeError as exc:
        raise JsonRefused(f"no es JSON (línea {exc.lineno}, columna {exc.colno})") from exc
    except RecursionError as exc:
        raise JsonRefused(f"anidado a más de {MAX_DEPTH} niveles") from exc
    has_surrogates = bool(_SURROGATE_ESCAPE.search(data))
    # A document with no more brackets than levels allowed cannot be too deep: most need no walk.
    if has_surrogates or data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _check_tree(found, check_text=has_surrogates)
    return found


def parse_trusted(raw: bytes) -> Any:
    """
    Read an answer of Factus: exact decimals, without the checks that a stranger's document needs.

    Raises:
        JsonRefused: Not JSON, or not UTF-8.
    """
    try:
        return _TRUSTING_DECODER.decode(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as exc:
        raise JsonRefused("no es JSON") from exc


def _check_tree(root: Any, *, check_text: bool) -> None:
    """Walk the containers, level by level, so that a deep document cannot exhaust the stack."""
    level, depth = [root], 0
    while level:
        if check_text:
            for node in level:
                _check_texts(node)
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
            if check_text or isinstance(child, (dict, list))
        ]
        depth += 1
        if depth >= MAX_DEPTH and any(isinstance(node, (dict, list)) for node in level):
            raise JsonRefused(f"anidado a más de {MAX_DEPTH} niveles")


def _check_texts(node: Any) -> None:
    texts = node.keys() if isinstance(node, dict) else (node,) if isinstance(node, str) else ()
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise JsonRefused("texto con un sustituto Unicode suelto") from exc


def dump(value: Any) -> str:
    """
    Write JSON compactly, decimals as the numbers they were read from.

    The standard encoder has no exact number for a Decimal: floats would lose digits, strings would change the type
    of what a producer gave us to give back.

    Args:
        value: Only what :func:`parse` can return. Keys keep their order.
    """
    try:
        return _quick_dump(value)  # in C; it knows no Decimal, and says so
    except TypeError:
        return _exact_dump(value)


def _exact_dump(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _escape(value)
        case int() | Decimal():
            return str(value)
        case dict():
            return "{" + ",".join([f"{_escape(key)}:{_exact_dump(item)}" for key, item in value.items()]) + "}"
        case list() | tuple():
            return "[" + ",".join([_exact_dump(item) for item in value]) + "]"
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")


def canonical(value: Any) -> str:
    """
    One text for all documents that mean the same: keys sorted, numbers in one spelling.

    Only JSON numbers are respelt here; a decimal written as a string is a matter of the field it stands in, which a
    payload's model knows.
    """
    match value:
        case dict():
            return "{" + ",".join([f"{_escape(key)}:{canonical(value[key])}" for key in sorted(value)]) + "}"
        case list() | tuple():
            return "[" + ",".join([canonical(item) for item in value]) + "]"
        case Decimal():
            return _plain_number(value)
        case _:
            return dump(value)


def _plain_number(number: Decimal) -> str:
    if not number:
        return "0"
    # normalize() keeps an exponent, so 1E+999999 stays six characters; an integer in range equals its int spelling.
    shortest = number.normalize()
    in_plain_range = abs(shortest.adjusted()) <= _MAX_INTEGER_DIGITS
    return format(shortest, "f") if in_plain_range else str(shortest)
