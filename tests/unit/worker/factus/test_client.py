"""The border to Factus: every error of httpx and every recorded answer becomes a fact of ours."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from jobs import answers
from jobs.errors import LeaseLost
from jobs.factus_requests import Request
from tests.records import a_job
from tests.service_in_process import an_account
from worker.factus import client as fc
from worker.factus import http_answers
from worker.factus.client import FactusClient
from worker.factus.http_answers import HttpAnswer
from worker.factus.rate_limit import RateLimit
from worker.factus.token_cache import TokenCache
from worker.settings.model import ApiLimits
from worker.store.keys import Keys
from worker.store.scripts import Scripts

OBSERVED = Path(__file__).parents[4] / "sandbox" / "facts" / "examples" / "observed"
BILLS = OBSERVED.parent / "bills"


def observed(name: str) -> dict:
    return json.loads((OBSERVED / f"{name}.json").read_text())


def answer(status: int, body: object = None, **changes) -> HttpAnswer:
    form = "json" if body is not None else "page"
    return HttpAnswer(**{"status": status, "body": body, "form": form, **changes})


class TestErrorsOfHttpx:
    def every_error() -> list[type[httpx.HTTPError]]:
        found = [
            value for value in vars(httpx).values() if inspect.isclass(value) and issubclass(value, httpx.HTTPError)
        ]
        return sorted(found, key=lambda error: error.__name__)

    @pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
    def test_each_is_a_fact(self, error):
        if error is httpx.HTTPStatusError:
            made = error("x", request=httpx.Request("GET", "http://x"), response=httpx.Response(500))
        else:
            made = error("x")
        assert isinstance(fc.translate(made), (answers.NotSent, answers.Unknown))

    @pytest.mark.parametrize(
        "error",
        [
            httpx.ReadTimeout,
            httpx.WriteTimeout,
            httpx.ReadError,
            httpx.WriteError,
            httpx.CloseError,
            httpx.RemoteProtocolError,
        ],
    )
    def test_what_may_have_arrived_is_unknown(self, error):
        assert isinstance(fc.translate(error("x")), answers.Unknown)

    @pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
    def test_what_cannot_have_arrived_was_not_sent(self, error):
        assert isinstance(fc.translate(error("x")), answers.NotSent)


class TestAnswersToACreate:
    def test_a_document_decides_by_is_validated_only(self):
        seen = http_answers.read_create(answer(201, observed("bill-validate-v2-created-head")))
        assert seen.document.is_validated
        assert [remark.is_rejection for remark in seen.document.remarks] == [False]

    def test_accepted_without_data_is_an_acknowledgement(self):
        assert (
            http_answers.read_create(answer(202, observed("bill-validate-v2-accepted-async"))) == answers.Acknowledged()
        )

    @pytest.mark.parametrize(
        "body", [None, {}, [], {"data": {}}, {"data": {"number": "X"}}, {"status": "Created", "data": None}]
    )
    def test_an_unreadable_success_is_unknown(self, body):
        assert isinstance(http_answers.read_create(answer(200, body)), answers.Unknown)

    @pytest.mark.parametrize(
        ("status", "name", "expected"),
        [
            (409, "error-409-pending-bill", answers.Conflicted),
            (409, "error-409-legacy-errors-array", answers.Conflicted),
            (422, "error-422-payload-validation", answers.FieldsRefused),
            (422, "error-422-no-field-detail", answers.FieldsRefused),
            (422, "error-422-dian-rule-map", answers.RulesRefused),
            (422, "error-422-dian-rule-90-array", answers.RulesRefused),
            (403, "error-403-api-version", answers.Denied),
            (403, "error-403-product-not-enabled", answers.Denied),
            (403, "error-403-sandbox-permission", answers.Denied),
            (404, "error-404-delete-unknown-reference", answers.NotFound),
            (500, "error-500-unexpected", answers.Unknown),
        ],
    )
    def test_every_recorded_error_is_told_apart(self, status, name, expected):
        assert isinstance(http_answers.read_create(answer(status, observed(name))), expected)

    def test_field_errors_keep_their_paths_and_texts(self):
        seen = http_answers.read_create(answer(422, observed("error-422-payload-validation")))
        assert ("numbering_range_id", "El campo id rango de numeración es inválido.") in [
            (remark.key, remark.text) for remark in seen.remarks
        ]

    def test_rule_90_is_seen_in_a_list(self):
        seen = http_answers.read_create(answer(422, observed("error-422-dian-rule-90-array")))
        assert seen.remarks[0].is_processed_before

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (observed("error-403-api-version"), "version"),
            (observed("error-403-product-not-enabled"), "product"),
            (observed("error-403-sandbox-permission"), "permission"),
            (None, "edge"),
        ],
    )
    def test_the_four_kinds_of_403(self, body, kind):
        assert http_answers.read_create(answer(403, body)).kind == kind


class TestLookUps:
    def test_an_unknown_reference_is_absent_and_no_error(self):
        assert http_answers.read_list(answer(200, observed("bill-list-empty")), "X") == answers.Absent()

    def test_only_the_very_reference_counts(self):
        """The filter was seen to match in part for numbers; it is not trusted."""
        body = json.loads((BILLS / "listar.response.json").read_text())
        assert isinstance(http_answers.read_list(answer(200, body), "FACT-2026-0124"), answers.DocumentSeen)
        assert http_answers.read_list(answer(200, body), "FACT-2026-012") == answers.Absent()

    def test_a_404_on_delete_is_absent(self):
        assert http_answers.read_delete(answer(404, observed("error-404-delete-unknown-reference"))) == answers.Absent()

    @pytest.mark.parametrize("body", [None, {"data": None}, {"data": {"data": "x"}}])
    def test_an_unreadable_list_is_unknown(self, body):
        assert isinstance(http_answers.read_list(answer(200, body), "X"), answers.Unknown)


class TestTokens:
    def test_the_recorded_token_is_read(self):
        assert http_answers.read_token(answer(200, observed("token"))).expires_in_s == 3600

    @pytest.mark.parametrize(
        ("status", "name"),
        [
            (400, "error-400-oauth-invalid-grant"),
            (401, "error-401-oauth-invalid-client"),
            (401, "error-401-oauth-invalid-refresh-token"),
        ],
    )
    def test_refused_credentials_are_told(self, status, name):
        assert isinstance(http_answers.read_token(answer(status, observed(name))), answers.CredentialsRefused)


# -- the client as a whole, on a transport of ours -----------------------------------------------------------------
TOKEN = {"token_type": "Bearer", "expires_in": 3600, "access_token": "secret-token", "refresh_token": "r"}


class Wire:
    """A transport that answers by a function and remembers what it was asked."""

    def __init__(self, respond: Callable[[httpx.Request], httpx.Response]):
        self.respond = respond
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json=TOKEN)
        return self.respond(request)

    @property
    def paths(self) -> list[str]:
        return [request.url.raw_path.decode() for request in self.requests]


@pytest.fixture
def client_of(fake_redis, namespace):
    clients = []

    def make(respond, **account) -> tuple[FactusClient, Wire]:
        wire, keys, scripts = Wire(respond), Keys(namespace), Scripts(fake_redis)
        owner = an_account(**account)
        client = FactusClient(
            owner,
            ApiLimits(create_timeout_s=5.0, read_timeout_s=5.0),
            RateLimit(scripts, keys, owner),
            TokenCache(scripts, keys, owner.name, "w1"),
            keys,
            transport=httpx.MockTransport(wire),
        )
        clients.append(client)
        return client, wire

    return make


@pytest.fixture
async def stored_job(fake_redis, namespace):
    job = a_job()
    await fake_redis.hset(Keys(namespace).job(job.account, job.id), mapping=job.to_hash())
    return job


async def test_a_create_sends_the_stored_bytes_with_our_agent_and_token(client_of, stored_job):
    client, wire = client_of(lambda _: httpx.Response(201, json=observed("bill-validate-v2-created-head")))
    assert isinstance(await client.create(stored_job, latest_ms=0), answers.DocumentSeen)
    sent = wire.requests[-1]
    assert sent.content.decode() == stored_job.payload
    assert sent.headers["user-agent"].startswith("factus-worker/")
    assert sent.headers["authorization"] == "Bearer secret-token"


async def test_the_record_is_sending_before_the_first_byte(client_of, stored_job, fake_redis, namespace):
    seen_state = []

    def respond(_request):
        return httpx.Response(201, json={})

    client, wire = client_of(respond)
    key = Keys(namespace).job("acme", "job-1")
    acquire = client._rate_limit.acquire

    async def watched(**kwargs):
        found = await acquire(**kwargs)
        if kwargs.get("mark"):
            seen_state.append((await fake_redis.hget(key, "sent"), len(wire.requests)))
        return found

    client._rate_limit.acquire = watched
    await client.create(stored_job, latest_ms=0)
    assert seen_state == [(b"sending", 1)], "marked with the permit, when only the token had been asked for"


async def test_a_stale_owner_sends_nothing(client_of, stored_job, fake_redis, namespace):
    await fake_redis.hset(Keys(namespace).job("acme", "job-1"), "fence", 2)
    client, wire = client_of(lambda _: httpx.Response(201, json={}))
    with pytest.raises(LeaseLost):
        await client.create(stored_job, latest_ms=0)
    assert wire.paths == ["/oauth/token"]


async def test_nothing_is_sent_past_the_latest_instant(client_of, stored_job):
    client, wire = client_of(lambda _: httpx.Response(201, json={}))
    assert await client.create(stored_job, latest_ms=1) == answers.TooLate()
    assert wire.paths == ["/oauth/token"]


async def test_a_401_causes_one_refresh_and_one_repetition(client_of, stored_job):
    replies = iter(
        [
            httpx.Response(401, json=observed("error-401-unauthenticated")),
            httpx.Response(202, json={"status": "Accepted"}),
        ]
    )
    client, wire = client_of(lambda _: next(replies))
    assert await client.create(stored_job, latest_ms=0) == answers.Acknowledged()
    assert wire.paths == ["/oauth/token", "/v2/bills/validate"] * 2


async def test_a_second_401_is_about_the_credentials(client_of, stored_job):
    client, wire = client_of(lambda _: httpx.Response(401, json={"message": "Unauthenticated."}))
    assert isinstance(await client.create(stored_job, latest_ms=0), answers.CredentialsRefused)
    assert len(wire.paths) == 4


async def test_a_429_holds_the_account_for_everybody(client_of, stored_job, fake_redis, namespace):
    client, wire = client_of(lambda _: httpx.Response(429, headers={"Retry-After": "7"}, json={}))
    seen = await client.create(stored_job, latest_ms=0)
    assert isinstance(seen, answers.Throttled)
    assert 7.0 <= seen.retry_after_s <= 8.0
    assert await fake_redis.hget(Keys(namespace).account("acme"), "hold_until")
    assert isinstance(await client.find("invoice", "X"), answers.NoPermit), "no call while the hold lasts"
    assert wire.paths[-1] == "/v2/bills/validate"


async def test_a_reference_with_slashes_is_one_segment_of_the_path(client_of, stored_job):
    client, wire = client_of(lambda _: httpx.Response(200, json=observed("bill-delete-ok")))
    own = replace(stored_job, reference_code="FV/2026/0001")
    assert await client.delete(own, own.reference_code, settle_ms=1) == answers.Done()
    assert wire.paths[-1] == "/v2/bills/destroy/reference/FV%2F2026%2F0001"


class TestRemovals:
    """A DELETE takes whatever bears the reference when it arrives: who has lost the job must not send one."""

    async def test_one_of_a_job_that_another_worker_has_is_not_sent(self, client_of, stored_job):
        client, wire = client_of(lambda _: httpx.Response(200, json=observed("bill-delete-ok")))
        for reference in (stored_job.reference_code, "OTHER"):
            with pytest.raises(LeaseLost):
                await client.delete(replace(stored_job, fence=stored_job.fence - 1), reference, settle_ms=1)
        assert not [path for path in wire.paths if "destroy" in path]

    async def test_the_record_has_the_instant_of_sending_and_no_attempt_more(
        self, client_of, stored_job, fake_redis, namespace
    ):
        client, _ = client_of(lambda _: httpx.Response(200, json=observed("bill-delete-ok")))
        await client.delete(stored_job, stored_job.reference_code, settle_ms=1)
        key = Keys(namespace).job(stored_job.account, stored_job.id)
        deleting_at, attempts, sent = await fake_redis.hmget(key, "deleting_at", "attempts", "sent")
        assert int(deleting_at) > 0
        assert (attempts, sent) == (None, None)

    @pytest.mark.parametrize("whose", ["own", "another's"])
    async def test_the_reference_is_not_free_for_a_while(self, client_of, stored_job, fake_redis, namespace, whose):
        client, _ = client_of(lambda _: httpx.Response(200, json=observed("bill-delete-ok")))
        reference = stored_job.reference_code if whose == "own" else "OTHER"
        document = Keys(namespace).document(stored_job.account, stored_job.family, reference)
        await fake_redis.hset(document, "state", "open" if whose == "own" else "rejected")
        assert await client.delete(stored_job, reference, settle_ms=60_000) == answers.Done()
        seconds, _ = await fake_redis.time()
        assert 50_000 < int(await fake_redis.hget(document, "free_at")) - seconds * 1000 <= 61_000

    @pytest.mark.parametrize("state", ["open", "validated"])
    async def test_another_document_that_is_issued_again_by_now_is_left_alone(
        self, client_of, stored_job, fake_redis, namespace, state
    ):
        """Between the claim of its removal and the permit somebody has pushed its correction."""
        client, wire = client_of(lambda _: httpx.Response(200, json=observed("bill-delete-ok")))
        document = Keys(namespace).document(stored_job.account, stored_job.family, "OTHER")
        await fake_redis.hset(document, mapping={"state": state, "free_at": 1})
        assert await client.delete(stored_job, "OTHER", settle_ms=60_000) == answers.TooLate()
        assert not [path for path in wire.paths if "destroy" in path]
        assert await fake_redis.hget(document, "free_at") == b"1"

    @pytest.mark.parametrize("call", ["create", "delete"])
    async def test_after_a_standstill_nothing_is_sent_on_an_old_permit(self, client_of, stored_job, monkeypatch, call):
        """SIGSTOP, a suspended machine: the permit is in hand, and the job another worker's meanwhile."""
        client, wire = client_of(lambda _: httpx.Response(200, json=observed("bill-delete-ok")))
        granted = client._rate_limit.acquire

        async def slow(**about):
            permit = await granted(**about)
            return replace(permit, asked_at=permit.asked_at - 6.0) if about["mark"] else permit

        monkeypatch.setattr(client._rate_limit, "acquire", slow)
        if call == "create":
            seen = await client.create(stored_job, latest_ms=0)
        else:
            seen = await client.delete(stored_job, stored_job.reference_code, settle_ms=1)
        assert isinstance(seen, answers.NotSent)
        assert wire.paths == ["/oauth/token"]


