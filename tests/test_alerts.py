"""The alerts of ``deploy/``: what they say is what ``status`` says, as soon as it does; and that each of them fires."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.alert_rules import NAME, History, Rule, Vector, rules, seconds, table
from worker.doctor.checks import IDS
from worker.metrics.problem_facts import LOST_MS
from worker.process import HEARTBEAT_LIFE_MS
from worker.queue.consumer_lag import LAGGING_SHARE, STALE_MS
from worker.speech import ENGLISH
from worker.status.causes import NEEDS_A_PERSON, mend
from worker.status.facts import Hold
from worker.status.problem import KINDS
from worker.status.problems import PATIENCE_MS
from worker.store.refusals import mend_of

ROOT = Path(__file__).resolve().parents[1]
_TESTS = yaml.safe_load((ROOT / "deploy" / "alerts_test.yaml").read_text(encoding="utf-8"))
BY_NAME = {rule.name: rule for rule in rules()}
AT_ONCE_S = 30.0
"""What status tells at once fires after so long at most: with a scrape and an evaluation each 15 s, within a minute."""

_REASON = re.compile(r'reason="([a-z._]+)"')


# -- as promtool does --------------------------------------------------------------------------------------------------
def values_of(text: str) -> Iterator[float | None]:
    """``1x3`` four times 1; ``_x3`` nothing for three."""
    for part in text.split():
        value, _, n = part.partition("x")
        yield from [None if value == "_" else float(value)] * (int(n) + (value != "_"))


def history_of(test: dict[str, Any]) -> History:
    history, series = History(), []
    for row in test["input_series"]:
        name, _, matchers = row["series"].rstrip("}").partition("{")
        labels = frozenset({(NAME, name), *re.findall(r'(\w+)="([^"]*)"', matchers)})
        series.append((labels, [*values_of(row["values"])]))
    for n in range(max(len(values) for _, values in series)):
        found: Vector = {labels: values[n] for labels, values in series if n < len(values) and values[n] is not None}  # type: ignore[misc]
        history.add(n * 60.0, found)
    return history


@pytest.mark.parametrize("test", _TESTS["tests"], ids=lambda test: test["name"])
def test_what_fires_is_what_promtool_is_told_to_expect(test: dict[str, Any]) -> None:
    history = history_of(test)
    for one in test["alert_rule_test"]:
        found = BY_NAME[one["alertname"]].firing(history, seconds(one["eval_time"]))
        told = [{"exp_labels": each.labels, "exp_annotations": each.annotations} for each in found]
        assert told == one["exp_alerts"], one["alertname"]


def test_what_has_not_lasted_does_not_fire() -> None:
    for test in _TESTS["tests"]:
        for one in test["alert_rule_test"]:
            rule = BY_NAME[one["alertname"]]
            if one["exp_alerts"] and rule.for_s > 60:
                history = history_of(test)
                assert not rule.firing(History(history.scrapes[:3]), 120.0), rule.name


def test_every_problem_of_status_has_a_case() -> None:
    """One that promtool runs too: an alert for each of its series, or one of another metric that names the kind."""
    told: set[str] = set()
    for test in _TESTS["tests"]:
        for one in test["alert_rule_test"]:
            for alert in one["exp_alerts"]:
                kind = alert["exp_labels"].get("kind")
                told |= {kind} if kind else {*BY_NAME[one["alertname"]].kinds}
    assert KINDS.keys() - told == set()


# -- the same words ----------------------------------------------------------------------------------------------------
def test_every_alert_names_what_status_or_doctor_call_it() -> None:
    known = {*KINDS, *IDS, "day.at_risk", "-", "*"}
    for rule in rules():
        assert set(rule.kinds) <= known, rule.name


def test_every_problem_of_status_has_an_alert() -> None:
    """Those that none names are told by their id."""
    named = {kind for rule in rules() for kind in rule.kinds}
    rest = (BY_NAME["FactusProblem"], BY_NAME["FactusNotice"])
    for kind in KINDS:
        labels = {(NAME, "factus_problems"), ("kind", kind), ("severity", KINDS[kind].severity)}
        history = History([(n * 15.0, {frozenset(labels): 1.0}) for n in range(5)])
        told = [one for rule in rest for one in rule.firing(history, 60.0)]
        assert len(told) == (kind not in named or kind.startswith("letters.")), kind


def reasons(rule: Rule) -> list[str]:
    return [one for one in _REASON.findall(rule.expr) if not one.startswith("redis.")]


_ONE: Final = "start one: factus-worker run"
_GROUP: Final = "start the consumer, or raise FACTUS_RESULTS_MAXLEN; a group that nobody uses: XGROUP DESTROY"
_SAID: Final = {
    "FactusNobodyThere": _ONE,
    "FactusNoWorker": _ONE,
    "FactusRedisDown": "see that Redis runs, the network to it, and FACTUS_REDIS_URL; work goes on by itself when it "
    "answers",
    "FactusConsumerLost": _GROUP,
    "FactusConsumerLagging": _GROUP,
    "FactusWebhookFailing": "mend the receiver and try it: factus-worker webhooks test NAME",
    "FactusNobodyDelivers": "start one: factus-worker webhooks; what is not delivered is delivered then",
    "FactusWebhookBehind": "start another process factus-worker webhooks, or raise the endpoint's concurrency",
    "FactusRangeEnds": "ask for another numbering authorization in DIAN's MUISCA, tie it to the software, and "
    "create it at Factus (numbering_range.create)",
    "FactusDeadLetters": "factus-worker dead list; mend the cause, then dead retry, or dead drop",
}
"""Mends that stand in the code where the problem is found."""


def test_the_mend_is_that_of_status() -> None:
    """Word by word, with the account's name in its place."""
    account = "{{ $labels.account }}"
    wanted = {rule.name: mend(Hold(reasons(rule)[0], 0), account, ENGLISH) for rule in rules() if reasons(rule)}
    assert len(wanted) == 5
    wanted["FactusUnavailable"] = mend(Hold("factus.unavailable", 0), account, ENGLISH)
    wanted["FactusDiskFull"] = mend_of("MISCONF")
    words = {"read_only": "READONLY", "memory": "OOM", "replicas": "NOREPLICAS", "loading": "LOADING"}
    wanted["FactusRedisRefusesWrites"] = "; ".join(f"{name}: {mend_of(word)}" for name, word in words.items())
    for name, said in (wanted | _SAID).items():
        assert BY_NAME[name].annotations["mend"].startswith(said), name


