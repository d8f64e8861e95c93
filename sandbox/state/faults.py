"""
The fault plan: which requests are disturbed and how.

Reads plans from JSON, decides which rules fire for a request, and counts. It disturbs nothing itself: the gate,
the creating of documents and DIAN ask the effects that fired.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from sandbox.values.seeded_random import draw

REQUEST_KINDS: Final = frozenset(
    {
        *("any", "token", "create", "list", "show", "delete", "download", "email", "events", "accept"),
        *("upload", "emit", "add", "renumber", "toggle", "dian", "update", "logo"),
    }
)

_BEFORE: Final[dict[str, dict[str, Any]]] = {
    "slow": {"seconds": 1.0, "where": "after_store"},
    "drop_before": {},
    "error_before": {"status": 500},
    "rate_limited": {"retry_after": 5},
    "unauthorized": {"revoke": False},
    "html_403": {},
    "forbidden_version": {},
    "forbidden_product": {},
    "payment_required": {},
}
_AFTER: Final[dict[str, dict[str, Any]]] = {
    "drop_after": {},
    "error_after": {"status": 500},
    "garbage": {"status": 200, "text": "<<<not json"},
    "empty": {"status": 200},
}
_DIAN: Final[dict[str, dict[str, Any]]] = {
    "reject": {"rules": {}, "shape": "map"},
    "pending": {"polls": None, "seconds": None, "shape": "body", "status": None, "then": "validated"},
    "rule_90": {"found": "rejected"},
    "dian_down": {"seconds": 30.0},
    "foreign_pending": {"reference": "AJENO-1", "seconds": None},
}
EFFECTS: Final[dict[str, dict[str, Any]]] = _BEFORE | _AFTER | _DIAN
_CHOICES: Final = {
    ("slow", "where"): {"before_store", "after_store"},
    ("reject", "shape"): {"map", "list", "body"},
    ("pending", "shape"): {"body", "accepted"},
    ("pending", "then"): {"validated", "rejected"},
    ("rule_90", "found"): {"validated", "rejected"},
}


class PlanError(ValueError):
    """A fault plan that cannot be understood; the text says which rule and why."""


@dataclass(frozen=True, slots=True)
class Effect:
    kind: str
    given: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.given.get(name, EFFECTS[self.kind][name])


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule of a plan: what it matches, and its effect.

    A request *matches* by kind, family (or another part of the API), account, reference and attempt (how often this
    reference has been asked for in this way, from 1). Of the matching ones the first *after* are let through, those
    from *until* on too, a *share* of the rest is hit, and no more than *times* in all.
    """

    effect: Effect
    on: str = "any"
    family: str = "*"
    account: str = "*"
    reference: str = "*"
    attempt: frozenset[int] = frozenset()
    share: float = 1.0
    times: int | None = None
    after: int = 0
    until: int | None = None

    def matches(self, kind: str, family: str, account: str, reference: str, attempt: int) -> bool:
        return (
            self.on in ("any", kind)
            and (self.family == "*" or fnmatchcase(family, self.family))
            and (not self.attempt or attempt in self.attempt)
            and (self.account == "*" or fnmatchcase(account, self.account))
            and (self.reference == "*" or fnmatchcase(reference, self.reference))
        )


@dataclass(slots=True)
class _Running:
    rule: Rule
    position: int
    n_matched: int = 0
    n_fired: int = 0

    def fires(self, seed: int, kind: str, reference: str, attempt: int) -> bool:
        rule, seen = self.rule, self.n_matched
        self.n_matched += 1
        if seen < rule.after or (rule.until is not None and seen >= rule.until):
            return False
        if rule.times is not None and self.n_fired >= rule.times:
            return False
        if rule.share < 1.0 and draw(seed, self.position, kind, reference, attempt) >= rule.share:
            return False
        self.n_fired += 1
        return True


class Effects:
    """The effects that fired for one request. Of one kind, the first counts."""

    __slots__ = ("_by_kind",)

    def __init__(self, effects: Iterable[Effect] = ()) -> None:
        self._by_kind: dict[str, Effect] = {}
        for effect in effects:
            self._by_kind.setdefault(effect.kind, effect)

    def get(self, kind: str) -> Effect | None:
        return self._by_kind.get(kind)

    def __bool__(self) -> bool:
        return bool(self._by_kind)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._by_kind)


NO_EFFECTS: Final = Effects()