LONG = "ñ" * 100_000
NO_BYTES = "\ud800"
UNMAKEABLE = [
    *(Request("GET", f"/v2/bills/{'a' * 100_000}"), Request("DELETE", f"/v2/bills/{NO_BYTES}")),
    *(Request("GET", "/v2/bills", {"filter[names]": text}) for text in (LONG, NO_BYTES)),
    *(Request("POST", "/v2/bills", {name: "1"}, body={}) for name in (LONG, NO_BYTES)),
]


@pytest.mark.parametrize("request_", UNMAKEABLE, ids=range(len(UNMAKEABLE)))
async def test_what_cannot_be_made_into_a_request_was_not_sent(client_of, request_):
    client, wire = client_of(lambda _: httpx.Response(200, json={}))
    assert isinstance(await client.call(request_), answers.NotSent)
    assert not [path for path in wire.paths if path != "/oauth/token"]


@pytest.mark.parametrize("family", ["invoice", "support_document", "payroll"])
async def test_a_reference_longer_than_any_url_was_not_sent(client_of, stored_job, family):
    client, _ = client_of(lambda _: httpx.Response(200, json={}))
    assert isinstance(await client.delete(replace(stored_job, family=family), LONG, settle_ms=1), answers.NotSent)
    assert isinstance(await client.find(family, LONG), answers.NotSent)


