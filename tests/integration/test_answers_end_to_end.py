"""
The whole service against a server that is not Factus for a while: no job pays for the account, none ends by an answer
that says nothing, and all is done when Factus is back.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from tests.builders import a_bill
from tests.hostile import TOKEN, Hostile, hostile, page, whole
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from worker.cli.results.reader import columns_of
from worker.http.pushing import final_answer
from worker.status.lookup import JobLookup
from worker.status.reader import StatusReader

CREATE, TOKEN_ROUTE = "POST /v2/bills/validate", "POST /oauth/token"
NO_ROUTE = {"message": "The route v2/bills/validate could not be found."}
SECRETS = {"username": "contador@example.com", "password": "clave-muy-secreta-55", "client_secret": "secreto/91bd+x"}


@asynccontextmanager
async def a_service(real_redis, namespace, server: Hostile, **settings):
    account = an_account(base_url=server.url, **{name: SecretStr(text) for name, text in SECRETS.items()})
    told = {"backoff_base": 0.1, "backoff_max": 0.4, "timeout": 1.0, **settings}
    async with running(services_on(real_redis, namespace, account, over_http=True, **told)) as rig:
        yield rig


@pytest.fixture
async def server():
    async with hostile() as found:
        yield found


def validated(reference="A"):
    bill = a_bill(reference_code=reference)
    data = {"reference_code": reference, "number": "SETP1", "is_validated": True, "customer": bill["customer"]}
    return whole(201, {"status": "Created", "data": data})


async def push(rig: ServiceInProcess, *references: str):
    for reference in references:
        await rig.push_bill(reference)


TOKEN_ANSWERS = {
    "404 html": page(404),
    "404 route": whole(404, {"message": "The route oauth/token could not be found."}),
    "404 Factus": whole(404, {"status": "Not Found", "message": "No se encontró"}),
    "405": page(405),
    "410": page(410),
    "408": page(408),
    "413": page(413),
    "419": whole(419, {"message": "CSRF token mismatch."}),
    "400": whole(400, {"error": "invalid_grant", "message": "The user credentials were incorrect."}),
    "401 html": page(401),
    "422": whole(422, {"message": "El campo es obligatorio", "errors": {"username": ["obligatorio"]}}),
    "429 without words": whole(429, b"", "Retry-After: 1"),
    "302": whole(302, b"", "Location: https://example.com/"),
    "200 html": page(200),
    "200 of another": whole(200, {"token": "x"}),
    "200 not ASCII": whole(200, {**TOKEN, "access_token": "ñandú"}),
    "503": page(503),
    "999": page(999),
}


@pytest.mark.parametrize("name", TOKEN_ANSWERS)
async def test_the_token_route_ends_no_job_and_is_asked_once_a_step(real_redis, namespace, server, name):
    """F12. Thirty jobs wait; the token route answers nonsense for five steps, and then Factus is back."""
    server.replies = {TOKEN_ROUTE: TOKEN_ANSWERS[name], CREATE: validated()}
    async with a_service(real_redis, namespace, server) as rig:
        began = time.monotonic()
        await push(rig, *(f"R{n}" for n in range(30)))
        await server.was_asked(TOKEN_ROUTE, 5)
        assert server.asked[CREATE] == 0
        # Pauses of 0.1, 0.2, 0.4 and 0.4 s (429: one second each), of which half at least is taken.
        assert time.monotonic() - began >= 0.5
        assert server.asked[TOKEN_ROUTE] <= 6
        del server.replies[TOKEN_ROUTE]
        events = []
        while sum(event["job_id"] is not None for event in events) < 30:
            events += await rig.events(1)
    jobs = [event for event in events if event["job_id"]]
    assert {(event["type"], event["attempts"]) for event in jobs} == {("invoice.validated", 1)}
    blocked = [event for event in events if event["type"] == "account.blocked"]
    is_told = name.startswith(("404", "405", "410", "400", "422"))
    assert len(blocked) == is_told
    if is_told:
        assert blocked[0]["data"]["mend"]
        assert name[:3] in blocked[0]["errors"][0]["message"]


CREATE_ANSWERS = {
    "404 html": page(404),
    "404 route": whole(404, NO_ROUTE),
    "404 of another": whole(404, {"message": "Not Found"}),
    "405 html": page(405),
    "410 html": page(410),
    "413 html": page(413),
    "418 empty": whole(418),
    "408": page(408),
    "421": page(421),
    "425": page(425),
    "422 cut": whole(422, b'{"message":"Error de vali'),
    "422 empty": whole(422),
    "422 html": page(422),
    "200 html": page(200),
    "302": whole(302, b"", "Location: /login"),
    "502": page(502),
}


@pytest.mark.parametrize("name", CREATE_ANSWERS)
async def test_a_create_without_a_word_of_factus_is_no_verdict(real_redis, namespace, server, name):
    """F13, F50. Asked again until Factus is there; the address's matter is told, the document's never."""
    server.replies = {CREATE: CREATE_ANSWERS[name]}
    async with a_service(real_redis, namespace, server) as rig:
        await push(rig, "A", "B")
        await server.was_asked(CREATE, 4)
        server.replies = {CREATE: validated("A")}
        events = []
        while not any(event["job_id"] for event in events):
            events += await rig.events(1)
        first = events[-1]
    assert first["type"] == "invoice.validated"
    is_told = name[:3] in ("404", "405", "410", "413", "418")
    assert [event["type"] for event in events].count("account.blocked") == is_told
    assert (server.asked["GET /v2/bills"] > 0) != is_told, "a lost answer is looked up, a wrong address is not"


@pytest.mark.parametrize("name", ["404 html", "422 cut", "408", "502", "200 html"])
async def test_what_never_ends_fails_at_its_deadline_with_the_status_in_event_and_letter(
    real_redis, namespace, server, name, capsys
):
    server.replies = {CREATE: CREATE_ANSWERS[name]}
    async with a_service(real_redis, namespace, server, job_deadline=1.5) as rig:
        await push(rig, "A")
        events = []
        while not any(event["job_id"] for event in events):
            events += await rig.events(1)
        ((_, letter),) = await real_redis.xrange(rig.services.keys.dead())
    failed = events[-1]
    assert (failed["type"], failed["errors"][0]["code"]) == ("invoice.failed", "factus.unavailable")
    assert name[:3] in failed["errors"][0]["message"]
    assert name[:3] in letter[b"errors"].decode()
    assert f"status={name[:3]}" in _plain(capsys.readouterr().out)


async def test_a_read_that_is_not_answered_by_factus_goes_on_as_well(real_redis, namespace, server):
    shown = {"status": "OK", "data": {"number": "SETP1", "is_validated": True}}
    for reply in (page(408), page(404), whole(404, NO_ROUTE), whole(200, b"<html>"), whole(422, b"{")):
        server.replies = {"GET /v2/bills/SETP1": reply}
        server.asked.clear()
        async with a_service(real_redis, namespace, server) as rig:
            await rig.push({"type": "invoice.get", "account": "acme", "payload": {"number": "SETP1"}})
            await server.was_asked("GET /v2/bills/SETP1", 2)
            server.replies = {"GET /v2/bills/SETP1": whole(200, shown)}
            rig._last = (await real_redis.xinfo_stream(rig.services.keys.results()))["last-generated-id"] \
                if await real_redis.exists(rig.services.keys.results()) else "0-0"  # fmt: skip
            while (event := (await rig.events(1))[0])["job_id"] is None:
                continue
        assert event["type"] == "invoice.get.completed"


async def test_credentials_that_a_server_gives_back_stand_nowhere(real_redis, namespace, server, capsys):
    echo = {"error": "invalid_client", "message": f"{SECRETS}", "hint": [*SECRETS.values()]}
    document = {"reference_code": "A", "number": "SETP1", "is_validated": True, "debug": echo, "errors": [f"{SECRETS}"]}
    server.replies = {TOKEN_ROUTE: whole(401, echo)}
    async with a_service(real_redis, namespace, server) as rig:
        await push(rig, "A")
        await rig.events(1)
        server.replies = {CREATE: whole(201, {"data": document})}
        events = await rig.events(2)
        stored = [await real_redis.hgetall(key) for key in await real_redis.keys(f"{namespace}:job:*")]
        written = json.dumps([*events, await _stream(real_redis, rig)]) + repr(stored)
    assert "[oculto]" in written
    logged = capsys.readouterr()
    for secret in SECRETS.values():
        assert secret not in written + logged.out + logged.err


async def test_an_event_has_its_limit_and_says_where_it_was_cut(real_redis, namespace, server):
    document = {"reference_code": "A", "number": "SETP1", "is_validated": True, "observation": "x" * 3_000_000}
    server.replies = {CREATE: whole(201, {"data": document})}
    async with a_service(real_redis, namespace, server) as rig:
        await push(rig, "A")
        (event,) = await rig.events(1)
    assert (event["type"], event["data"]["factus_truncated"]) == ("invoice.validated", ["factus.observation"])
    assert len(json.dumps(event["data"]["factus"], ensure_ascii=False).encode()) <= 512 * 1024


LARGE_ANSWERS = {
    "as deep as an answer may be": b'{"a":' * 30 + b"1" + b"}" * 30,
    "lists as deep": b"[" * 30 + b"]" * 30,
    "150,000 values": b"[" + b",".join([b"1"] * 150_000) + b"]",
    "50,000 empty objects": b"[" + b",".join([b"{}"] * 50_000) + b"]",
    "200,000 commas in a text": b'"' + b"," * 190_000 + b'"',
    "a number of a hundred digits": b"9" * 100,
    "the largest exponent": b"1E+308",
    "the smallest exponent": b"1E-308",
    "keys that stand twice": b'{"k":1,"k":2}',
    "a lone surrogate and a NUL": b'"\\ud800\\u0000"',
}


@pytest.mark.parametrize("name", LARGE_ANSWERS)
async def test_whatever_an_answer_holds_our_event_of_it_is_read_again(real_redis, namespace, server, name):
    """Pushed again the document is answered from the ledger; the screen, the door and the story read the event too."""
    body = b'{"data":{"reference_code":"A","number":"S1","is_validated":true,"x":' + LARGE_ANSWERS[name] + b"}}"
    server.replies = {CREATE: whole(201, body)}
    async with a_service(real_redis, namespace, server) as rig:
        await push(rig, "A")
        (first,) = await rig.events(1)
        await push(rig, "A")
        (again,) = await rig.events(1)
        keys = rig.services.keys
        raw = (await real_redis.xrange(keys.results()))[-1][1][b"event"]
        story = JobLookup(
            real_redis, keys, StatusReader(real_redis, keys, {}, limit=80, window_s=60, results_maxlen=1000), ()
        )
        told = await story.last_event("A")
    assert (first["type"], again["type"], again["data"]["replayed"]) == (*["invoice.validated"] * 2, True)
    assert again["data"]["factus"] == first["data"]["factus"]
    assert told["job_id"] == again["job_id"]
    assert columns_of(raw)[1] == "invoice.validated"
    assert final_answer(raw).status_code == 200


async def test_a_total_of_three_hundred_million_digits_is_none(real_redis, namespace, server):
    totals = b'{"total":1e300000000,"tax_amount":"1e300000000"}'
    body = b'{"data":{"reference_code":"A","number":"S1","is_validated":true,"totals":' + totals + b"}}"
    server.replies = {CREATE: whole(201, body)}
    async with a_service(real_redis, namespace, server) as rig:
        await push(rig, "A")
        (event,) = await rig.events(1)
    assert (event["type"], event["data"]["total"], event["data"]["tax_amount"]) == ("invoice.validated", None, None)
    assert len(json.dumps(event)) < 10_000


async def _stream(redis, rig):
    return [fields[b"event"].decode() for _, fields in await redis.xrange(rig.services.keys.results())]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