class FaultPlan:
    """The rules in force, with their counters."""

    def __init__(self, seed: int, rules: Iterable[Rule] = ()) -> None:
        self._seed = seed
        self._running: list[_Running] = []
        self._n_added = 0
        self._attempts: Counter[tuple[str, str, str, str]] = Counter()
        self.add(rules)

    def add(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            self._running.append(_Running(rule, self._n_added))
            self._n_added += 1

    def clear(self) -> None:
        """Drop every rule and forget the attempts, so that a plan added next starts from nothing."""
        self._running.clear()
        self._n_added = 0
        self._attempts.clear()

    def effects_for(self, kind: str, family: str, account: str, reference: str) -> Effects:
        """Count the request as one more attempt and return what hits it."""
        if not self._running:
            return NO_EFFECTS
        key = (kind, family, account, reference)
        self._attempts[key] += 1
        attempt = self._attempts[key]
        return Effects(
            running.rule.effect
            for running in self._running
            if running.rule.matches(kind, family, account, reference, attempt)
            and running.fires(self._seed, kind, reference or account, attempt)
        )

    def counts(self) -> list[dict[str, Any]]:
        return [
            {"on": r.rule.on, "effect": r.rule.effect.kind, "matched": r.n_matched, "fired": r.n_fired}
            for r in self._running
        ]


def read_rules(plan: object) -> tuple[Rule, ...]:
    """
    Rules of a plan as parsed from JSON: `{"rules": [...]}`, a bare list, or one rule.

    Raises:
        PlanError: Unknown key, kind or effect, or a value out of range.
    """
    if isinstance(plan, dict) and "rules" in plan:
        plan = plan["rules"]
    if isinstance(plan, dict):
        plan = [plan]
    if not isinstance(plan, list):
        raise PlanError("a plan is a list of rules, or an object with the key rules")
    return tuple(_read_rule(rule, position) for position, rule in enumerate(plan))


_RULE_KEYS: Final = {"on", "family", "account", "reference", "attempt", "share", "times", "after", "until", "effect"}


def _read_rule(raw: object, position: int) -> Rule:
    where = f"rule {position}"
    if not isinstance(raw, dict):
        raise PlanError(f"{where}: not an object")
    if unknown := set(raw) - _RULE_KEYS:
        raise PlanError(f"{where}: unknown keys {sorted(unknown)}")
    if "effect" not in raw:
        raise PlanError(f"{where}: no effect")
    on = raw.get("on", "any")
    if on not in REQUEST_KINDS:
        raise PlanError(f"{where}: on is {on!r}, not one of {sorted(REQUEST_KINDS)}")
    return Rule(
        effect=_read_effect(raw["effect"], where),
        on=on,
        family=_text(raw, "family", where),
        account=_text(raw, "account", where),
        reference=_text(raw, "reference", where),
        attempt=_attempts(raw.get("attempt"), where),
        share=_share(raw.get("share", 1.0), where),
        times=_count(raw.get("times"), "times", where),
        after=_count(raw.get("after"), "after", where) or 0,
        until=_count(raw.get("until"), "until", where),
    )


def _read_effect(raw: object, where: str) -> Effect:
    given = {"kind": raw} if isinstance(raw, str) else raw
    if not isinstance(given, dict) or given.get("kind") not in EFFECTS:
        raise PlanError(f"{where}: effect is none of {sorted(EFFECTS)}")
    kind = given["kind"]
    values = {name: value for name, value in given.items() if name != "kind"}
    for name, value in values.items():
        if name not in EFFECTS[kind]:
            raise PlanError(f"{where}: {kind} has no {name!r}")
        _check_value(kind, name, value, where)
    return Effect(kind, values)


def _check_value(kind: str, name: str, value: object, where: str) -> None:
    """A value must be of the type of its default; a default of None stands for a number."""
    default, choices = EFFECTS[kind][name], _CHOICES.get((kind, name))
    if choices is not None:
        if not isinstance(value, str) or value not in choices:
            raise PlanError(f"{where}: {name} of {kind} is none of {sorted(choices)}")
    elif isinstance(default, bool):
        if not isinstance(value, bool):
            raise PlanError(f"{where}: {name} of {kind} is not true or false")
    elif isinstance(default, str):
        if not isinstance(value, str) or not value:
            raise PlanError(f"{where}: {name} of {kind} is not a text")
    elif isinstance(default, dict):
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise PlanError(f"{where}: {name} of {kind} is not a map of texts")
    elif value is not None or default is not None:
        _number(value, name, where)


def _text(raw: dict[str, Any], name: str, where: str) -> str:
    value = raw.get(name, "*")
    if not isinstance(value, str):
        raise PlanError(f"{where}: {name} is not a text")
    return value


def _number(value: object, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise PlanError(f"{where}: {name} is not a number from 0 up")
    return value


def _count(value: object, name: str, where: str) -> int | None:
    return None if value is None else int(_number(value, name, where))


def _share(value: object, where: str) -> float:
    share = _number(value, "share", where)
    if share > 1:
        raise PlanError(f"{where}: share is above 1")
    return share


def _attempts(value: object, where: str) -> frozenset[int]:
    if value is None:
        return frozenset()
    values = value if isinstance(value, list) else [value]
    return frozenset(int(_number(item, "attempt", where)) for item in values)
