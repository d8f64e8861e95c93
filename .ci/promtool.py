"""
What only Prometheus's own tool can say of alerts, dashboard and metrics. A part of ``make deep``.

promtool comes from PATH, or from Debian's package, unpacked into .tools without being installed. Where neither is to be
had it says so, and is no failure.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNPACKED = ROOT / ".tools" / "prometheus"


def promtool() -> str | None:
    """The tool, brought here if need be; None where it cannot be had."""
    if found := shutil.which("promtool"):
        return found
    tool = UNPACKED / "usr" / "bin" / "promtool"
    if tool.exists():
        return str(tool)
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return None
    UNPACKED.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=UNPACKED, capture_output=True)
    packages = list(UNPACKED.glob("prometheus_*.deb"))
    if done.returncode or not packages:
        return None
    subprocess.run(["dpkg", "-x", str(packages[0]), str(UNPACKED)], check=True)
    packages[0].unlink()
    return str(tool) if tool.exists() else None


def dashboard_as_rules(folder: Path) -> Path:
    """The expressions of the dashboard as recording rules: the tool knows no dashboards."""
    panels = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions)]
    path = folder / "dashboard.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    return path


def a_scrape() -> bytes:
    """Everything that is ever exposed, with names that somebody has chosen badly."""
    sys.path.insert(0, str(ROOT))
    from tests.scrapes import a_busy_snapshot, some_figures
    from worker.metrics.exposition import Scrape, text_of

    return text_of(Scrape(a_busy_snapshot(), "0.1.0", (some_figures(), 1, 64)))[0]


def main() -> int:
    tool = promtool()
    if tool is None:
        print("promtool: skipped. It is neither on PATH nor to be had as Debian's package prometheus.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rules = dashboard_as_rules(Path(folder))
        for words, given in (
            (["check", "rules", "alerts.yaml", str(rules)], None),
            (["test", "rules", "alerts_test.yaml"], None),
            (["check", "metrics"], a_scrape()),
        ):
            done = subprocess.run([tool, *words], cwd=DEPLOY, input=given, capture_output=True)
            print(f"promtool {' '.join(words[:2])}: {'ok' if done.returncode == 0 else 'failed'}")
            if done.returncode:
                print(done.stdout.decode() + done.stderr.decode())
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
