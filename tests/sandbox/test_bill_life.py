"""The life of a bill on credit by RADIAN's own clock, which tests move."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.api import Api, a_bill, example

LIFE = [{"event_code": "030", "days": 1}, {"event_code": "032", "days": 1.5}]


@pytest.fixture
async def number(api: Api) -> str:
    bill = a_bill("C/1")
    bill["payment_details"][0] |= {"payment_form": "2", "due_date": "2030-01-01"}
    found: str = (await api.create(bill)).json()["data"]["number"]
    return found


async def codes(api: Api, number: str) -> list[str]:
    body = (await api.call("GET", f"/v2/bills/{number}/radian/events")).json()
    return [event["event_code"] for event in body["data"]]


async def accept(api: Api, number: str) -> Any:
    body = example("bills/aceptacion-tacita.request.json")
    return await api.call("POST", f"/v2/bills/{number}/radian/events/034", json=body)


async def test_events_come_about_as_the_clock_is_moved_with_their_own_times(api: Api, number: str) -> None:
    await api.control("radian", {"life": LIFE})
    assert await codes(api, number) == []
    await api.control("clock", {"days": 1.1})
    assert await codes(api, number) == ["030"]
    now = (await api.control("clock", {"days": 5}))["now"]
    events = (await api.call("GET", f"/v2/bills/{number}/radian/events")).json()["data"]
    assert [event["event_code"] for event in events] == ["030", "032"]
    assert events[1]["effective_date"] < now[:10]


async def test_the_clock_goes_back_and_tells_where_it_stands(api: Api) -> None:
    there = (await api.control("clock", {"days": 2}))["now"]
    back = (await api.control("clock", {"days": -2}))["now"]
    assert back < there
    assert (await api.control("clock", {}))["now"] == back


async def test_factus_declares_it_by_itself_after_three_business_days(api: Api, number: str) -> None:
    # The clock of these tests begins on a Monday, 2026-09-21; the receipt is of Tuesday night.
    await api.control("radian", {"life": LIFE, "emits": True, "holidays": ["2026-09-24"]})
    await api.control("clock", {"days": 6.5})
    assert await codes(api, number) == ["030", "032"]
    await api.control("clock", {"days": 2})
    events = (await api.call("GET", f"/v2/bills/{number}/radian/events")).json()["data"]
    assert events[-1]["event_code"] == "034"
    assert events[-1]["effective_time"] == "00:00:00"
    assert (await accept(api, number)).status_code == 422


@pytest.mark.parametrize(
    ("answers", "status", "is_there"), [("person", 422, False), ("conflict", 409, False), ("registered", 422, True)]
)
async def test_whoever_declares_it_is_answered_as_was_told(
    api: Api, number: str, answers: str, status: int, is_there: bool
) -> None:
    await api.control("events", {"number": number, "event_code": "032", "days_ago": 6})
    await api.control("radian", {"answers": answers})
    response = await accept(api, number)
    assert response.status_code == status
    assert ("LGC01" in response.text) is is_there
    assert ("034" in await codes(api, number)) is is_there


async def test_events_are_listed_late_twice_and_in_another_order(api: Api, number: str) -> None:
    await api.control("events", {"number": number, "event_code": "030", "days_ago": 1})
    await api.control("events", {"number": number, "event_code": "032"})
    await api.control("radian", {"shows_after": 3600, "doubled": True, "reversed": True})
    assert await codes(api, number) == ["030", "030"]
    await api.control("clock", {"seconds": 3601})
    assert await codes(api, number) == ["032", "032", "030", "030"]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("radian", {"answers": "x"}),
        ("radian", {"life": [{"event_code": "099"}]}),
        ("radian", {"life": ["030"]}),
        ("radian", {"holidays": ["13 julio"]}),
        ("clock", {"days": "two"}),
        ("clock", {"days": 1e9}),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, route: str, body: Any) -> None:
    response = await api.http.post(f"/_sandbox/{route}", json=body)
    assert response.status_code == 400
