"""Each kind of fault does what it says, and what it leaves behind is what Factus would leave behind."""

import asyncio
import json
from importlib.resources import files
from typing import Any

import httpx
import pytest

from sandbox.state.config import SandboxConfig
from sandbox.state.faults import EFFECTS, REQUEST_KINDS, FaultPlan, PlanError, read_rules
from tests.sandbox.api import Api, Clock, a_bill, example
from tests.sandbox.conftest import Start


async def _stored(api: Api) -> list[tuple[str, str]]:
    documents = await api.control(f"documents?account={api.user}", method="GET")
    return [(document["reference_code"], document["state"]) for document in documents]


def _once(effect: Any, on: str = "create") -> dict[str, Any]:
    return {"on": on, "effect": effect, "times": 1}


async def test_drop_after_commits_and_then_resets_the_connection(start_served: Start) -> None:
    """The worst case of all: the document is validated, and nobody was told."""
    api = await start_served()
    await api.faults(_once("drop_after"))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await api.create(a_bill("A"))
    assert await _stored(api) == [("A", "validated")]
    assert (await api.create(a_bill("A"))).status_code == 201
    assert (await api.counted())["dropped"] == 1
    assert (await api.report())["duplicates"]["references"] == []


async def test_drop_before_leaves_nothing(start_served: Start) -> None:
    api = await start_served()
    await api.faults(_once("drop_before"))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await api.create(a_bill("A"))
    assert await _stored(api) == []


async def test_drop_of_one_connection_spares_the_others(start_served: Start) -> None:
    api = await start_served()
    await api.faults(_once("drop_before", on="list"))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await api.find()
    assert (await api.find())["data"] == []


@pytest.mark.parametrize(("kind", "left"), [("error_before", []), ("error_after", [("A", "validated")])])
@pytest.mark.parametrize("status", [500, 503])
async def test_server_error_before_or_after_the_commit(
    api: Api, kind: str, left: list[tuple[str, str]], status: int
) -> None:
    await api.faults(_once({"kind": kind, "status": status}))
    response = await api.create(a_bill("A"))
    assert response.status_code == status
    assert await _stored(api) == left
    if status == 500:
        assert response.json() == example("observed/error-500-unexpected.json")


@pytest.mark.parametrize("kind", ["garbage", "empty"])
async def test_unreadable_success_has_committed(api: Api, kind: str) -> None:
    await api.faults(_once(kind))
    response = await api.create(a_bill("A"))
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert await _stored(api) == [("A", "validated")]


@pytest.mark.parametrize("kind", ["garbage", "empty"])
async def test_what_was_refused_is_no_success_for_want_of_a_body(api: Api, kind: str) -> None:
    await api.faults(_once(kind, on="show"))
    assert (await api.show("X")).status_code == 404


async def test_rate_limited_tells_how_long(api: Api) -> None:
    await api.faults(_once({"kind": "rate_limited", "retry_after": 7}))
    response = await api.create(a_bill())
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert await _stored(api) == []


async def test_unauthorized_can_revoke_every_token_of_the_account(api: Api) -> None:
    other = Api(api.http, "other")
    await other.login()
    await api.faults({**_once({"kind": "unauthorized", "revoke": True}, on="any"), "account": "acme"})
    assert [(await api.show("X")).status_code for _ in range(2)] == [401, 401]
    assert (await other.show("X")).status_code == 404
    await api.login()
    assert (await api.show("X")).status_code == 404


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("forbidden_version", 403, "observed/error-403-api-version.json"),
        ("forbidden_product", 403, "observed/error-403-product-not-enabled.json"),
        ("unauthorized", 401, "observed/error-401-unauthenticated.json"),
        ("payment_required", 402, None),
    ],
)
async def test_refusal_of_the_account_stores_nothing(api: Api, kind: str, status: int, body: str | None) -> None:
    await api.faults(_once(kind))
    response = await api.create(a_bill())
    assert response.status_code == status
    assert body is None or response.json() == example(body)
    assert await _stored(api) == []


async def test_html_403_is_no_json(api: Api) -> None:
    await api.faults(_once("html_403"))
    response = await api.create(a_bill())
    assert response.status_code == 403
    assert response.headers["content-type"].startswith("text/html")
    assert "1010" in response.text


