"""JSON from outside: what is taken, what is refused, and that nothing is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.strict_json import MAX_DEPTH, JsonRefused, canonical, dump, parse


@pytest.mark.parametrize(
    "raw",
    [
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":1}}',
        '{"a":1,"\\u0061":2}',
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        '"\\ud800"',
        '{"\\udfff":1}',
        '["\\udc00\\ud800"]',
        "",
        "{",
        '{"a":1} x',
        "{'a':1}",
        "[01]",
        "[1.]",
        "[+1]",
        "9" * 101,
        "0." + "9" * 101,
    ],
)
def test_refused(raw: str) -> None:
    with pytest.raises(JsonRefused):
        parse(raw)


@pytest.mark.parametrize("raw", [b"\xff", b'"\xc3"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b"\x00", "{}".encode("utf-16")])
def test_bad_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(JsonRefused):
        parse(raw)


def test_depth_32_is_taken_and_33_is_not() -> None:
    """The document itself is level 1."""
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(JsonRefused):
        parse("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert parse('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH)
    with pytest.raises(JsonRefused):
        parse('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("raw", ["[" * 500_000, "[" * 500_000 + "]" * 500_000, '{"a":' * 200_000])
def test_a_deep_document_cannot_exhaust_the_stack(raw: str) -> None:
    with pytest.raises(JsonRefused):
        parse(raw)


def test_numbers_are_exact() -> None:
    assert parse("[0.1, 1e2, -0.00, 12345678901234567890]") == [
        Decimal("0.1"),
        Decimal("1E+2"),
        Decimal("-0.00"),
        12345678901234567890,
    ]
    assert isinstance(parse("[1.0]")[0], Decimal)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse('"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("raw", ['{"a":1.10,"b":[true,false,null],"c":"ñ\\n"}', "[1E+2]", '"\\u0001"', "{}", "-0.00"])
def test_round_trip_loses_nothing(raw: str) -> None:
    assert parse(dump(parse(raw))) == parse(raw)
    assert str(parse(dump(parse(raw)))) == str(parse(raw))


def test_dump_keeps_order_and_spelling() -> None:
    assert dump(parse('{ "b": 1.10, "a": [1, "x"] }')) == '{"b":1.10,"a":[1,"x"]}'


def test_dump_takes_json_only() -> None:
    with pytest.raises(TypeError):
        dump({"a": object()})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ("[1.0]", "[1]"),
        ("[1.50]", "[1.5]"),
        ("[1e2]", "[100]"),
        ("[-0.0]", "[0]"),
        ('["\\u00f1"]', '["ñ"]'),
    ],
)
def test_same_meaning_is_one_text(one: str, other: str) -> None:
    assert canonical(parse(one)) == canonical(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[1,2]", "[2,1]"),
        ('["1"]', "[1]"),
        ("[true]", "[1]"),
        ("[null]", "[0]"),
        ('{"a":[]}', '{"a":{}}'),
        ('["1.0"]', '["1"]'),
    ],
)
def test_other_meaning_is_another_text(one: str, other: str) -> None:
    assert canonical(parse(one)) != canonical(parse(other))


def test_canonical_of_a_huge_exponent_stays_short() -> None:
    assert len(canonical(parse("[1e399]"))) < 20
