"""
What the profile ``observe`` runs, without containers: a real Prometheus with the files of ``deploy/``.

``make deep`` brings the program: Debian's package, unpacked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from tests.integration.ten_faults.plants import PLANTS
from tests.integration.ten_faults.running_set import RunningSet, free_port
from tests.patience import PATIENCE_S
from tests.service_processes import ROOT, until
from tests.ten_faults import FAULTS, Fault

DEPLOY: Final = ROOT / "deploy"
UNPACKED: Final = ROOT / ".tools" / "prometheus" / "usr" / "bin" / "prometheus"
PROGRAM: Final = shutil.which("prometheus") or (str(UNPACKED) if UNPACKED.exists() else "")
A_MINUTE_S: Final = 60.0
SHOWN_BLOCKED: Final = {"What is blocked", "Problems, as status tells them"}
WHILE_WELL: Final = SHOWN_BLOCKED | {
    "Age of the oldest job that waits",
    "Time until a backlog is done",
    "Consumers behind",
    "Ranges that are near their end",
}
"""Panels that are empty while nothing waits and nothing is wrong."""

pytestmark = [
    pytest.mark.deep,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not PROGRAM, reason="no Prometheus on this machine, and none was unpacked by make deep"),
]


class Watcher:
    """A Prometheus that watches the set."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(config_of(targets)), encoding="utf-8")
        options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        options += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        log = folder / "prometheus.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen([PROGRAM, *options], stdout=out, stderr=out)
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE_S, trust_env=False)
        until(self._is_ready, what=log.read_text)

    def _is_ready(self) -> bool:
        try:
            return self._client.get("/status/buildinfo").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, path: str, **query: str) -> Any:
        answer = self._client.get(path, params=query).json()
        assert answer["status"] == "success", (path, query, answer)
        return answer["data"]

    def firing(self) -> dict[str, dict[str, str]]:
        """The annotations of each alert that fires, by its name."""
        alerts = self.ask("/alerts")["alerts"]
        return {one["labels"]["alertname"]: one["annotations"] for one in alerts if one["state"] == "firing"}

    def close(self) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(timeout=PATIENCE_S)


def config_of(targets: list[str]) -> dict[str, Any]:
    """``deploy/prometheus.yml``, but for the targets, which no name server knows here, and the place of the rules."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": targets}]
    return {**config, "rule_files": [str(DEPLOY / "alerts.yaml")]}


@pytest.fixture
def watcher(running_set: RunningSet, tmp_path: Path) -> Iterator[Watcher]:
    found = Watcher(tmp_path, [f"127.0.0.1:{port}" for port in running_set.ports.values()])
    yield found
    found.close()


def test_what_deploy_has_for_prometheus_works_on_the_running_set(running_set: RunningSet, watcher: Watcher) -> None:
    """Scraped, evaluated, shown; and a fault fires within a minute, with its mend, and no more when it is mended."""
    running_set.until_validated(running_set.push_bill("worker"))
    until(lambda: not not_up(watcher), what=lambda: not_up(watcher))
    until(lambda: not not_sound(watcher), what=lambda: not_sound(watcher))
    until(lambda: empty_panels(watcher) == WHILE_WELL, what=lambda: f"nothing is shown by {empty_panels(watcher)}")
    assert watcher.firing() == {}
    (fault,) = [one for one in FAULTS if one.alert and one.account == "payment"]
    with PLANTS["payment"](running_set):
        began = time.monotonic()
        until(lambda: fault.alert in watcher.firing(), timeout_s=2 * A_MINUTE_S, what=lambda: watcher.firing())
        print(f"{fault.alert} fired after {time.monotonic() - began:.0f} s")
        tells(watcher.firing(), fault)
        assert not SHOWN_BLOCKED & empty_panels(watcher)
    until(lambda: not watcher.firing(), timeout_s=2 * A_MINUTE_S, what=lambda: watcher.firing())


def tells(firing: dict[str, dict[str, str]], fault: Fault) -> None:
    assert {*firing} <= {fault.alert, *fault.besides}, firing
    assert firing[fault.alert]["kind"] == fault.kind
    assert fault.in_english in firing[fault.alert]["mend"]


def not_up(watcher: Watcher) -> str:
    """What keeps a target from being scraped; empty when all are."""
    targets = watcher.ask("/targets", state="active")["activeTargets"]
    if len(targets) != 3:
        return f"{len(targets)} targets, not 3"
    return "; ".join(
        f"{one['scrapeUrl']}: {one['health']} {one['lastError']}" for one in targets if one["health"] != "up"
    )


def not_sound(watcher: Watcher) -> str:
    """Rules that were not evaluated, or with an error."""
    rules = [rule for group in watcher.ask("/rules")["groups"] for rule in group["rules"]]
    assert rules
    return "; ".join(
        f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}" for rule in rules if rule["health"] != "ok"
    )


def empty_panels(watcher: Watcher) -> set[str]:
    """Panels of the dashboard that show nothing."""
    panels = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))["panels"]
    asked = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels}
    return {title for title, expressions in asked.items() if not any(shown(watcher, one) for one in expressions)}


def shown(watcher: Watcher, expression: str) -> bool:
    return bool(watcher.ask("/query", query=expression.replace("$account", ".*"))["result"])