async def test_token_requests_can_fail_too(api: Api) -> None:
    await api.faults(_once("error_before", on="token"))
    assert [(await api.login()).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("shape", ["map", "list", "body"])
async def test_rejection_has_three_shapes(api: Api, shape: str) -> None:
    await api.faults(_once({"kind": "reject", "rules": {"FAU14": "Total errado"}, "shape": shape}))
    response = await api.create(a_bill("A"))
    data, text = response.json()["data"], "Regla: FAU14, Rechazo: Total errado"
    if shape == "body":
        assert (response.status_code, data["is_validated"], data["errors"]) == (201, False, {"FAU14": text})
    else:
        expected = [text] if shape == "list" else {"FAU14": text}
        assert (response.status_code, data["errors"]) == (422, expected)
    assert await _stored(api) == [("A", "rejected")]


async def test_pending_ends_after_as_many_polls(api: Api) -> None:
    await api.faults(_once({"kind": "pending", "polls": 3}))
    seen = [(await api.create(a_bill("A"))).json()["data"]["is_validated"] for _ in range(4)]
    assert seen == [False, False, False, True]


async def test_pending_ends_with_time_for_readers_too(api: Api, clock: Clock) -> None:
    await api.faults(_once({"kind": "pending", "seconds": 60}))
    data = (await api.create(a_bill("A"))).json()["data"]
    assert (data["is_validated"], data["validated_at"]) == (False, None)
    assert data["links"]["public_url"].endswith("/documents/bills/")
    clock.advance(60)
    (row,) = (await api.find(reference_code="A"))["data"]
    assert row["is_validated"] is True


async def test_pending_can_end_as_rejected(api: Api) -> None:
    await api.faults(_once({"kind": "pending", "polls": 1, "then": "rejected"}))
    assert [(await api.create(a_bill("A"))).status_code for _ in range(2)] == [201, 422]


@pytest.mark.parametrize("status", [200, 202])
async def test_acknowledgement_has_no_data_and_is_found_by_reference(api: Api, status: int) -> None:
    await api.faults(_once({"kind": "pending", "polls": 2, "shape": "accepted", "status": status}))
    response = await api.create(a_bill("A"))
    assert response.status_code == status
    assert response.json() == example("observed/bill-validate-v2-accepted-async.json")
    seen = [(await api.find(reference_code="A"))["data"][0]["is_validated"] for _ in range(2)]
    assert seen == [False, True]


@pytest.mark.parametrize(("found", "is_validated"), [("rejected", False), ("validated", True)])
async def test_rule_90_leaves_what_the_plan_says(api: Api, found: str, is_validated: bool) -> None:
    await api.faults(_once({"kind": "rule_90", "found": found}))
    assert (await api.create(a_bill("A"))).status_code == 422
    (row,) = (await api.find(reference_code="A"))["data"]
    assert row["is_validated"] is is_validated
    again = await api.create(a_bill("A"))
    assert again.status_code == (201 if is_validated else 422)


async def test_dian_down_makes_creates_wait_until_asked_after_it(api: Api, clock: Clock) -> None:
    await api.faults(_once({"kind": "dian_down", "seconds": 30}))
    assert (await api.create(a_bill("A"))).json()["data"]["is_validated"] is False
    clock.advance(29)
    assert (await api.create(a_bill("A"))).json()["data"]["is_validated"] is False
    clock.advance(1)
    assert (await api.create(a_bill("A"))).json()["data"]["is_validated"] is True


async def test_dian_goes_down_with_a_repeat_too(api: Api) -> None:
    await api.create(a_bill("A"))
    await api.faults(_once({"kind": "dian_down", "seconds": 30}))
    await api.create(a_bill("A"))
    assert (await api.create(a_bill("B"))).json()["data"]["is_validated"] is False


async def test_rejection_that_came_with_time_is_told_to_the_repeat(api: Api, clock: Clock) -> None:
    await api.faults(_once({"kind": "pending", "seconds": 5, "then": "rejected"}))
    await api.create(a_bill("A"))
    clock.advance(5)
    assert [(await api.create(a_bill("A"))).status_code for _ in range(2)] == [422, 409]


async def test_foreign_pending_bars_and_goes_by_itself(api: Api, clock: Clock) -> None:
    await api.faults(_once({"kind": "foreign_pending", "reference": "THEIRS", "seconds": 20}))
    assert (await api.create(a_bill("A"))).status_code == 409
    (row,) = (await api.find(status="0"))["data"]
    assert row["reference_code"] == "THEIRS"
    clock.advance(20)
    assert (await api.create(a_bill("A"))).status_code == 201


async def test_slow_takes_its_time_on_reads(api: Api) -> None:
    await api.faults(_once({"kind": "slow", "seconds": 0.05}, on="list"))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await api.find()
    assert loop.time() - begun >= 0.05


# --- which requests a rule hits


def _fired(seed: int, rule: dict[str, Any], references: list[str], attempts: int = 1) -> list[bool]:
    plan = FaultPlan(seed, read_rules([rule]))
    return [bool(plan.effects_for("create", "bills", "acme", name)) for name in references for _ in range(attempts)]


_NAMES = [f"FV-{number}" for number in range(2000)]


def test_share_is_decided_by_seed_reference_and_attempt_not_by_order() -> None:
    rule = {"effect": "drop_after", "share": 0.3}
    first = dict(zip(_NAMES, _fired(1, rule, _NAMES), strict=True))
    backwards = dict(zip(reversed(_NAMES), _fired(1, rule, _NAMES[::-1]), strict=True))
    assert first == backwards
    assert first != dict(zip(_NAMES, _fired(2, rule, _NAMES), strict=True))
    assert 500 < sum(first.values()) < 700


def test_share_is_drawn_anew_for_each_attempt() -> None:
    fired = _fired(1, {"effect": "drop_after", "share": 0.5}, _NAMES[:50], attempts=8)
    assert 130 < sum(fired) < 270


def test_rules_draw_independently_of_each_other() -> None:
    plan = FaultPlan(1, read_rules([{"effect": "slow", "share": 0.5}, {"effect": "reject", "share": 0.5}]))
    effects = [plan.effects_for("create", "bills", "acme", name) for name in _NAMES]
    both = sum(bool(fired.get("slow") and fired.get("reject")) for fired in effects)
    assert 400 < both < 600


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"times": 2}, [1, 1, 0, 0, 0]),
        ({"after": 3}, [0, 0, 0, 1, 1]),
        ({"until": 1}, [1, 0, 0, 0, 0]),
        ({"after": 1, "until": 4, "times": 2}, [0, 1, 1, 0, 0]),
    ],
)
def test_counts_bound_when_a_rule_fires(counts: dict[str, int], expected: list[int]) -> None:
    assert _fired(0, {"effect": "empty", **counts}, _NAMES[:5]) == [bool(one) for one in expected]


