"""Where an endpoint stands, and what is missing between there and the first entry."""

from __future__ import annotations

import pytest

from jobs.webhooks.places import UNKNOWN, Place, StreamFacts, first_place, read_places, set_aside, written


def facts(n_added=10, length=10, n_read=0, *, is_whole=False, last_id="9-0"):
    return StreamFacts(n_added, length, last_id, n_read, is_whole)


@pytest.mark.parametrize(
    ("place", "seen", "n"),
    [
        (Place("1-0", 4), facts(10, 6), 0),
        (Place("1-0", 4), facts(10, 5), 1),
        (Place("1-0", 0), facts(10, 0), 10),
        (Place("1-0", 10), facts(10, 0), 0),
        (Place("1-0", 12), facts(10, 10), 0),
        (Place("1-0", UNKNOWN), facts(10, 0), 0),
        (Place("1-0", 4), facts(None, 0), 0),
    ],
)
def test_what_was_trimmed_unread_is_counted(place, seen, n):
    assert place.n_trimmed(seen) == n


def test_the_count_goes_along_and_is_set_right_at_the_end():
    place = Place("1-0", 2).moved("4-0", 3, facts(10, 8, 3))
    assert place == Place("4-0", 5)
    assert place.moved("9-0", 4, facts(11, 9, 4, is_whole=True)) == Place("9-0", 11)
    assert place.moved("6-0", 2, facts(11, 9, 4, is_whole=True)) == Place("6-0", 7), "not all of it was taken"
    assert Place("4-0").moved("5-0", 1, facts(10, 10, 1)) == Place("5-0", UNKNOWN)
    assert Place("4-0", 5).moved("5-0", 1, facts(None, 10, 1)) == Place("5-0", UNKNOWN)


def test_what_is_gone_is_told_once():
    seen = facts(100, 10, 5)
    place = Place("1-0", 50)
    assert place.n_trimmed(seen) == 40
    assert place.moved("95-0", 5, seen).n_trimmed(seen) == 0


@pytest.mark.parametrize(
    ("seen", "from_start", "expected"),
    [
        (None, False, Place("0-0", 0)),
        (None, True, Place("0-0", 0)),
        (facts(10, 4), False, Place("9-0", 10)),
        (facts(10, 4), True, Place("0-0", 6)),
        (facts(None, 4), True, Place("0-0", UNKNOWN)),
    ],
)
def test_where_an_endpoint_begins(seen, from_start, expected):
    assert first_place(seen, from_start=from_start) == expected


def test_places_are_kept_as_text_and_read_again():
    places = {"ns:results": Place("5-1", 7), "ns:radian": Place("0-0")}
    assert read_places(written(places)) == places
    assert written(dict(reversed(places.items()))) == written(places)


def test_places_in_streams_that_are_not_read_are_set_aside():
    places = {"read": Place("9-0"), "a": Place("5-1", 7), "b": Place("10-0"), "c": Place("5-0")}
    assert set_aside(places, ["read"], 9) == {"a": Place("5-1", 7), "b": Place("10-0"), "c": Place("5-0")}
    assert set_aside(places, ["read"], 2) == {"b": Place("10-0"), "a": Place("5-1", 7)}, "those that were read last"
    assert not set_aside(places, places, 9)


@pytest.mark.parametrize("text", ["", "x", "[]", "3", '{"a":1}', '{"a":["x",1]}', '{"a":[]}', '{"a":["1-0","y"]}'])
def test_what_cannot_be_read_is_none(text):
    assert read_places(text) is None
