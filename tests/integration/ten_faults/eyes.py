"""The five eyes on the running set: ``status``, ``doctor``, the page, the metrics and the alert; what each misses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from html import unescape
from typing import Final

from tests.alert_rules import Vector, firing, scraped, standing
from tests.integration.ten_faults.running_set import RunningSet
from tests.ten_faults import Fault

Eye = Callable[[RunningSet, Fault], str]
"""What is not as it should be while the fault lasts; empty when all is well told."""


def has(text: str, *words: str) -> list[str]:
    """Which of the words are missing. Lines may be broken, and a first letter may have become a capital."""
    line = " ".join(text.split())
    return [word for word in words if word[1:] not in line]


def in_status(at: RunningSet, fault: Fault) -> str:
    shown, found = at.typed("status"), at.typed("status", "--json")
    if shown.status != 1 or has(shown.out, fault.cause, fault.mend):
        return shown.out
    told = [one for one in json.loads(found.out)["problems"] if one["id"] == fault.kind]
    is_told = any(not has(f"{one['message']} {one['mend']}", fault.cause, fault.mend) for one in told)
    return "" if is_told else f"problems: {told}"


def in_doctor(at: RunningSet, fault: Fault) -> str:
    options = [*(["--calls"] if fault.calls else []), *(["--account", fault.account] if fault.account else [])]
    checks = json.loads(at.typed("doctor", "--json", *options).out)["checks"]
    told = [one for one in checks if one["id"] == fault.check and one["status"] in ("warning", "failure")]
    is_told = any(not has(f"{one['found']} {one['mend']}", fault.cause, fault.mend) for one in told)
    return "" if is_told else f"checks: {[one for one in checks if one['id'] == fault.check]}"


def cards(at: RunningSet) -> list[tuple[str, str]]:
    """Kind and text of what needs a person, as the page has it."""
    answer = at.page.get("/")
    assert answer.status_code == 200, answer.text
    found = re.findall(r'<li class="card [^"]*" data-kind="([^"]+)">(.*?)</li>', answer.text, re.DOTALL)
    return [(kind, " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())) for kind, html in found]


def on_the_page(at: RunningSet, fault: Fault) -> str:
    shown = cards(at)
    is_told = any(kind == fault.kind and not has(text, fault.cause, fault.mend) for kind, text in shown)
    return "" if is_told else f"cards: {shown}"


def scrapes(at: RunningSet) -> list[Vector]:
    """What Prometheus would have of all processes."""
    return [scraped(at.scrape(name), instance=name) for name in at.processes]


def series_of(text: str) -> set[tuple[str, str]]:
    name, _, matchers = text.rstrip("}").partition("{")
    return {("__name__", name), *re.findall(r'(\w+)="([^"]*)"', matchers)}


def in_the_metrics(at: RunningSet, fault: Fault) -> str:
    """Every process that is there tells the same; the one that died has gone."""
    wanted = series_of(fault.series)
    for name, vector in zip(at.processes, scrapes(at), strict=True):
        if at.processes[name].poll() is not None:
            continue
        kinds = {dict(one)["kind"] for one in vector if ("__name__", "factus_problems") in one}
        if fault.kind not in kinds:
            return f"{name}: kinds {kinds}"
        if not any(wanted <= one for one in vector):
            return f"{name}: no {fault.series}"
    return ""


def in_the_alert(at: RunningSet, fault: Fault) -> str:
    """After what it sees has stood for as long as each alert waits. Who has ended has left the list of targets."""
    now_s = time.time()
    there = [scraped(at.scrape(name), instance=name) for name, one in at.processes.items() if one.poll() is None]
    found = firing(standing(there, now_s), now_s)
    told = [one for one in found if one.name == fault.alert]
    if not told or has(told[0].annotations["mend"], fault.in_english):
        return f"alerts: {[(one.name, one.annotations) for one in found]}"
    if fault.kind not in told[0].annotations["kind"]:
        return f"kind: {told[0].annotations}"
    others = {one.name for one in found} - {fault.alert} - fault.besides
    return f"and {others}" if others else ""


EYES: Final[dict[str, Eye]] = {
    "status": in_status, "doctor": in_doctor, "the page": on_the_page, "the metrics": in_the_metrics,
    "the alert": in_the_alert,
}  # fmt: skip


def what_is_left(at: RunningSet) -> list[str]:
    """What is told of a set on which no fault is planted."""
    now_s = time.time()
    status = {one["id"] for one in json.loads(at.typed("status", "--json").out)["problems"]}
    doctor = [one for one in json.loads(at.typed("doctor", "--json").out)["checks"] if one["status"] == "failure"]
    metrics = {dict(one)["kind"] for vector in scrapes(at) for one in vector if ("__name__", "factus_problems") in one}
    page = {kind for kind, _ in cards(at)}
    alerts = {one.name for one in firing(standing(scrapes(at), now_s), now_s)}
    told = status | metrics | page | (alerts - {"FactusWorkerLost"})
    return [*sorted(told), *(f"{one['id']}: {one['found']}" for one in doctor)]