async def test_a_look_up_reads_the_document_itself_by_its_number(client_of):
    listing = json.loads((BILLS / "listar.response.json").read_text())
    shown = json.loads((BILLS / "ver.response.json").read_text())
    client, wire = client_of(
        lambda request: httpx.Response(200, json=listing if request.url.path == "/v2/bills" else shown)
    )
    seen = await client.find("invoice", "FACT-2026-0124")
    assert seen.document.raw["cufe"]
    assert wire.paths[-1] == "/v2/bills/SETP990000550"


async def test_a_token_server_out_of_reach_means_that_nothing_was_sent(fake_redis, namespace, stored_job):
    keys, scripts, owner = Keys(namespace), Scripts(fake_redis), an_account()

    def respond(_request):
        raise httpx.ReadTimeout("slow")

    client = FactusClient(
        owner,
        ApiLimits(5.0, 5.0),
        RateLimit(scripts, keys, owner),
        TokenCache(scripts, keys, "acme", "w1"),
        keys,
        transport=httpx.MockTransport(respond),
    )
    assert isinstance(await client.create(stored_job, latest_ms=0), answers.NotSent)
    assert not await fake_redis.exists(keys.token_lock("acme")), "the lead is given back"


async def test_no_places_left_at_factus_are_entered_as_somebody_else_s(client_of, stored_job, fake_redis, namespace):
    """Factus says that nothing is left, and we sent two calls: the other three were not ours."""
    client, _ = client_of(
        lambda _: httpx.Response(
            202, json={"status": "Accepted"}, headers={"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0"}
        ),
        rate_limit=5,
    )
    await client.create(stored_job, latest_ms=0)
    assert await fake_redis.hget(Keys(namespace).account("acme"), "n_others") == b"3"
    assert isinstance(await client.create(stored_job, latest_ms=0), answers.NoPermit)


