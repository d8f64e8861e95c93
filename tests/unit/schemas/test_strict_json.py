"""JSON from outside: what is taken, what is refused, and that nothing is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.strict_json import (
    MAX_DEPTH,
    MAX_MARKS,
    BoundExceeded,
    JsonRefused,
    canonical,
    dump,
    is_longer_than,
    parse,
    parse_lenient,
    parse_written,
    skim,
    top_level,
)


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
        "-" + "9" * 101,
        "0." + "9" * 101,
        "-0." + "9" * 101,
        "1." + "0" * 100,
        "9" * 51 + "." + "9" * 50 + "e-9",
        "1e401",
        "-1e-401",
        "12e400",
        "0.1e-400",
        "0e401",
        "0." + "0" * 400 + "1",
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


AT_THE_BOUND = {
    "digits": "9" * 100,
    "a sign is no digit": "-" + "9" * 100,
    "a point is no digit": "-" + "9" * 50 + "." + "9" * 50,
    "zeros before the first are none": "0." + "9" * 100,
    "nor zeros behind the point": "-0." + "0" * 50 + "9" * 100,
    "zeros behind the last are": "1" + "0" * 99,
    "an exponent is bounded by itself": "9." + "9" * 99 + "e400",
    "a negative one": "-9." + "9" * 99 + "E-400",
    "zeros of the exponent": "1e+" + "0" * 200 + "400",
    "the same power of ten": "0.012e402",
    "the same small one": "120e-402",
    "nothing": "0e-400",
    "between the two spellings": "1." + "1" * 99 + "e-6",
    "a tiny number in plain digits": "0." + "0" * 399 + "1",
}


@pytest.mark.parametrize("raw", AT_THE_BOUND.values(), ids=AT_THE_BOUND)
def test_a_number_at_the_bound_is_taken_and_what_is_written_of_it_too(raw: str) -> None:
    """In the record of a job, and by a command that writes what it read for the intake to read."""
    found = parse(raw)
    assert found == Decimal(raw)
    assert str(parse(dump(found))) == str(parse_written(dump(found))) == str(found)


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
        ("[1" + "0" * 99 + "]", "[1.0e99]"),
        ("[" + "1" * 50 + ".00]", "[" + "1" * 50 + "]"),
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
        ("[0." + "1" * 99 + "1]", "[0." + "1" * 99 + "2]"),
        ("[" + "1" * 30 + ".1]", "[" + "1" * 30 + ".2]"),
    ],
)
def test_other_meaning_is_another_text(one: str, other: str) -> None:
    assert canonical(parse(one)) != canonical(parse(other))


def test_canonical_of_a_huge_exponent_stays_short() -> None:
    assert len(canonical(parse("[1e399]"))) < 20


BEYOND = {
    "too much in a list": b"[" + b"1," * MAX_MARKS + b"1]",
    "empty lists side by side": b"[" + b"[]," * (MAX_MARKS // 3) + b"[]]",
    "too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "deep again and again": b"[" + b",".join([b"[" * MAX_DEPTH + b"]" * MAX_DEPTH] * 20) + b"]",
    "digits": b"[" + b"1" * 101 + b"]",
    "decimals": b"[0." + b"1" * 101 + b"]",
    "digits before an exponent": b"[" + b"1" * 101 + b"e2]",
    "a million digits": b"[1." + b"1" * 1_000_000 + b"]",
    "a million zeros": b"[0." + b"0" * 1_000_000 + b"1]",
    "exponent": b"[1e401]",
    "exponent of exponents": b"[1E+999999999999999999999]",
    "a million digits of an exponent": b"[1e" + b"9" * 1_000_000 + b"]",
    "tiny": b"[1e-999999999999999999999]",
    "key twice": b'{"a":1,"a":2}',
    "lone surrogate": b'["\\ud800"]',
    "lone surrogate in a key": b'{"\\udfff":1}',
}


@pytest.mark.parametrize("raw", BEYOND.values(), ids=BEYOND)
def test_what_goes_beyond_a_bound_is_told_from_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(BoundExceeded):
        parse(raw)


WITHIN = {
    "brackets in texts": b'["' + b"[{,]}" * MAX_MARKS + b'"]',
    "escaped quotes before brackets": b'["' + b'\\"[' * 5000 + b'"]',
    "as deep as may be": b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
    "many values": b"[" + b"1," * (MAX_MARKS - 10) + b"1]",
    "a pair of surrogates": b'["\\ud83d\\ude00"]',
}


@pytest.mark.parametrize("raw", WITHIN.values(), ids=WITHIN)
def test_what_is_within_the_bounds_is_read(raw: bytes) -> None:
    parse(raw)


NO_JSON = [b'"' * 300_000, b'"\\' * 200_000, b'"' + b'\\"' * 200_000, b"{" * 40 + b'"' * 300_000, b',"' * 90_000]


@pytest.mark.parametrize("raw", NO_JSON, ids=range(len(NO_JSON)))
def test_no_quotes_make_the_search_go_back_over_what_it_has_read(raw: bytes) -> None:
    """Quadratic, each of these took minutes; the run's own time-out is the measure."""
    with pytest.raises(JsonRefused):
        parse(raw)
    top_level(raw)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'{"id":"a","payload":{"id":"b","x":[1,{"id":"c"}]},"batch_size":12}', {"id": "a", "batch_size": 12}),
        (b'{"id":"a","batch":"L"', {"id": "a"}),
        (b'{"id":"a","id":"b","batch":"L"}', {"batch": "L"}),
        (b'{"id":"\\ud800","batch":"L","n":1.5,"t":true,"z":null,"l":"' + b"x" * 2000 + b'"}', {"batch": "L"}),
        (b'{"id":\xf4\x90"a","batch":"L"}', {"batch": "L"}),
        (b'{"id":"a" "b","batch":"L"}', {"batch": "L"}),
        (b'{"id":{}"a","batch":"L"}', {"batch": "L"}),
        (b'{"id":"a"{},"batch":"L"}', {"batch": "L"}),
        (b'{"x" "id":"a","batch":"L"}', {"batch": "L"}),
        (b'{"id":[1],"id":"a","batch":"L"}', {"batch": "L"}),
        (b'{"id":"a","id":null,"batch":"L"}', {"batch": "L"}),
        (b"[1,2]", {}),
        (b'}}}{"id":"a"}', {}),
        (b"", {}),
        (b"\xff", {}),
    ],
)
def test_of_a_refused_document_its_short_values_at_the_top_are_read(raw: bytes, found: dict[str, object]) -> None:
    assert top_level(raw) == found


