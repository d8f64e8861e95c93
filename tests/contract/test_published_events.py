"""What stands in the streams is what the contract's document says of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jobs import answers
from jobs.example_payloads import example
from tests.fakes import FakeFactus
from worker.cli.contract.asyncapi import document

KEYED = {"data": {"id": 389, "is_active": 1}}
ROWS = {"data": {"data": [{"id": 1}], "pagination": {"total": 1, "last_page": 1}}}


@cache
def components() -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]
    return found


def assert_described(event: dict[str, Any]) -> None:
    message = components()["messages"][event["type"].replace(".", "_")]
    validator = Draft202012Validator({**message["payload"], "components": components()})
    assert [f"{event['type']} {fault.message}" for fault in validator.iter_errors(event)] == []


@pytest.fixture
def factus() -> FakeFactus:
    return FakeFactus(
        replies={
            "GET /v2/numbering-ranges/389": [answers.Replied(KEYED)],
            "GET /v2/receptions/bills": [answers.Replied(ROWS)],
            "PATCH /v2/receptions/bills/1207/radian/events/030": [answers.Replied({"status": "OK"})],
            "DELETE /v2/numbering-ranges/389": [answers.Replied(None)],
        }
    )


async def test_documents_and_their_batch(rig, factus):
    factus.script = [answers.Acknowledged()]
    for n in (1, 2):
        payload = {**example("invoice.issue"), "reference_code": f"FV-{n}"}
        if n == 2:
            payload["surprise"] = True
        await rig.push({"type": "invoice.issue", "payload": payload, "batch": "b", "batch_size": 2})
    events = await rig.events(3)
    assert {event["type"] for event in events} == {"job.refused", "invoice.pending", "invoice.validated"}
    for event in events:
        assert_described(event)


async def test_files_that_were_asked_for(rig):
    payload = example("invoice.issue.credit")
    await rig.push({"type": "invoice.issue", "payload": payload, "options": {"archive": ["pdf", "xml"]}})
    events = await rig.events(2)
    assert [event["type"] for event in events] == ["invoice.validated", "invoice.archived"]
    for event in events:
        assert_described(event)


@pytest.mark.parametrize(
    "type_",
    [
        "numbering_range.get",
        "numbering_range.set_status",
        "numbering_range.delete",
        "reception.list",
        "reception.emit_event",
        "catalog.search",
        "company.get",
    ],
)
async def test_calls(rig, type_):
    payload = {**example(type_), **({"is_active": True} if type_.endswith("set_status") else {})}
    await rig.push({"type": type_, "payload": payload})
    (event,) = await rig.events(1)
    assert event["type"] == f"{type_}.{'failed' if type_ == 'company.get' else 'completed'}"
    assert_described(event)
