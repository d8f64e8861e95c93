"""The report tells what Factus saw, and the control routes change it from outside."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.__main__ import main
from sandbox.app import create_app
from sandbox.state.config import SandboxConfig
from sandbox.values.durations import Latency, parse_duration_s
from tests.patience import PATIENCE_S
from tests.sandbox.api import Api, Clock, a_bill
from tests.sandbox.conftest import Start
from tests.service_processes import start_process, start_sandbox, stop_processes


async def test_report_counts_what_was_posted_stored_and_answered(api: Api) -> None:
    await api.faults({"on": "create", "reference": "R", "effect": "reject"})
    await api.create(a_bill("A"))
    await api.create(a_bill("A"))
    await api.create(a_bill("BAD", items=None))
    await api.create(a_bill("R"))
    await api.create(a_bill("B"))
    await api.delete("NONE")
    report = await api.report()
    assert report == {
        "creates_posted": 5,
        "repeated": 1,
        "refused": 1,
        "conflicts": 1,
        "stored": 2,
        "validated": 1,
        "rejections": 1,
        "rejected": 1,
        "pending": 0,
        "deletes": {"rejected": 0, "forbidden": 0, "refused": 0, "unknown": 1},
        "forbidden_deletes": [],
        "duplicates": {"references": [], "n_same_content": 0, "same_content": []},
    }
    counted = await api.counted()
    assert counted["requests"] == {"token": 1, "create": 5, "delete": 1}
    assert counted["answers"] == {"200": 1, "201": 2, "404": 1, "409": 1, "422": 2}
    assert counted["max_in_sliding_window"] == 7


async def test_a_report_has_every_total_before_anybody_came() -> None:
    transport = httpx.ASGITransport(app=create_app(SandboxConfig()))
    async with httpx.AsyncClient(transport=transport, base_url="http://factus") as http:
        fresh = await Api(http).control("report", method="GET")
        assert (fresh["accounts"], set(fresh["totals"].values())) == ({}, {0})
        await Api(http).login()
        used = await Api(http).control("report", method="GET")
    assert used["totals"] == {**fresh["totals"], "tokens_issued": 1, "requests": 1}


async def test_report_finds_the_same_bill_under_two_references(api: Api) -> None:
    for reference in ("A", "B", "C"):
        await api.create(a_bill(reference))
    body = a_bill("D", payment_details=[{"payment_form": "1", "payment_method_code": "10", "amount": "11900"}])
    body["items"].pop()
    await api.create(body)
    assert (await api.report())["duplicates"] == {
        "references": [],
        "n_same_content": 2,
        "same_content": [["A", "B", "C"]],
    }


async def test_report_finds_a_reference_that_was_validated_twice(api: Api) -> None:
    """Deleting what waits for DIAN is how it happens: DIAN had it, and the second one is issued as well."""
    await api.faults({"on": "create", "effect": {"kind": "pending", "polls": 1}, "times": 1})
    await api.create(a_bill("A"))
    await api.delete("A")
    await api.create(a_bill("A"))
    report = await api.report()
    assert report["forbidden_deletes"] == ["A"]
    assert report["stored"] == 2


async def test_documents_tell_state_and_times_posted(api: Api) -> None:
    await api.create(a_bill("A"))
    await api.create(a_bill("A"))
    await api.control("documents/foreign", {"reference": "THEIRS"})
    listed = await api.control("documents?account=acme", method="GET")
    assert [(one["reference_code"], one["state"], one["times_posted"], one["is_foreign"]) for one in listed] == [
        ("A", "validated", 2, False),
        ("THEIRS", "pending", 1, True),
    ]
    assert listed[0]["total"] == "83300.00"
    assert len(await api.control("documents?account=acme&state=pending", method="GET")) == 1


@pytest.mark.parametrize(("outcome", "status"), [("validated", 201), ("gone", 201), ("rejected", 409)])
async def test_foreign_document_is_settled_from_outside(api: Api, outcome: str, status: int) -> None:
    await api.control("documents/foreign", {"reference": "THEIRS"})
    await api.control("documents/settle", {"reference": "THEIRS", "outcome": outcome})
    assert (await api.create(a_bill("A"))).status_code == status


async def test_dian_is_switched_off_and_on(api: Api) -> None:
    assert await api.control("dian", {"up": False}) == {"up": False}
    assert (await api.create(a_bill("A"))).json()["data"]["is_validated"] is False
    await api.control("dian", {"up": True})
    assert (await api.create(a_bill("A"))).json()["data"]["is_validated"] is True


async def test_tokens_are_revoked_for_one_account(api: Api) -> None:
    other = Api(api.http, "other")
    await other.login()
    assert await api.control("tokens/revoke", {"account": "acme", "refresh": True}) == {
        "revoked": {"access": 1, "refresh": 1}
    }
    assert (await api.show("X")).status_code == 401
    assert (await api.login(grant_type="refresh_token", refresh_token=api.tokens["refresh_token"])).status_code == 401
    assert (await other.show("X")).status_code == 404


async def test_account_takes_an_own_limit_and_ranges(api: Api, clock: Clock) -> None:
    await api.control("accounts/acme", {"rate_limit": 1, "rate_window": 10, "ranges": [7]})
    assert (await api.create(a_bill("A", numbering_range_id=7))).status_code == 201
    assert (await api.create(a_bill("B"))).status_code == 429
    clock.advance(10)
    assert (await api.create(a_bill("B"))).status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("documents/settle", {"reference": "NONE"}),
        ("events", {"number": "NONE"}),
        ("accounts/acme", {"nonsense": 1}),
        ("documents/foreign", {"family": "poems"}),
        ("documents/foreign", {"account": "nobody-yet", "reference": ""}),
        ("events", {"number": "SETP990000001", "event_code": "099"}),
        ("documents/settle", {"reference": "KNOWN", "outcome": "rejected"}),
        ("documents/settle", {"reference": "KNOWN", "outcome": "lost"}),
        ("documents/foreign", {"reference": "KNOWN"}),
        ("documents/foreign", {"seconds": "soon"}),
        ("dian", {"up": 0}),
        ("accounts/acme", {"rate_limit": True}),
        ("accounts/acme", [1]),
        ("accounts/acme", {"forbidden": [1]}),
        ("accounts/acme", {"ranges": ["389"]}),
        ("events", {"number": "SETP990000001", "days_ago": "two"}),
    ],
)
async def test_control_request_without_sense_is_refused(api: Api, path: str, body: Any) -> None:
    await api.create(a_bill("KNOWN"))
    assert "error" in await api.control(path, body, status=400)


async def test_account_must_be_named_when_there_are_several(api: Api) -> None:
    await Api(api.http, "other").login()
    assert await api.control("dian", {"up": True}) == {"up": True}
    assert "account" in (await api.control("documents/foreign", {}, status=400))["error"]


async def test_control_body_that_is_no_json_is_refused(api: Api) -> None:
    response = await api.http.post("/_sandbox/faults", content=b"{")
    assert response.status_code == 400


async def test_reset_forgets_everything(api: Api) -> None:
    await api.create(a_bill("A"))
    await api.control("reset")
    assert (await api.control("report", method="GET"))["accounts"] == {}
    assert (await api.show("X")).status_code == 401


async def test_latency_is_taken_by_creates(start: Start) -> None:
    api = await start(latency=Latency.parse("40ms-60ms"), read_latency=Latency())
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await api.create(a_bill("A"))
    assert loop.time() - begun >= 0.04


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("250ms", 0.25), ("1.5s", 1.5), ("5m", 300), ("2h", 7200)])
def test_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 s", "-1s", "s"])
def test_other_texts_are_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    "arguments", [["--latency", "9s-1s"], ["--faults", "/nowhere"], ["--rate-window", "x"], ["--port", "x"]]
)
def test_wrong_usage_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


async def test_process_says_when_it_listens_and_ends_on_sigterm(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"rules": [{"on": "token", "effect": "error_before", "times": 1}]}))
    process, url = await asyncio.to_thread(start_sandbox, tmp_path, "--faults", str(plan))
    try:
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:
            assert [(await Api(http).login()).status_code for _ in range(2)] == [500, 200]
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0
    finally:
        stop_processes([process])


async def test_port_in_use_ends_with_status_1(start_served: Start, tmp_path: Path) -> None:
    api = await start_served()
    log = tmp_path / "log"
    process = start_process("sandbox", "--port", str(api.http.base_url.port), folder=tmp_path, log=log)
    try:
        assert await asyncio.to_thread(process.wait, PATIENCE_S) == 1
        assert "cannot listen" in log.read_text()
    finally:
        stop_processes([process])
