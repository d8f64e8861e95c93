"""From what was read to series: their names, their bounds, and what a hostile name can do."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from jobs.event_counts import OUTCOMES
from jobs.families import FAMILIES
from tests.library_text import library_text_of
from tests.scrapes import HOSTILE, a_busy_account, a_busy_snapshot, a_lane, some_figures
from worker.figures import Figures
from worker.metrics import catalog, samples
from worker.metrics.exposition import Scrape, _figure, text_of
from worker.metrics.snapshot import AccountState, LaneState, RangeState, Snapshot

ROOT = Path(__file__).resolve().parents[4]
PROMISED = {
    "factus_jobs_total": ("type", "outcome"),
    "factus_lane_jobs": ("account", "lane", "state"),
    "factus_lane_oldest_timestamp_seconds": ("account", "lane"),
    "factus_lane_done_timestamp_seconds": ("account", "lane"),
    "factus_lane_blocked": ("account", "family", "reason"),
    "factus_allowance_used": ("account",),
    "factus_allowance_limit": ("account",),
    "factus_token_expires_timestamp_seconds": ("account",),
    "factus_jobs_at_risk": (),
    "factus_dead_letters": (),
    "factus_consumer_lag": ("stream", "group"),
    "factus_webhook_waiting": ("endpoint",),
    "factus_range_remaining": ("account", "family", "prefix"),
    "factus_range_expires_timestamp_seconds": ("account", "family", "prefix"),
    "factus_problems": ("kind", "severity"),
    "factus_workers": ("state",),
    "factus_range_ending": ("account", "family", "prefix"),
    "factus_build_info": ("version",),
    "factus_worker_calls_total": ("operation", "outcome"),
    "factus_worker_call_duration_seconds": ("operation",),
    "factus_worker_throttled_total": (),
    "factus_worker_conflicts_total": ("cause",),
    "factus_worker_repairs_total": (),
    "factus_worker_slots_busy": (),
    "factus_worker_slots": (),
}
"""docs/contract.md, section 12."""


def scraped(seen: Snapshot, figures: Figures | None = None, *, accounts: bool = True) -> dict[str, list]:
    """The samples by name, as a program reads them."""
    worker = (figures or Figures(), 3, 64)
    text = text_of(Scrape(seen, "0.1.0", worker, accounts=accounts))[0].decode()
    found: dict[str, list] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def plain(found: dict[str, list]) -> list:
    """The samples that are no part of a histogram."""
    return [one for name, some in found.items() if not name.startswith(catalog.DURATION.name) for one in some]


ACCEPTS = [
    "", "text/plain", "*/*", "text/plain; version=1.0.0; escaping=allow-utf-8", "application/openmetrics-text",
    "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,text/plain;version=0.0.4;q=0.2",
]  # fmt: skip


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("accounts", [True, False])
def test_it_is_what_the_library_of_prometheus_writes_to_the_byte(accept, accounts):
    busy = a_busy_snapshot()
    plain_one = Snapshot(accounts=(AccountState(HOSTILE, (LaneState("invoice", 10**7),), n_used=0, limit=10**16),))
    for seen in (busy, plain_one, Snapshot(), Snapshot("redis.unavailable", is_read=False)):
        for worker in (None, (some_figures(), 3, 64), (Figures(), 0, 0)):
            scrape = Scrape(seen, 'v"1\\', worker, accounts=accounts)
            assert text_of(scrape, accept) == library_text_of(scrape, accept)


@given(st.floats() | st.integers())
def test_every_figure_is_written_as_the_library_does(value):
    assert _figure(value) == floatToGoString(value)


def test_the_names_and_labels_are_those_of_the_contract():
    assert {one.name: one.labels for one in catalog.METRICS} == PROMISED


def test_each_metric_has_help_unit_and_kind():
    text = text_of(Scrape(a_busy_snapshot(), "0.1.0", (some_figures(), 1, 64)))[0].decode()
    for one in catalog.METRICS:
        assert f"# HELP {one.name} {one.help}\n" in text
        assert f"# TYPE {one.name} {one.kind}\n" in text
        assert (one.unit == "seconds") == ("_seconds" in one.name)
        assert one.name.endswith("_total") == (one.kind == "counter")
    assert "_created" not in text


@pytest.mark.parametrize("n_accounts", [1, 10, 40])
def test_the_number_of_series_is_bounded_whatever_there_is(n_accounts):
    found = plain(scraped(a_busy_snapshot(n_accounts), some_figures()))
    each = Counter(one.labels.get("account", "") for one in found)
    assert each.pop("") <= catalog.MOST_SERIES
    assert len(each) == n_accounts
    assert set(each.values()) == {catalog.MOST_OF_ACCOUNT}


def test_without_accounts_no_label_has_one_and_they_are_summed():
    seen = a_busy_snapshot(10)
    found = scraped(seen, accounts=False)
    assert not [one for one in plain(found) if "account" in one.labels]
    assert len(plain(found)) <= catalog.MOST_SERIES + catalog.MOST_OF_ACCOUNT
    assert found["factus_allowance_limit"][0].value == 800
    waiting = [one.value for one in found["factus_lane_jobs"] if one.labels["state"] == "waiting"]
    assert sum(waiting) == 10 * sum(lane.n_waiting for lane in a_busy_account().lanes)


def test_no_series_stands_twice():
    for accounts in (True, False):
        every = [
            (one.name, *sorted(one.labels.items())) for one in plain(scraped(a_busy_snapshot(), accounts=accounts))
        ]
        assert len(every) == len(set(every))


def test_what_ended_is_complete_however_little_of_it_is_shown():
    seen = a_busy_snapshot()
    shown = scraped(seen)["factus_jobs_total"]
    for outcome in OUTCOMES:
        counted = sum(n for (_, one), n in seen.counts.items() if one == outcome)
        assert sum(one.value for one in shown if one.labels["outcome"] == outcome) == counted


def test_a_type_stays_where_it_is_while_others_come():
    """What moved into `other` and back would look like a counter that was set back."""
    few = scraped(Snapshot(counts={("invoice.get", "completed"): 3}))["factus_jobs_total"]
    assert {(one.labels["type"], one.labels["outcome"]): one.value for one in few} == {
        ("invoice.issue", "validated"): 0, ("invoice.issue", "rejected"): 0, ("invoice.issue", "failed"): 0,
        ("invoice.issue", "refused"): 0, ("invoice.get", "completed"): 3,
    }  # fmt: skip


def test_hostile_names_are_read_back_as_one_bounded_label():
    accounts = (
        AccountState(HOSTILE, (LaneState(HOSTILE, 2),), HOSTILE, 1, 80, ranges=(RangeState("other", HOSTILE),)),
    )
    found = scraped(Snapshot(accounts=accounts, hooks={HOSTILE: 1}))
    labels = [value for one in plain(found) for value in one.labels.values()]
    assert max(map(len, labels)) <= 64
    assert all(value.isprintable() for value in labels)
    assert {one.labels["lane"] for one in found["factus_lane_jobs"]} == {"other"}
    assert {one.labels["reason"] for one in found["factus_lane_blocked"]} == {"other"}
    assert found["factus_webhook_waiting"][0].labels["endpoint"].startswith('a"b\\c?d{e="f"}xxx')


def test_lanes_without_room_are_one_and_nothing_of_them_is_lost():
    account = a_busy_account()
    shown = [one for one in samples.of_account(account) if one.metric is catalog.LANE_JOBS]
    assert sum(one.value for one in shown) == sum(lane.n_open for lane in account.lanes)
    assert shown[-1].labels[1] == "other"


@pytest.mark.parametrize(
    ("lane", "there"),
    [
        (LaneState("invoice"), {("invoice", "waiting"): 0, ("invoice", "delayed"): 0, ("invoice", "in_flight"): 0}),
        (a_lane("payroll"), {("payroll", "waiting"): 3, ("payroll", "delayed"): 4, ("payroll", "in_flight"): 1}),
        (
            LaneState("calls", n_delayed=2),
            {("calls", "waiting"): 0, ("calls", "delayed"): 2, ("calls", "in_flight"): 0},
        ),
    ],
)
def test_a_lane_shows_its_zeros_where_there_is_room(lane, there):
    found = scraped(Snapshot(accounts=(AccountState("acme", (lane,)),)))["factus_lane_jobs"]
    assert {(one.labels["lane"], one.labels["state"]): one.value for one in found} == there


def test_the_range_that_is_nearest_its_end_is_always_shown():
    """And of two more that they end: of fifty that do, on one account, whoever mends three sees the next."""
    found = list(samples.of_account(a_busy_account()))
    left = [one for one in found if one.metric is catalog.RANGE_LEFT]
    assert (left[0].labels, left[0].value) == (("acme", "invoice", "P1"), 1)
    ending = [one for one in found if one.metric is catalog.RANGE_ENDING]
    assert [one.labels[2] for one in ending] == ["P1", "P3", "P5"]
    assert len(found) <= catalog.MOST_OF_ACCOUNT


def test_where_redis_is_away_only_that_and_the_process_is_told():
    found = scraped(Snapshot("redis.unavailable", is_read=False), some_figures())
    told = {name for name in found if not name.startswith("factus_worker_")}
    assert told == {"factus_lane_blocked", "factus_build_info"}
    assert found["factus_lane_blocked"][0].labels["reason"] == "redis.unavailable"
    assert found["factus_worker_calls_total"]


def test_the_histogram_counts_each_call_once():
    found = scraped(Snapshot(), some_figures())
    counts = {one.labels["operation"]: one.value for one in found["factus_worker_call_duration_seconds_count"]}
    assert set(counts.values()) == {6.0}
    buckets = [
        (float(one.labels["le"]), one.value)
        for one in found["factus_worker_call_duration_seconds_bucket"]
        if one.labels["operation"] == "create"
    ]
    assert [n for le, n in sorted(buckets)] == [0, 0, 0, *[6] * 9]


def test_openmetrics_is_spoken_to_who_asks_for_it():
    body, content_type = text_of(Scrape(a_busy_snapshot(), "0.1.0"), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert b"# UNIT factus_lane_oldest_timestamp_seconds seconds\n" in body


class TestWhatIsDeployed:
    """Alerts and dashboard, as far as can be said without promtool; `make deep` asks it."""

    def names_in(self, text: str) -> set[str]:
        return set(re.findall(r"\bfactus_[a-z_]+\b", text))

    def known(self) -> set[str]:
        return {one.name for one in catalog.METRICS} | {f"{catalog.DURATION.name}_bucket"}

    def test_alerts_are_well_formed_and_use_names_that_there_are(self):
        (group,) = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"]
        assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) >= 12
        for rule in group["rules"]:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"].keys() == {"severity"}
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert rule["annotations"].keys() == {"kind", "summary", "mend", "runbook"}
            assert re.fullmatch(r"\d+[smh]", rule["for"])
            assert self.names_in(rule["expr"]) <= self.known(), rule["alert"]
            assert self.names_in(rule["expr"]) or "up{" in rule["expr"]

    def test_each_alert_has_a_test_and_a_row_in_the_runbook(self):
        (group,) = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"]
        tested = yaml.safe_load((ROOT / "deploy" / "alerts_test.yaml").read_text())["tests"]
        fires = {one["alertname"] for test in tested for one in test["alert_rule_test"] if one["exp_alerts"]}
        silent = {one["alertname"] for test in tested for one in test["alert_rule_test"] if not one["exp_alerts"]}
        told = (ROOT / "docs" / "operations.md").read_text()
        assert "\n## Alerts\n" in told
        for rule in group["rules"]:
            assert rule["alert"] in fires & silent
            assert f"`{rule['alert']}`" in told

    def test_each_metric_stands_in_the_table_with_its_own_words(self):
        told = (ROOT / "docs" / "operations.md").read_text()
        rows = [f"| `{one.name}` | {one.kind} | {', '.join(one.labels)} | {one.help} |" for one in catalog.METRICS]
        assert [row for row in rows if row not in told] == []
        assert sorted(re.findall(r"^\| `(factus_\w+)` \|", told, re.MULTILINE)) == sorted(
            one.name for one in catalog.METRICS
        )

    def test_reasons_in_alerts_are_reasons_that_there_are(self):
        text = (ROOT / "deploy" / "alerts.yaml").read_text()
        for reason in re.findall(r'reason="([^"]+)"', text):
            assert reason.startswith("redis.") or samples._reason(reason) == reason

    def test_the_dashboard_uses_names_that_there_are(self):
        board = json.loads((ROOT / "deploy" / "grafana.json").read_text())
        expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        used = set().union(*(self.names_in(text) for text in expressions))
        assert used <= self.known()
        shown = {name.removesuffix("_bucket") for name in used}
        assert shown == {one.name for one in catalog.METRICS}, "each metric has its panel"
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))


def test_families_are_the_lanes_that_are_known():
    assert all(samples._queue(family) == family for family in (*FAMILIES, "calls", "control"))