def test_attempt_counts_by_reference() -> None:
    rule = {"effect": "empty", "attempt": [1, 3]}
    assert _fired(0, rule, ["A", "B"], attempts=3) == [True, False, True] * 2


def test_rule_matches_by_kind_family_account_and_reference() -> None:
    rule = {"on": "list", "family": "bil*", "account": "a*", "reference": "FV-?", "effect": "empty"}
    plan = FaultPlan(0, read_rules([rule]))
    assert plan.effects_for("list", "bills", "acme", "FV-1")
    assert not plan.effects_for("create", "bills", "acme", "FV-1")
    assert not plan.effects_for("list", "payrolls", "acme", "FV-1")
    assert not plan.effects_for("list", "bills", "other", "FV-1")
    assert not plan.effects_for("list", "bills", "acme", "FV-10")


@pytest.mark.parametrize(
    "plan",
    [
        "text",
        [1],
        [{}],
        [{"effect": "explode"}],
        [{"effect": {"kind": "slow", "minutes": 1}}],
        [{"effect": {"kind": "slow", "seconds": "1"}}],
        [{"effect": {"kind": "reject", "shape": "poem"}}],
        [{"effect": "slow", "on": "dance"}],
        [{"effect": "slow", "share": 1.5}],
        [{"effect": "slow", "reference": 7}],
        [{"effect": "slow", "family": 7}],
        [{"effect": "slow", "tiems": 1}],
        [{"effect": {"kind": "reject", "rules": {"A": 1}}}],
        [{"effect": {"kind": "foreign_pending", "reference": ""}}],
        [{"effect": {"kind": "unauthorized", "revoke": "yes"}}],
        [{"effect": {"kind": "slow", "seconds": None}}],
    ],
)
async def test_plan_with_a_mistake_is_refused(api: Api, plan: Any) -> None:
    """A plan that is half understood would let a test pass that tested nothing."""
    with pytest.raises(PlanError):
        read_rules(plan)
    assert "error" in await api.control("faults", plan, status=400)


async def test_plan_of_the_configuration_comes_back_with_a_reset(start: Start) -> None:
    api = await start(faults=read_rules([{"on": "create", "effect": "error_before"}]))
    await api.control("faults", method="DELETE")
    assert (await api.create(a_bill())).status_code == 201
    await api.control("reset")
    await api.login()
    assert (await api.create(a_bill())).status_code == 500


async def test_same_seed_gives_the_same_run(start: Start) -> None:
    async def run(seed: int) -> list[tuple[int, str]]:
        api = await start(seed=seed, notice_share=0.5)
        await api.faults({"on": "create", "share": 0.4, "effect": {"kind": "pending", "polls": 1}})
        answers = []
        for number in range(30):
            response = await api.create(a_bill(f"FV-{number}"))
            answers.append((response.status_code, response.text))
            await api.create(a_bill(f"FV-{number}"))
        return answers

    assert await run(7) == await run(7)
    assert await run(7) != await run(8)


def test_every_effect_and_kind_is_named_in_the_readme() -> None:
    text = (files("sandbox") / "README.md").read_text(encoding="utf-8")
    assert [kind for kind in [*EFFECTS, *REQUEST_KINDS] if f"`{kind}`" not in text] == []


def test_plan_of_the_readme_is_a_plan() -> None:
    text = (files("sandbox") / "README.md").read_text(encoding="utf-8")
    start = text.index('    {"rules"')
    assert len(read_rules(json.loads(text[start : text.index("]}", start) + 2]))) == 4


def test_configuration_has_no_faults_by_default() -> None:
    assert SandboxConfig().faults == ()
