"""
Hostile JSON: values at every edge that has tripped somebody, and changes of a valid document by them.

Text is written by hand (:func:`write`), because repeated keys, ``1e300000000`` and lone surrogates are nothing that an
encoder would write.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final


class Raw(str):
    """JSON text to be written as it stands."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object as its pairs: keys may be repeated."""


NUMBERS: Final = (
    *("0", "-0", "1", "-1", "0.1", "1e1", "1.0", "1.00", "1.000", "1e0", "-0.0", "1E+2"),
    *("9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616"),
    *("1e15", "1000000000000000.01", "1e16", "1e22", "1e23", "1e99", "1e300", "1e308", "1e309", "1e-400"),
    *("1e300000000", "-1e300000000", "1e-300000000", "1E+999999999999999999999", "1e-999999999999999999999"),
    *("1" + "0" * n for n in (17, 30, 99, 100, 101, 4299, 4301, 20_000)),
    *("0." + "1" * n for n in (3, 17, 98, 101, 5000)),
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "1e", "--1", "1_000", "\u0661"),
)
SIZES: Final = (
    "1",
    "2",
    "3",
    "10",
    "10000000",
    "10000001",
    "9007199254740993",
    "1e3",
    "1" + "0" * 99,
    "0",
    "-1",
    "2.5",
)
TEXTS: Final = (
    *("", " ", "\x00", "a\x00b", "\ufeff", "\u200b", "\u202e", "\x1b[31m", "\u0085", "\u2028", "\r\n", "\t"),
    *("\U0001f4a3", "\u0130", "\u0661\u0662", "ñ" * 50, "e\u0301" * 20, "\uffff", "\U0010ffff"),
    *("a" * n for n in (64, 65, 100, 101, 128, 129, 200, 255, 256, 500, 1000, 5000)),
    *("../../etc/passwd", "a/b", "a:b", ":joined", "x:removals", "%00", "%s%n", "{}", "${x}", "'; --", "<b>", "-", "."),
    *("null", "NaN", "1e999", "0", "-0", "1.000", "9" * 40, "2026-02-29", "9999-12-31", "1-1", "0-0"),
)
_LARGEST: Final = 4 * 1024 * 1024
"""Characters up to which a job is made longer by repeating what it holds."""