def test_those_mends_are_still_said() -> None:
    """By ``status`` or ``doctor``; a name stands where the alert has NAME."""
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "worker").rglob("*.py")))
    code = re.sub(r'"\s*\n\s*f?"', "", code).replace("{one.name}", "NAME")
    assert [name for name, said in _SAID.items() if said not in code] == []


def test_it_fires_as_soon_as_status_tells_it_and_as_loud() -> None:
    for rule in rules():
        if rule.kinds in (("-",), ("*",), ("workers",), ("letters.operator",)):
            continue
        waits = any(one not in NEEDS_A_PERSON for one in reasons(rule)) or rule.name in (
            "FactusUnavailable",
            "FactusHeld",
        )
        if waits:
            assert rule.for_s == PATIENCE_MS / 1000, rule.name
        else:
            assert rule.for_s <= AT_ONCE_S, rule.name
            kinds = [KINDS[kind].severity for kind in rule.kinds if kind in KINDS]
            wanted = "critical" if "failure" in kinds or not kinds else "warning"
            assert rule.severity == wanted or kinds == ["warning", "warning"], rule.name


def test_the_table_of_the_page_is_that_of_the_file() -> None:
    """``python -m tests.alert_rules`` writes it."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page


def test_the_thresholds_of_the_page_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for words in (
        f"a delivery that is due | after {PATIENCE_MS // 60_000} min |",
        f"| after {HEARTBEAT_LIFE_MS // 1000} s; one that ended without a goodbye for {LOST_MS // 60_000} min |",
        f"| from {LAGGING_SHARE:.0%} of `FACTUS_RESULTS_MAXLEN`, or with entries not acknowledged for "
        f"{STALE_MS // 3_600_000} h |".replace("80%", "80 %"),
    ):
        assert words in page