@pytest.mark.parametrize(
    "value",
    [{}, {"a": 1}, {"a": "x" * 5000}, {f"k{n}": n for n in range(2000)}, {"a": [[]] * 3000}, {"ñ": ["é"] * 700}],
)
def test_nothing_is_called_longer_than_it_is(value: dict[str, object]) -> None:
    assert not is_longer_than(value, 4096) or len(dump(value).encode()) > 4096
    assert is_longer_than(value, 100) or len(dump(value).encode()) < 1000


def test_an_answer_with_any_character_can_be_written_down_again() -> None:
    """Also one that is not printable, and one that has no UTF-8 form: these become the replacement character."""
    for start in range(0, 0x10000, 0x100):
        raw = "[" + ",".join(f'"\\u{code:04x}",{{"\\u{code:04x}":1}}' for code in range(start, start + 0x100)) + "]"
        for text in parse_lenient(raw.encode(), most_values=10_000):
            (shown,) = text if isinstance(text, dict) else (text,)
            assert "\x00" not in shown
            shown.encode()


NOT_WRITTEN_BY_US = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'"\xff"',
    "NaN": b"NaN",
    "a key twice": b'{"a":1,"a":2}',
    "a number of a thousand digits": b"1" * 1000,
    "far too deep": b"[" * 200_000,
    "far too deep, and whole": b"[" * 200_000 + b"]" * 200_000,
}


@pytest.mark.parametrize("raw", NOT_WRITTEN_BY_US.values(), ids=NOT_WRITTEN_BY_US)
def test_what_others_wrote_in_our_place_is_refused_and_breaks_nothing(raw):
    with pytest.raises(JsonRefused):
        parse_written(raw)


def test_what_we_wrote_is_read_beyond_the_bounds_of_a_job():
    value = {"deep": Decimal("1.50")}
    for _ in range(2 * MAX_DEPTH):
        value = {"a": value}
    found = {"deep": value, "many": [1] * (2 * MAX_MARKS)}
    assert parse_written(dump(found)) == found
    assert parse_written(dump(found).encode()) == found
    with pytest.raises(BoundExceeded):
        parse(dump(found))


def test_a_skim_reads_what_parse_reads_and_refuses_what_costs_too_much():
    assert skim(b'\xef\xbb\xbf{"a":[1,null,"\xc3\xb1"],"a":2}') == {"a": 2}
    for raw in (b"", b"{", b'"\xff"', b"[" * 100_000, b"[" + b"[]," * MAX_MARKS + b"1]", b"9" * 5000):
        with pytest.raises(JsonRefused):
            skim(raw)