RAW_TEXTS: Final = ('"\\ud800"', '"a\\udfffb"', '"\\ud83d"', '"\\u0000"', '"\\ud83d\\ude00"', '"\\x"', '"\n"', "'a'")
DAYS: Final = (
    *("9999-12-31", "0001-01-01", "0000-01-01", "1970-01-01", "2024-02-29", "2025-02-29", "2100-02-29", "2096-02-29"),
    *("2026-11-31", "2026-1-1", "99999-01-01", "-001-01-01", "2038-01-19", "2262-04-12", "1899-12-31", "2026-02-29"),
    *((datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (-3, -400, 403, 1000)),
)
"""None of them may be taken and then waited for: what lies ahead is further off than the horizon of 400 days, and what
lies behind does so in every zone that can be written, almost two days west of here."""
INSTANTS: Final = tuple(
    f"{day}T{clock}{zone}"
    for day in DAYS
    for clock in ("00:00:00", "23:59:59", "23:59:60", "24:00:00", "12:00:00.123456789", "12:00:00." + "9" * 60)
    for zone in ("Z", "+00:00", "-12:00", "+14:00", "+23:59", "-23:59", "+24:00", "-99:99", "")
)
IDS: Final = (
    *(
        "a",
        "2026-001",
        "A.b_c:d-e",
        "0-0",
        "1-1",
        "0",
        "~track",
        "x~track",
        "x~archive",
        "?",
        "a b",
        "ñ",
        "a\n",
        "a" * 129,
    ),
    *("1700000000000-0", "1700000000000-1", "18446744073709551615-18446744073709551615", "99999999999999999999-0"),
    *("9999999999999-0", "999999999999-0", "-1", "1700000000000-", "1700000000000-0-0", "1764000000000-*"),
)
OTHER_ACCOUNTS: Final = ("nobody", "", "Calm", "calm\n", "?", "a" * 64, "a" * 65, "default", "calm/invoice", "-", "_")


def write(value: Any) -> str:
    """JSON text of a tree that may hold :class:`Raw` and :class:`Pairs`."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{write(item)}" for key, item in value) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def deep(levels: int, chance: random.Random) -> Raw:
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
    return Raw(opening * levels + "1" + closing * levels)


def _long_list(chance: random.Random) -> Raw:
    item = chance.choice(["1", "{}", "[]", '"pdf"', "null", "1e99", '{"a":1}', '{"code":"01","rate":"19.00"}', '"x"'])
    return Raw("[" + ",".join([item] * chance.choice([11, 50, 500, 5000, 50_000])) + "]")


def _wide_object(chance: random.Random) -> Raw:
    n = chance.choice([11, 100, 1000, 20_000])
    same = chance.random() < 0.2
    return Raw(
        "{" + ",".join(f'"{"k" if same else f"k{i}"}":{chance.choice(["1", "{}", "null"])}' for i in range(n)) + "}"
    )


def hostile(chance: random.Random) -> Any:
    """Any value that has hurt somebody."""
    kind = chance.randrange(20)
    if kind < 5:
        return Raw(chance.choice(NUMBERS))
    if kind < 9:
        return chance.choice(TEXTS)
    if kind < 10:
        return Raw(chance.choice(RAW_TEXTS))
    if kind < 12:
        return chance.choice([None, True, False, [], {}, [None], [[]], [{}], {"": None}, {"a": {"a": []}}])
    if kind < 14:
        return chance.choice(DAYS + INSTANTS)
    if kind == 14:
        return deep(chance.choice([2, 31, 32, 33, 100, 900, 3000]), chance)
    if kind == 15:
        return _long_list(chance)
    if kind == 16:
        return _wide_object(chance)
    if kind == 17:
        return "x" * chance.choice([100, 4096, 4097, 10_000, 100_000])
    return chance.choice([Raw("-" + chance.choice(NUMBERS)), str(chance.choice(NUMBERS)), chance.randrange(10**6)])


def _containers(root: Any) -> list[Any]:
    """Every object and list of a tree, the root first."""
    found, at = [root], 0
    while at < len(found):
        node = found[at]
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        found += [one for one in inner if isinstance(one, (dict, list)) and not isinstance(one, Pairs)]
        at += 1
    return found


def _size(value: Any) -> int:
    """Characters of a tree as it is written, nearly: what stands in it twice counts twice."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + _size(item) for key, item in value.items()) + 2
    return sum(_size(item) + 1 for item in value) + 2 if isinstance(value, list) else 8


def mutate(root: dict[str, Any], chance: random.Random, n_changes: int) -> Any:
    """Change a tree (which is the caller's to lose) in *n_changes* places."""
    for _ in range(n_changes):
        node = chance.choice(_containers(root))
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            if isinstance(node, dict):
                node["a"] = hostile(chance)
            continue
        _change(root, node, chance.choice(keys), chance)
    if chance.random() < 0.03 and root:
        pairs = Pairs(root.items())
        pairs.append(chance.choice(pairs) if chance.random() < 0.5 else (chance.choice(list(root)), hostile(chance)))
        return pairs
    return root


def _change(root: Any, node: Any, key: Any, chance: random.Random) -> None:
    match chance.randrange(9):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            node[chance.choice(["surprise", "", "x" * 300, "\ud800", key + " ", key.upper(), "id", "number"])] = (
                hostile(chance)
            )
        case 2 if isinstance(node, list):
            # Copies, each of its own: one list in another, both two thousand times as long, would be written four
            # million times, and a change of one would be a change of all.
            room = max(_LARGEST - _size(root), 0) // _size(node[key])
            node.extend(copy.deepcopy(node[key]) for _ in range(min(chance.choice([1, 10, 100, 2000]), room)))
        case 3:
            node[key] = [node[key]]
        case 4:
            node[key] = {"a": node[key]}
        case 5 if isinstance(node[key], str) and _size(root) < _LARGEST:
            node[key] = node[key] * chance.choice([2, 20]) or "a"
        case _:
            node[key] = hostile(chance)


def broken_bytes(raw: bytes, chance: random.Random) -> bytes:
    """The same text with harm done to its bytes."""
    at = chance.randrange(len(raw) + 1)
    junk = chance.choice(
        [
            b"\x00",
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\xef\xbb\xbf",
            b"{",
            b"}",
            b'"',
            b",",
            b"\\",
            b"\xf4\x90\x80\x80",
        ]
    )
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: raw[:at],
        lambda: raw[:at] + junk + raw[at:],
        lambda: raw[:at] + junk + raw[at + 1 :],
        lambda: b"\xef\xbb\xbf" + raw,
        lambda: raw + junk,
        lambda: raw + raw,
        lambda: raw.decode("utf-8", "ignore").encode("utf-16"),
        lambda: raw.decode("utf-8", "ignore").encode("latin-1", "ignore"),
        lambda: b" " * chance.choice([1, 1000, 200_000]) + raw,
        lambda: raw[at:] + raw[:at],
        lambda: bytes(chance.randrange(256) for _ in range(chance.choice([0, 1, 20, 300]))),
    )
    return chance.choice(changes)()
