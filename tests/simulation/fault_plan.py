"""
Fault plans for the sandbox, drawn from a seed. At least one create in ten loses its answer after it was committed.
"""

from __future__ import annotations

import random
from typing import Any

Rule = dict[str, Any]

_ASKED = ("download", "events", "email", "accept", "emit", "toggle")
"""What is asked of Factus beside issuing."""


def _rule(on: str, share: float, kind: str, *, times: int | None = None, **values: Any) -> Rule:
    rule: Rule = {"on": on, "share": round(share, 4), "effect": {"kind": kind, **values}}
    return rule | ({"times": times} if times is not None else {})


def _first_only(rule: Rule) -> Rule:
    """Only at the first create of a reference: rule 90 about a document that waits for DIAN makes no sense."""
    return rule | {"attempt": 1}


def _kept(head: str, chance: random.Random) -> list[Rule]:
    """Documents whose reference begins with *head* are rejected, always."""
    shape = chance.choice(["map", "list", "body"])
    return [_rule("create", 1.0, "reject", shape=shape) | {"reference": f"*{head}-*"}] if head else []


def _on_calls(share: float, late_s: float) -> list[Rule]:
    """What happens to calls: answers lost before and after the deed, late, or unreadable."""
    return [
        *(
            _rule(on, share, kind)
            for on in _ASKED
            for kind in ("drop_before", "drop_after", "drop_after", "error_before", "error_after", "garbage", "empty")
        ),
        *(_rule(on, share, "slow", seconds=late_s) for on in _ASKED),
    ]


def _late_deletes(timeout_s: float) -> list[Rule]:
    """A DELETE that arrives long after it was given up: it takes whatever bears the reference by then, DIAN or not."""
    return [
        _rule("create", 0.5, "reject", shape="map") | {"attempt": 1},
        _rule("create", 0.7, "pending", polls=4, shape="body") | {"attempt": 2},
        _rule("delete", 0.6, "slow", seconds=3 * timeout_s, where="before_store"),
    ]


def quick_plan(chance: random.Random, timeout_s: float, *, kept: str = "") -> list[Rule]:
    """
    A stormy plan for a dozen jobs: the lost answers always, and some of everything else.

    Args:
        kept: What the references of documents begin with that are always rejected.
    """
    late_s = timeout_s * 1.5
    rules = [_rule("create", chance.uniform(0.1, 0.3), "drop_after")]
    some = [
        *(
            _rule("create", share, kind)
            for kind in ("drop_before", "error_before", "error_after", "garbage", "empty")
            for share in (0.08,)
        ),
        _rule("create", 0.1, "slow", seconds=late_s, where="before_store"),
        _rule("create", 0.1, "slow", seconds=late_s, where="after_store"),
        _rule("create", 0.3, "slow", seconds=timeout_s / 4, where="before_store"),
        _rule("create", 0.1, "rate_limited", times=2, retry_after=1),
        _rule("any", 0.03, "rate_limited", times=2, retry_after=1),
        _rule("create", 0.1, "unauthorized", times=2, revoke=True),
        _rule("any", 0.05, "unauthorized", times=2),
        *(_rule("create", 0.12, "reject", shape=shape) for shape in ("map", "list", "body")),
        _rule("create", 0.12, "reject", shape="map", rules={"FAK24": "sin DV", "FAJ44b": "NIT no autorizado"}),
        *(
            _rule("create", 0.1, "pending", polls=chance.randint(1, 3), shape=shape, then=then)
            for shape in ("body", "accepted")
            for then in ("validated", "rejected")
        ),
        _rule("create", 0.12, "pending", seconds=chance.uniform(0.3, 3), shape=chance.choice(["body", "accepted"])),
        _first_only(_rule("create", 0.08, "rule_90", found="validated")),
        _first_only(_rule("create", 0.05, "rule_90", found="rejected", times=1)),
        _rule("create", 0.08, "foreign_pending", times=1, reference="AJENO-1", seconds=chance.uniform(0.5, 5)),
        _rule("create", 0.08, "dian_down", times=1, seconds=chance.uniform(0.5, 4)),
        _rule("create", 0.08, "html_403", times=1),
        _rule("any", 0.02, "html_403", times=1),
        _rule("create", 0.06, "payment_required", times=1),
        _rule("create", 0.06, "forbidden_product", times=1),
        _rule("any", 0.02, "forbidden_version", times=1),
        *(
            _rule(on, 0.15, kind)
            for on in ("list", "show", "delete")
            for kind in ("drop_before", "drop_after", "error_before", "error_after", "garbage", "empty")
        ),
        _rule("list", 0.1, "slow", seconds=late_s),
        _rule("delete", 0.2, "slow", seconds=late_s),
        *(_rule("token", 0.4, kind, times=2) for kind in ("drop_before", "drop_after", "error_before", "garbage")),
    ]
    rules += chance.sample(some, chance.randint(4, 12))
    rules += _late_deletes(timeout_s) if chance.random() < 0.3 else []
    rules += chance.sample(_on_calls(0.4, late_s), chance.randint(3, 12))
    return rules + _kept(kept, chance)


def full_plan(chance: random.Random, timeout_s: float, *, kept: str = "") -> list[Rule]:
    """Lasting weather for thousands of jobs: everything at once, each so rare that the work goes on."""
    late_s = timeout_s * 1.5
    return [
        _rule("create", chance.uniform(0.13, 0.16), "drop_after"),
        _rule("create", 0.01, "drop_before"),
        _rule("create", 0.01, "error_before", status=503),
        _rule("create", 0.01, "error_after"),
        _rule("create", 0.005, "garbage"),
        _rule("create", 0.005, "empty"),
        _rule("create", 0.001, "slow", seconds=late_s, where="before_store"),
        _rule("create", 0.001, "slow", seconds=late_s, where="after_store"),
        _rule("create", 0.02, "slow", seconds=0.2, where="before_store"),
        _rule("create", 0.001, "rate_limited", retry_after=1),
        _rule("any", 0.0005, "unauthorized", revoke=True),
        *(_rule("create", 0.01, "reject", shape=shape) for shape in ("map", "list", "body")),
        *(
            _rule("create", 0.003, "pending", polls=2, shape=shape, then=then)
            for shape in ("body", "accepted")
            for then in ("validated", "rejected")
        ),
        _first_only(_rule("create", 0.002, "rule_90", found="validated")),
        _first_only(_rule("create", 0.0005, "rule_90", found="rejected", times=12)),
        _rule("create", 0.0008, "foreign_pending", reference="AJENO-1", seconds=2.0, times=1),
        _rule("create", 0.0008, "foreign_pending", reference="AJENO-2", seconds=2.0, times=1),
        _rule("create", 0.0003, "dian_down", seconds=3.0, times=4),
        _rule("delete", 0.02, "slow", seconds=late_s, where="before_store"),
        *_on_calls(0.02, late_s),
        *(
            _rule(on, 0.02, kind)
            for on in ("list", "show", "delete")
            for kind in ("drop_after", "error_before", "garbage")
        ),
        _rule("token", 0.05, "error_before"),
        *_kept(kept, chance),
    ]
