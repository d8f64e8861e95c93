"""
JSON at the border, read so that nothing is lost and nothing can hurt.

Numbers with a fraction become :class:`~decimal.Decimal` (never a binary float), repeated keys, NaN, lone surrogates
and deep nesting are refused. Used for everything that comes from outside: jobs, files, answers of Factus. What we wrote
ourselves is read by :func:`parse_written`.
"""

from __future__ import annotations

import json
import re
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
"""How deep arrays and objects may be nested (docs/contract.md, section 1); the document itself is level 1."""

MAX_MARKS: Final = 100_000
"""
How many brackets and commas a document may have. A bill that fills a megabyte with lines has half of that; a megabyte
of ``[],`` has a million, and to build them, and an error for each, holds a process for more than a second.
"""

_MAX_DIGITS: Final = 100
_MAX_EXPONENT: Final = 400
"""No amount is near 1E+400; beyond some 10^18 the decimal module itself refuses to read the number."""

_MOST_EXPONENT_DIGITS: Final = 9
"""As it is written: a number of a megabyte of zeros may have one of seven."""

_ALL_DIGITS: Final = Context(prec=_MAX_DIGITS)

_BOM: Final = b"\xef\xbb\xbf"
"""Some editors and languages put it before every text; it says nothing."""

_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
# Possessive, and content with a text that nobody closed: no input makes the search go back over what it has read.
_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[][{}:,]|[^][{}:,"\s]++', re.DOTALL)
_MOST_TOKENS: Final = 60_000
_NO_SCALAR: Final = b"?"
_STRUCTURE_ONLY: Final = bytes(set(range(256)) - set(b"[]{},"))
_escape = json.encoder.encode_basestring
_quick_dump: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class JsonRefused(ValueError):
    """The text is not JSON that we take. The message says why, in Spanish (``en``: English), and quotes none of it."""

    def __init__(self, es: str, en: str) -> None:
        super().__init__(es)
        self.en = en


class BoundExceeded(JsonRefused):
    """It may well be JSON, and goes beyond one of the bounds: what stands at its top level can still be read."""


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefused(f"{name} no es un número JSON", f"{name} is no JSON number")


def _integer(text: str) -> int:
    # int() of a long text is quadratic and raises beyond 4300 digits; no amount or identifier is near this.
    _check_digits(text)
    return int(text)


def _decimal(text: str) -> Decimal:
    mantissa, _, exponent = text.replace("E", "e").partition("e")
    _check_digits(mantissa)
    if len(exponent.lstrip("+-").lstrip("0")) <= _MOST_EXPONENT_DIGITS:
        number = Decimal(text)
        # Of the number, not of its spelling: that of its first digit is what is left when it is written again.
        if abs(number.adjusted()) <= _MAX_EXPONENT:
            return number
    raise BoundExceeded(
        f"número con un exponente mayor que {_MAX_EXPONENT}", f"number with an exponent beyond {_MAX_EXPONENT}"
    )


def _check_digits(text: str) -> None:
    """A sign, the point and zeros before the first digit are no digits: another spelling has others of them."""
    if len(text) > _MAX_DIGITS and len(text.lstrip("-0.").replace(".", "")) > _MAX_DIGITS:
        raise BoundExceeded(f"número de más de {_MAX_DIGITS} dígitos", f"number of more than {_MAX_DIGITS} digits")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BoundExceeded("clave repetida en un objeto", "key twice in an object")
    return found


_DECODER: Final = json.JSONDecoder(
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_refuse_constant,
    object_pairs_hook=_object,
)


def parse(raw: bytes | str) -> Any:
    """
    Read one JSON document.

    Args:
        raw: UTF-8 bytes, or text. The caller limits the size.

    Raises:
        JsonRefused: Not JSON, not UTF-8, or one of the refused forms above.
    """
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    data = data.removeprefix(_BOM)
    _check_structure(data)
    try:
        found = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise JsonRefused(f"no es UTF-8 (byte {exc.start})", f"not UTF-8 (byte {exc.start})") from exc
    except json.JSONDecodeError as exc:
        raise JsonRefused(
            f"no es JSON (línea {exc.lineno}, columna {exc.colno})", f"not JSON (line {exc.lineno}, column {exc.colno})"
        ) from exc
    if _SURROGATE_ESCAPE.search(data):
        _check_texts(found)
    return found


def skim(raw: bytes) -> Any:
    """
    Read JSON for what it is about, in half the time, where :func:`parse` decides later what becomes of it: numbers are
    not exact, and of repeated keys the last counts.

    Raises:
        JsonRefused: Not JSON, or what costs too much to read.
    """
    _check_structure(raw)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise JsonRefused("no es JSON", "not JSON") from exc


def parse_written(raw: bytes | str) -> Any:
    """
    Read JSON that this service has written: an event, what was archived of a document.

    What bounds a job from outside does not hold for it: an event holds an answer of Factus, which may have more values
    than a job, and stands two levels deeper there than it came.

    Raises:
        JsonRefused: Not JSON after all: somebody else has written there.
    """
    try:
        return _DECODER.decode(raw.decode("utf-8") if isinstance(raw, bytes) else raw)
    except RecursionError as exc:
        raise JsonRefused("anidado a demasiados niveles", "nested too deep") from exc
    except ValueError as exc:
        raise exc if isinstance(exc, JsonRefused) else JsonRefused("no es JSON", "not JSON") from exc


def _check_structure(data: bytes) -> None:
    """Refuse what is too deep or holds too much, before anything is built of it: from its brackets and commas alone."""
    n_opened = data.count(b"{") + data.count(b"[")
    # With few of them, also where they stand in texts, no look at the texts is needed: so it is with nearly every job.
    if n_opened <= MAX_DEPTH and data.count(b",") <= MAX_MARKS // 2:
        return
    structure = _TEXT.sub(b"", data).translate(None, _STRUCTURE_ONLY)
    if len(structure) > MAX_MARKS:
        raise BoundExceeded(
            f"contiene demasiados valores (más de {MAX_MARKS} corchetes, llaves y comas)",
            f"too many values (more than {MAX_MARKS} brackets and commas)",
        )
    depth = 0
    for mark in structure:
        if mark in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise BoundExceeded(f"anidado a más de {MAX_DEPTH} niveles", f"nested deeper than {MAX_DEPTH} levels")
        elif mark in b"}]":
            depth -= 1


def top_level(raw: bytes, *, longest: int = 1024) -> dict[str, Any]:
    """
    The short texts and numbers that stand directly in an object which :func:`parse` refused for a bound.

    A producer finds the answer to a job by its id, also where the rest of the job is beyond reading. Of a key that
    stands there twice nothing is returned: nobody knows which one is meant.

    Args:
        longest: Bytes of a text as it is written, its quotes included; a longer one is left out.
    """
    found: dict[str, str | int | None] = {}
    repeated: set[str] = set()
    depth, key, value = 0, b"", b""
    for n, token in enumerate(match[0] for match in _TOKEN.finditer(raw)):
        if n > _MOST_TOKENS:
            break
        match token:
            case b"{" | b"[":
                depth, value = depth + 1, _NO_SCALAR if depth else b""
            case b":" if depth == 1:
                key, value = value, b""
            case b"," | b"}" | b"]" if depth == 1:
                name, scalar = _scalar(key, longest), _scalar(value, longest)
                if isinstance(name, str):
                    repeated |= {name} & found.keys()
                    found[name] = scalar
                key = value = b""
            case _ if depth == 1:
                value = _NO_SCALAR if value else token  # of two in a row nobody knows which one is meant
        depth -= token in (b"}", b"]")
    return {name: value for name, value in found.items() if value is not None and name not in repeated}


def _scalar(token: bytes, longest: int) -> str | int | None:
    """A text that can be written down, or a whole number; None for all else."""
    if not 0 < len(token) <= longest:
        return None
    try:
        found = _DECODER.decode(token.decode("utf-8"))
        _check_texts(found)
    except ValueError:
        return None
    return found if isinstance(found, (str, int)) and not isinstance(found, bool) else None


MOST_ANSWER_VALUES: Final = 200_000
"""How many values an answer may have: a document of 5,000 lines has fewer, and reading these takes a fifth of a second
and some 30 MiB."""

_MOST_NUMBER_CHARS: Final = 100
_MOST_EXPONENT: Final = 308  # beyond it no consumer has the number either: to most languages it is infinite
_UNWRITABLE_ESCAPE: Final = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_UNWRITABLE: Final = re.compile("[\ud800-\udfff\x00]")


def _bounded_integer(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_NUMBER_CHARS else f"{text[:_MOST_NUMBER_CHARS]}…"


def _bounded_decimal(text: str) -> Decimal | str:
    if len(text) > _MOST_NUMBER_CHARS:
        return f"{text[:_MOST_NUMBER_CHARS]}…"
    number = Decimal(text)
    return number if abs(number.adjusted()) <= _MOST_EXPONENT else text


_ANSWER_DECODER: Final = json.JSONDecoder(
    parse_float=_bounded_decimal, parse_int=_bounded_integer, parse_constant=str, strict=False
)


def parse_lenient(raw: bytes, *, most_values: int = MOST_ANSWER_VALUES) -> Any:
    """
    Read an answer of Factus leniently: exact decimals, and as much of it as can be told again.

    One bad character must not hide that DIAN has validated a document. So what is no UTF-8, a lone surrogate or a NUL
    becomes U+FFFD, of repeated keys the last counts, and a number that no consumer could read (beyond 100 characters,
    an exponent beyond 308, NaN) becomes its text. Only shapes that cost too much are refused.

    Args:
        most_values: How many values it may have, counted as brackets and commas.

    Raises:
        JsonRefused: Not JSON, nested deeper than 32 levels, or more values than that.
    """
    n_openings = raw.count(b"{") + raw.count(b"[")
    if n_openings + raw.count(b",") > most_values:
        raise JsonRefused(f"más de {most_values} valores", f"more than {most_values} values")
    try:
        found = _ANSWER_DECODER.decode(raw.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as exc:  # ValueError: not JSON, or a number that Decimal does not take
        raise JsonRefused("no es JSON", "not JSON") from exc
    except InvalidOperation as exc:
        raise JsonRefused("número ilegible", "number that cannot be read") from exc
    if n_openings > MAX_DEPTH:
        _check_depth(found)
    return _writable(found) if _UNWRITABLE_ESCAPE.search(raw) else found


def _check_depth(root: Any) -> None:
    """Walk the containers, level by level, so that a deep answer cannot exhaust the stack."""
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise JsonRefused(f"anidado a más de {MAX_DEPTH} niveles", f"nested deeper than {MAX_DEPTH} levels")
        below = []
        for node in level:
            kind = type(node)  # for each of hundreds of values: isinstance takes three times as long
            for child in node.values() if kind is dict else node if kind is list else ():
                kind = type(child)
                if kind is dict or kind is list:
                    below.append(child)
        level = below


def _writable(value: Any) -> Any:
    """
    The same without what no UTF-8 text can hold. The depth is bounded by now.

    What is printable can be written, and is most of it: a call for each of a hundred thousand texts holds the loop.
    """
    kind = type(value)
    if kind is str:
        return value if value.isprintable() else _UNWRITABLE.sub("\ufffd", value)
    if kind is dict:
        return {
            name if name.isprintable() else _writable(name): item
            if type(item) is str and item.isprintable()
            else _writable(item)
            for name, item in value.items()
        }
    if kind is list:
        return [item if type(item) is str and item.isprintable() else _writable(item) for item in value]
    return value


def _check_texts(root: Any) -> None:
    """Refuse a lone surrogate in any text or key: it has no UTF-8 form, so nobody could write it down again."""
    nodes = [root]
    while nodes:
        match nodes.pop():
            case str() as text:
                _check_text(text)
            case dict() as node:
                for key in node:
                    _check_text(key)
                nodes += node.values()
            case list() as node:
                nodes += node


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise BoundExceeded("texto con un sustituto Unicode suelto", "text with a lone Unicode surrogate") from exc


def is_longer_than(value: Any, n_bytes: int) -> bool:
    """
    Whether the shortest JSON text of a value surely has more than so many bytes; looks at no more than that.

    Counted are brackets, quotes, colons, the commas between members, and one byte for each character and number: no
    text of the value has less.
    """
    nodes, length = [value], 0
    while nodes and length <= n_bytes:
        match nodes.pop():
            case str() as text:
                length += len(text) + 2
            case dict() as node:
                length += 2 + sum(len(key) + 3 for key in list(node)[: n_bytes + 1]) + max(len(node) - 1, 0)
                nodes += list(node.values())[: n_bytes + 1]
            case list() as node:
                length += 2 + max(len(node) - 1, 0)
                nodes += node[: n_bytes + 1]
            case _:
                length += 1
    return length > n_bytes


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
    shortest = number.normalize(_ALL_DIGITS)  # the default context rounds to 28 digits
    in_plain_range = abs(shortest.adjusted()) <= _MAX_DIGITS
    return format(shortest, "f") if in_plain_range else str(shortest)