ECHOES = {
    "the token in use": {"error": "invalid_grant", "message": "refused: secret-token"},
    "a token of its own": {"access_token": "another-token", "message": "another-token is no good"},
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
async def test_a_refusing_token_route_tells_no_token_on(client_of, fake_redis, namespace, echo):
    """After the token in use was revoked the route that should renew it gives it back in its words."""
    client, wire = client_of(lambda _: httpx.Response(401, json={"message": "Unauthenticated."}))
    answer = wire.__call__

    def refuse_the_second(request):
        is_token = request.url.path == "/oauth/token"
        n_before = sum(path == "/oauth/token" for path in wire.paths)
        return httpx.Response(400, json=echo) if is_token and n_before else answer(request)

    client._transport = httpx.MockTransport(refuse_the_second)
    found = await client.find("invoice", "A")
    assert "secret-token" not in repr(found)
    assert "another-token" not in repr(found)


@pytest.mark.parametrize(("status", "body"), [(422, {"errors": {"a": ["secret-token"]}}), (403, {"message": "no: {}"})])
async def test_no_answer_tells_a_token_that_another_one_has_replaced(client_of, stored_job, status, body):
    """Nor, where the account is refused, one of another process, of which nobody here has heard."""
    tokens = iter(["secret-token", "fresh-token"])
    client, _ = client_of(lambda _: httpx.Response(401, json={}))

    def respond(request):
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={**TOKEN, "access_token": next(tokens)})
        if request.headers["Authorization"] == "Bearer secret-token":
            return httpx.Response(401, json={"message": "Unauthenticated."})
        return httpx.Response(status, json=json.loads(json.dumps(body).replace("{}", "another-token-0f6d1c-of-8")))

    client._transport = httpx.MockTransport(respond)
    found = await client.create(stored_job, latest_ms=0)
    assert "secret-token" not in repr(found)
    assert "another-token" not in repr(found)
    assert "[oculto]" in repr(found)
