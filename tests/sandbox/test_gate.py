"""The edge, tokens and the allowance of requests."""

from typing import Any

import pytest

from sandbox.state.limits import BusiestWindow, FixedWindow
from tests.sandbox.api import AGENT, Api, Clock, a_bill, example
from tests.sandbox.conftest import Start


@pytest.mark.parametrize(
    "agent",
    [
        "python-httpx/0.28.1",
        "python-requests/2.32",
        "Python/3.11 aiohttp/3.9",
        "Python-urllib/3.11",
        "Go-http-client/1.1",
        "",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v2/bills"), ("POST", "/oauth/token")])
async def test_default_agent_of_a_library_gets_the_page_of_the_edge(
    api: Api, agent: str, method: str, path: str
) -> None:
    response = await api.call(method, path, headers={"User-Agent": agent})
    assert response.status_code == 403
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("agent", ["factus-worker/1.0", "curl/8.5.0", "Mozilla/5.0"])
async def test_named_agents_pass(api: Api, agent: str) -> None:
    response = await api.call("GET", "/v2/bills", headers={"User-Agent": agent})
    assert response.status_code == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Basic eDp5"])
async def test_request_without_a_token_is_unauthenticated(api: Api, header: str | None) -> None:
    api.tokens = {}
    headers = {} if header is None else {"Authorization": header}
    response = await api.call("GET", "/v2/bills", headers=headers)
    assert (response.status_code, response.json()) == (401, example("observed/error-401-unauthenticated.json"))
    assert "X-RateLimit-Limit" not in response.headers


async def test_token_expires(start: Start, clock: Clock) -> None:
    api = await start(token_lifetime_s=600)
    assert api.tokens["expires_in"] == 600
    clock.advance(599)
    assert (await api.show("X")).status_code == 404
    clock.advance(1)
    assert (await api.show("X")).status_code == 401
    assert (await api.counted())["unauthorized"] == 1


async def test_refresh_gives_a_new_pair_once(api: Api) -> None:
    old = dict(api.tokens)
    renewed = await api.login(grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert renewed.json()["access_token"] != old["access_token"]
    assert (await api.show("X")).status_code == 404
    again = await api.login(grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert again.status_code == 401


async def test_refresh_token_survives_a_request_that_was_not_processed(api: Api) -> None:
    refresh = api.tokens["refresh_token"]
    await api.faults({"on": "token", "effect": "error_before", "times": 1})
    answers = [await api.login(grant_type="refresh_token", refresh_token=refresh) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 200]


async def test_login_leaves_earlier_tokens_alive(api: Api) -> None:
    first = dict(api.tokens)
    await api.login()
    api.tokens = first
    assert (await api.show("X")).status_code == 404


async def test_token_is_given_to_multipart_forms_too(api: Api) -> None:
    form = {"grant_type": "password", "client_id": "i", "client_secret": "s", "username": "u", "password": "p"}
    response = await api.call("POST", "/oauth/token", files={name: (None, value) for name, value in form.items()})
    assert response.status_code == 200


async def test_broken_multipart_form_is_refused(api: Api) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    response = await api.call("POST", "/oauth/token", content=b"nonsense", headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "u"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
    ],
)
async def test_incomplete_token_request_is_refused(api: Api, form: dict[str, str], status: int, error: str) -> None:
    response = await api.call("POST", "/oauth/token", data=form)
    assert (response.status_code, response.json()["error"]) == (status, error)


async def test_credentials_can_be_refused_from_outside(api: Api) -> None:
    await api.control("accounts/acme", {"refused": True})
    assert (await api.login()).json() == example("observed/error-400-oauth-invalid-grant.json")
    await api.control("accounts/acme", {"refused": False})
    assert (await api.login()).status_code == 200


@pytest.mark.parametrize(("key", "status"), [("v2", 403), ("paid", 402), ("product", 403)])
async def test_account_can_be_switched_off(api: Api, key: str, status: int) -> None:
    await api.control("accounts/acme", {key: False})
    assert (await api.create(a_bill())).status_code == status
    assert (await api.call("GET", "/v2/bills")).status_code == (status if key == "v2" else 200)


async def test_answers_carry_the_allowance_and_the_429_when_it_returns(start: Start, clock: Clock) -> None:
    api = await start(rate_limit=3)
    clock.advance(10)
    left = [(await api.show("X")).headers["X-RateLimit-Remaining"] for _ in range(2)]
    refused = await api.show("X")
    assert left == ["1", "0"]
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Limit"] == "3"
    assert refused.headers["Retry-After"] == "50"
    assert refused.headers["X-RateLimit-Reset"] == str(int(clock.at) + 50)
    clock.advance(50)
    allowed = await api.show("X")
    assert allowed.status_code == 404
    assert "Retry-After" not in allowed.headers


async def test_tokens_count_and_accounts_do_not_share(start: Start) -> None:
    api = await start(rate_limit=2)
    other = Api(api.http, "other")
    assert (await api.login()).status_code == 200
    assert (await api.login()).status_code == 429
    assert (await other.login()).status_code == 200
    assert (await api.counted())["rate_limited"] == 1


async def test_control_routes_count_nowhere_and_need_no_agent(start: Start) -> None:
    api = await start(rate_limit=2)
    for _ in range(5):
        await api.control("report", method="GET")
    assert (await api.show("X")).status_code == 404


def test_fixed_window_opens_with_the_first_hit_and_ignores_refused_ones() -> None:
    window = FixedWindow(2, 60)
    taken: list[Any] = [window.take(at).retry_after_s for at in (100, 130, 140, 159.5, 160, 161, 162)]
    assert taken == [None, None, 20, 1, None, None, 58]


def test_busiest_window_sees_what_straddles_two_fixed_windows() -> None:
    busiest = BusiestWindow(60)
    for at in [0, *[59] * 5, *[61] * 5]:
        busiest.note(at)
    assert (busiest.most_fixed, busiest.most_sliding) == (6, 10)


async def test_unknown_route_and_method_are_answered_like_laravel(api: Api) -> None:
    lost = await api.http.get("/v1/bills", headers={"User-Agent": AGENT})
    assert (lost.status_code, lost.json()) == (404, {"message": "The route v1/bills could not be found."})
    assert (await api.http.put("/v2/bills", headers={"User-Agent": AGENT})).status_code == 405
