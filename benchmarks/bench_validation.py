"""
What does the check before a call catch, and what does it cost?

Three questions: which of the refusals that the reference of Factus lists are caught before a call; how long one payload
of 1, 10 and 500 lines takes; how many lines of code a family is.

The first is no count of names: each rule's smallest breaking payload, the one that the tests have, goes through the
check, and counts as caught when an error with that rule comes out. Reads the tests' cases; opens no server.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Final

import lab

from jobs.families import FAMILIES as ROWS
from schemas.payload.rules.not_checked import NOT_CHECKED
from schemas.payload.validate import DOCUMENT_SPECS, validate_document
from tests.builders import changed
from tests.families import a_document_payload
from tests.unit.schemas.payload.published_rules import PUBLISHED, REFUSED_BY_DIAN, REFUSED_BY_FACTUS
from tests.unit.schemas.payload.test_rules import CASES, NOTHING_TO_BREAK, families_of

ROOT: Final = Path(__file__).parents[1]
TODAY: Final = date(2026, 11, 30)
_LINES: Final = (1, 10, 500)
_OWN_MODULES: Final = {
    "invoice": ("documents/bill", "rules/bill", "documents/sectors", "rules/sectors"),
    "credit_note, debit_note": ("documents/notes", "rules/notes"),
    "support_document, adjustment_note": ("documents/support", "rules/support"),
    "payroll, payroll_adjustment": ("documents/payroll", "documents/payroll_concepts", "rules/payroll"),
}


def main(n_rounds: int) -> None:
    told = _told()
    _show_share("422 of Factus", REFUSED_BY_FACTUS, told)
    _show_share("rejections of DIAN", REFUSED_BY_DIAN, told)
    _show_missed(told)
    _show_cost(n_rounds)
    _show_lines()


# -- what is caught ------------------------------------------------------------------------------------------------
def _told() -> dict[tuple[str, str], str]:
    """For each rule and family the gravest thing that its cases bring out: ``error``, ``warning`` or nothing."""
    found: dict[tuple[str, str], str] = {}
    for case in CASES:
        for family in families_of(case):
            payload = changed(a_document_payload(family, case.operation), case.changes)
            verdict = validate_document(family, payload, today=TODAY)
            key = (case.rule, family)
            if any(error.rule == case.rule for error in verdict.errors):
                found[key] = "error"
            elif any(warning.rule == case.rule for warning in verdict.warnings):
                found.setdefault(key, "warning")
    return found


def _show_share(name: str, rules: frozenset[str], told: dict[tuple[str, str], str]) -> None:
    pairs = [pair for rule in sorted(rules) for pair in _breakable(rule)]
    caught = sum(told.get(pair) == "error" for pair in pairs)
    warned = sum(told.get(pair) == "warning" for pair in pairs)
    knowable = [pair for pair in pairs if _is_knowable(*pair)]
    known = sum(pair in told for pair in knowable)
    lab.show(f"{name}, knowable", f"{known} of {len(knowable)} ({known / len(knowable):.1%})", "all")
    print(
        f"  {len(rules)} rules, {len(pairs)} with their families: {caught} refused before the call, {warned} warned of,"
    )
    print(f"  {len(pairs) - caught - warned} not told; a warning is given where nobody has seen the refusal itself")
    if missed := [f"{rule} of {family}" for rule, family in knowable if (rule, family) not in told]:
        print(f"  knowable and not told: {', '.join(missed)}")


def _breakable(rule: str) -> list[tuple[str, str]]:
    """A rule with the families that have something which could break it: a payroll has no time of day."""
    families = sorted(PUBLISHED[rule].families)
    return [(rule, family) for family in families if rule not in NOTHING_TO_BREAK.get(family, ())]


def _is_knowable(rule: str, family: str) -> bool:
    reason = NOT_CHECKED.get(rule)
    return reason is None or family not in reason.families or any(rule == one.rule for one in CASES)


def _show_missed(told: dict[tuple[str, str], str]) -> None:
    """Every refusal that is not told before the call, with what one would have to know."""
    rules = sorted(REFUSED_BY_FACTUS | REFUSED_BY_DIAN)
    missed = [rule for rule in rules if not any((rule, family) in told for family in PUBLISHED[rule].families)]
    print("not knowable from the payload alone:")
    for rule in missed:
        reason = NOT_CHECKED[rule].reason if rule in NOT_CHECKED else "every value of the family has a rule of its own"
        print(f"  {rule:<9} {reason}")


# -- what it costs -------------------------------------------------------------------------------------------------
def _show_cost(n_rounds: int) -> None:
    for n_lines in _LINES:
        payload = lab.bill("B-1", n_lines)
        assert not validate_document("invoice", payload, today=TODAY).errors
        times = []
        for _ in range(n_rounds if n_lines < 100 else max(n_rounds // 20, 10)):
            began = time.perf_counter()
            validate_document("invoice", payload, today=TODAY)
            times.append((time.perf_counter() - began) * 1e6)
        median = statistics.median(times)
        lab.show(f"invoice of {n_lines} lines", f"{median:,.0f} us, p99 {lab.quantile(times, 0.99):,.0f} us")
    for family in DOCUMENT_SPECS:
        if family != "invoice":
            payload = a_document_payload(family)
            times = []
            for _ in range(n_rounds):
                began = time.perf_counter()
                validate_document(family, payload, today=TODAY)
                times.append((time.perf_counter() - began) * 1e6)
            lab.show(f"{family}, smallest", f"{statistics.median(times):,.0f} us")


# -- what a family is ----------------------------------------------------------------------------------------------
def _show_lines() -> None:
    """Lines with code in them: blank ones, comments and docstrings are left out."""
    row = Counter(dict.fromkeys(ROWS, 0))
    source = (ROOT / "jobs/families.py").read_text()
    for name in ROWS:
        after = source.split(f'name="{name}"', 1)[1]
        row[name] = after.split("\n    ),", 1)[0].count("\n") + 2
    for names, modules in _OWN_MODULES.items():
        counted = {module: _code_lines(ROOT / "schemas" / f"{module}.py") for module in modules}
        rows = " + ".join(str(row[name]) for name in names.split(", "))
        parts = ", ".join(f"{module} {n}" for module, n in counted.items())
        lab.show(names, f"rows {rows}, own {sum(counted.values())}", "a row and a model")
        print(f"  {parts}")


def _code_lines(path: Path) -> int:
    n_lines, in_text = 0, False
    for line in map(str.strip, path.read_text().splitlines()):
        quotes = line.count('"""')
        if in_text or quotes:
            in_text = in_text != (quotes % 2 == 1)
            continue
        n_lines += bool(line) and not line.startswith("#")
    return n_lines


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, "each rule's smallest breaking payload through the check; medians of one process")
    main(2000 if given.full else 200)
