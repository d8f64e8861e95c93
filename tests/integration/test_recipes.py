"""The recipes of docs/try-failures.md, played as they stand: what the page promises is what comes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.families import FAMILY_CASES
from tests.integration.service import TestedAccount

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "try-failures.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"(?ms)^## \d\. (.*?)\n(.*?)(?=^## )", PAGE))
PROMISED = {
    "The DIAN rejects": (["invoice.rejected"], 1),
    "The DIAN is silent": (["invoice.pending", "invoice.validated"], None),
    "Factus is down": (["invoice.validated"], None),
    "Too many requests": (["invoice.validated"], 1),
    "The answer is lost": (["invoice.validated"], 1),
}


def fault_of(recipe: str) -> dict[str, Any]:
    (plan,) = re.findall(r"_sandbox/faults -d '(.*)'", RECIPES[recipe])
    (rule,) = json.loads(plan)["rules"]
    # A test has less patience than a person.
    effect = rule["effect"]
    if isinstance(effect, dict):
        effect |= {name: 1 for name in ("seconds", "retry_after") if name in effect}
    return dict(rule)


def test_there_are_five() -> None:
    assert [*RECIPES] == [*PROMISED]


@pytest.mark.parametrize("recipe", PROMISED)
def test_a_recipe_keeps_its_word(tenant: TestedAccount, recipe: str) -> None:
    rule = fault_of(recipe)
    tenant.fault(rule.pop("effect"), **rule)
    paper = FAMILY_CASES["invoice"]
    job = tenant.push("invoice.issue", paper.body(tenant))
    final = tenant.end_of(job)
    story, attempts = PROMISED[recipe]
    assert tenant.story_of(job) == story
    assert attempts in (None, final["attempts"])
    for event_type in story:
        assert f"`{event_type}`" in RECIPES[recipe]
    report = tenant.http.get("/_sandbox/report").json()
    assert report["totals"]["duplicate_references"] == 0
    assert sum(fired["fired"] for fired in report["faults"]) >= 1, report["faults"]
    if recipe == "The DIAN rejects":
        (error,) = final["errors"]
        assert (error["code"], error["rule"]) == ("dian.rejected", "FAK24")
        assert tenant.documents("bills") == []
