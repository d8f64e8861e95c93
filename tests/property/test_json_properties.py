"""JSON at the border: its length is told as it is, and its numbers by their digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.contract.envelope import MAX_METADATA_BYTES, PartialEnvelope
from schemas.strict_json import BoundExceeded, canonical, dump, is_longer_than, parse, parse_written
from worker.cli.files.json_array import Element, is_array, parts_of

SCALARS = st.none() | st.booleans() | st.integers(-(10**99), 10**99) | st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=6)
)
ONE_BYTE_EACH = st.integers(0, 9) | st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=9)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    ONE_BYTE_EACH, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner)
)


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,110})(\.[0-9]{1,110})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)


def written(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@given(VALUES, st.integers(0, 200))
def test_nothing_is_called_longer_than_the_text_that_json_writes(value: object, most: int) -> None:
    assert not is_longer_than(value, most) or len(written(value).encode()) > most


@given(PLAIN)
def test_where_all_characters_have_one_byte_its_length_is_exact(value: object) -> None:
    n = len(written(value))
    assert not is_longer_than(value, n)
    assert is_longer_than(value, n - 1)


@given(st.dictionaries(st.text("aé\n", max_size=3), VALUES, max_size=5), st.integers(-2, 2), st.sampled_from("xñ€😀"))
def test_metadata_are_held_to_their_bytes_and_to_no_other_measure(
    found: dict[str, Any], beside: int, letter: str
) -> None:
    """Filled up to the bound, and a few bytes less and more."""
    found["filler"] = ""
    room = MAX_METADATA_BYTES - len(written(found).encode()) + beside
    width = len(letter.encode())
    found["filler"] = letter * (room // width) + "x" * (room % width)

    told = PartialEnvelope({"metadata": found}, entry_id="7-0").metadata

    assert told == (found if len(written(found).encode()) <= MAX_METADATA_BYTES else {})


@given(NUMBERS)
def test_a_number_that_is_taken_is_written_as_one_that_is_taken(raw: str) -> None:
    """Else what was accepted cannot be read again: by the worker, or by the intake behind a command."""
    try:
        found = parse(raw)
    except BoundExceeded:
        return
    assert found == Decimal(raw)
    assert parse(dump(found)) == parse_written(dump(found)) == found
    assert Decimal(canonical(found)) == found


ELEMENTS = st.lists(
    st.recursive(
        st.none() | st.booleans() | st.integers(-99, 99) | st.text('[]{}",:\\ a\nñ', max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}",:\\', max_size=3), inner, max_size=3)
        ),
    ),
    max_size=6,
)


@given(ELEMENTS, st.sampled_from([None, 1, 2]))
def test_an_array_is_taken_apart_into_the_elements_that_json_reads(elements: list[Any], indent: int | None) -> None:
    raw = json.dumps(elements, indent=indent, ensure_ascii=False).encode()
    parts = list(parts_of(raw))
    assert is_array(raw)
    assert [json.loads(raw[part.start : part.end]) for part in parts if isinstance(part, Element)] == elements
    assert len(parts) == len(elements)


@given(ELEMENTS, st.data())
def test_what_is_cut_or_changed_is_no_array_or_an_array_to_both(elements: list[Any], data: st.DataObject) -> None:
    """Whatever stands there, it is taken apart as an array only where JSON's own reader reads one."""
    raw = json.dumps(elements, ensure_ascii=False).encode()
    at = data.draw(st.integers(1, len(raw)))
    changed = raw[:at] + data.draw(st.sampled_from([b"", b"[", b"]", b'"', b",", b"{", b"}", b"\\"])) + raw[at + 1 :]
    parts = list(parts_of(changed))
    try:
        found = [
            json.loads(changed[one.start : one.end]) if isinstance(one, Element) else json.loads(b"") for one in parts
        ]
    except ValueError:
        found = None
    try:
        expected = json.loads(changed)
    except ValueError:
        expected = None
    assert found == expected
