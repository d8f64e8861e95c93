"""The watch over a bill: each event is told once, and whatever Factus lists is read."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from jobs import answers
from jobs.follow_ups import follow_ups
from jobs.outcomes import Finished, Retry
from schemas import strict_json
from schemas.factus import DocumentView
from tests.fakes import FakeFactus
from tests.records import a_job
from tests.unit.jobs.test_calls import OneAnswer, turn

NO_EVENTS: list[Any] = [
    *(None, 5, "030", [], ["030"], {}, {"event_code": None}, {"event_code": ""}, {"event_code": " "}, {"cude": "c"}),
    *({"event_code": 30}, {"event_code": ["030"], "number": {"a": 1}}, {"event_code": {"code": "034"}}),
    *({"event_code": ["034"]}, {"event_code": True}),
]


def row(code: str = "030", **changes: Any) -> dict[str, Any]:
    return {"event_code": code, "event_name": f"Evento {code}", "cude": f"c-{code}", "number": "A1", **changes}


def listed(*rows: Any) -> OneAnswer:
    return OneAnswer(answers.Replied({"status": "OK", "message": "", "data": [*rows]}))


def told(ending: Any) -> list[str]:
    """The codes of the events that are told, without what the clock says of them."""
    return [news.data["event_code"] for news in ending.news if news.type == "radian.event"]


class TestTrack:
    async def test_an_event_that_is_listed_twice_is_news_once(self):
        ending = (await turn("invoice.track", listed(row(), row(), row("032")))).ending
        assert told(ending) == ["030", "032"]
        assert json.loads(ending.progress)["seen"] == ["c-030", "c-032"]
        again = (await turn("invoice.track", listed(row("032"), row(), row("032")), progress=ending.progress)).ending
        assert again.news == ()

    async def test_without_a_cude_its_code_and_number_tell_it_from_others(self):
        rows = (row(cude=None), row(cude=None), row(cude="", number="A2"))
        ending = (await turn("invoice.track", listed(*rows))).ending
        assert [news.data["event_number"] for news in ending.news] == ["A1", "A2"]

    @pytest.mark.parametrize("odd", NO_EVENTS, ids=repr)
    async def test_a_row_that_is_no_event_is_left_out(self, odd):
        ending = (await turn("invoice.track", listed(odd, row(), odd))).ending
        assert isinstance(ending, Retry)
        assert told(ending) == ["030"]

    PARTS: ClassVar = ("event_name", "cude", "number", "effective_date", "effective_time")

    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("value", [None, 7, True, [], {"a": [1]}, "", "x", "2026-11-05", "99:99:99"], ids=repr)
    async def test_odd_parts_are_told_as_texts_or_not_at_all(self, part, value):
        ending = (await turn("invoice.track", listed(row("033", **{part: value})))).ending
        data = ending.news[0].data
        assert data["event_code"] == "033"
        assert all(told is None or isinstance(told, str) for told in data.values())
        assert strict_json.dump(data)

    @pytest.mark.parametrize(
        ("day", "time", "occurred_at"),
        [
            ("2026-11-05", "16:36:31", "2026-11-05T16:36:31-05:00"),
            ("2026-11-05", "16:36:31-05:00", "2026-11-05T16:36:31-05:00"),
            ("2026-11-05", "03:36:31Z", "2026-11-04T22:36:31-05:00"),
            ("2026-11-05", "23:00:00-08:00", "2026-11-06T02:00:00-05:00"),
            ("2026-11-05", "16:36:31-99:00", "2026-11-05T00:00:00-05:00"),
            ("9999-12-31", "23:00:00-08:00", "9999-12-31T00:00:00-05:00"),
            ("2026-11-05T00:00:00-05:00", None, None),
            (None, "16:36:31-05:00", None),
        ],
    )
    async def test_an_event_happened_at_its_own_time_as_bogota_has_it(self, day, time, occurred_at):
        """UBL writes times with their offset: a receipt that counted from when it was seen was due days too late."""
        rows = listed(row("033", effective_date=day, effective_time=time))
        ending = (await turn("invoice.track", rows)).ending
        assert ending.news[0].data["occurred_at"] == occurred_at

    @pytest.mark.parametrize("data", [None, "x", 5, {}, {"data": []}, [[]], True])
    async def test_no_list_is_no_event(self, data):
        ending = (await turn("invoice.track", OneAnswer(answers.Replied({"data": data})))).ending
        assert isinstance(ending, Retry)
        assert ending.news == ()


class TestReads:
    async def test_events_tells_events_only_and_each_once(self):
        ending = (await turn("invoice.events", listed(*NO_EVENTS, row(), row(), row("032")))).ending
        assert ending.data == {"number": "SETP1", "events": [row(), row("032")]}

    @pytest.mark.parametrize("odd", NO_EVENTS, ids=repr)
    async def test_an_acceptance_is_looked_for_among_events(self, odd):
        ending = (await turn("invoice.accept", listed(odd, row("034")), sent="unknown")).ending
        assert ending.data == {"factus": row("034")}


class TestWithoutANumber:
    """The answer that told of the validation had none that could be read: Factus is asked for it."""

    def test_the_followers_are_given_the_reference(self):
        job = a_job(options='{"archive": ["pdf"], "track_radian": true}')
        data = {"number": None, "reference_code": "FV-1", "factus": {}}
        archive, track = follow_ups(job, data, seq=1)
        assert (archive.number, track.number) == ("", "")
        for follower in (archive, track):
            payload = json.loads(follower.payload)
            assert (payload["reference_code"], "number" in payload) == ("FV-1", False)

    NAMELESS: ClassVar = {"reference_code": "FV-1", "day": "2026-11-25"}

    async def test_files_are_archived_under_the_number_that_is_found(self):
        factus = FakeFactus(finds=[seen_document(number="SETP1")])
        payload = json.dumps({**self.NAMELESS, "kinds": ["pdf", "xml"]})
        first = (await turn("invoice.archive", factus, payload=payload)).ending
        ending = (await turn("invoice.archive", factus, payload=payload, progress=first.progress)).ending
        assert isinstance(ending, Finished)
        assert (ending.data["number"], len(ending.data["documents"]), factus.calls["find"]) == ("SETP1", 2, 1)
        assert all("/SETP1/" in request.path for request in factus.requests)

    async def test_archiving_goes_on_asking_while_there_is_none(self):
        factus = FakeFactus(finds=[seen_document(number=[])])
        ending = (await turn("invoice.archive", factus, payload=json.dumps({**self.NAMELESS, "kinds": ["pdf"]}))).ending
        assert isinstance(ending, Retry)
        assert factus.requests == []

    async def test_archiving_that_never_learnt_it_ends_with_the_reference(self):
        payload = json.dumps({**self.NAMELESS, "kinds": ["pdf"]})
        ending = (await turn("invoice.archive", FakeFactus(), payload=payload, deadline_at=1)).ending
        assert isinstance(ending, Finished)
        assert (ending.state, "None" in ending.message) == ("failed", False)

    async def test_the_watch_is_over_the_number_that_is_found(self):
        factus = FakeFactus(finds=[seen_document(number="SETP1")])
        factus.replies["GET /v2/bills/SETP1/radian/events"] = [answers.Replied({"data": [row()]})]
        payload = json.dumps(self.NAMELESS)
        ending = (await turn("invoice.track", factus, payload=payload)).ending
        assert [news.data["number"] for news in ending.news] == ["SETP1"]
        again = (await turn("invoice.track", factus, payload=payload, progress=ending.progress)).ending
        assert (again.news, factus.calls["find"]) == ((), 1)

    @pytest.mark.parametrize("find", [answers.Absent(), answers.NotFound("no"), answers.Unknown("x")], ids=repr)
    async def test_the_watch_goes_on_while_there_is_none(self, find):
        ending = (await turn("invoice.track", FakeFactus(finds=[find]), payload=json.dumps(self.NAMELESS))).ending
        assert isinstance(ending, Retry)


def seen_document(**changes: Any) -> answers.DocumentSeen:
    return answers.DocumentSeen(DocumentView({"reference_code": "FV-1", "is_validated": True, **changes}))


async def test_news_have_an_end():
    ending = (await turn("invoice.track", listed(row("0" * 5000, event_name="x" * 5000, cude="c" * 5000)))).ending
    assert max(len(told) for told in ending.news[0].data.values() if told) <= 1001
