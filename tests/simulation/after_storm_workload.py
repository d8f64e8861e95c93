"""What is pushed in calm weather, after the storm: about documents that have ended, and what must be in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from tests.simulation.bodies import Known, is_on_credit
from tests.simulation.calls import Call, as_push
from tests.simulation.checker import numbers_told
from tests.simulation.sim import Sim
from tests.simulation.workload import Push, Workload

_NOTES: Final = {"invoice": "credit_note", "support_document": "adjustment_note", "payroll": "payroll_adjustment"}


def sequel(sim: Sim, cargo: Workload, events: Sequence[dict[str, Any]]) -> list[Push]:
    """Documents pushed again, notes about documents of this run, calls about them, and three in order."""
    chance = sim.chance
    documents = [push for push in sim.pushes if push.what == "document"]
    again = [cargo.again(push, 0.0) for push in chance.sample(documents, min(2, len(documents)))]
    return [*again, *_about_the_issued(sim, cargo, documents, numbers_told(events)), *_in_order(sim, cargo)]


def _about_the_issued(sim: Sim, cargo: Workload, documents: Sequence[Push], numbers: dict[str, str]) -> list[Push]:
    issued = [push for push in documents if push.job_id in numbers]
    found: list[Push] = []
    for push in sim.chance.sample(issued, min(3, len(issued))):
        number = numbers[push.job_id]
        known = Known(push.account, push.family, push.reference, number, push.party)
        note = _NOTES.get(push.family)
        # What is on credit may be accepted meanwhile, and then takes no credit note.
        if note and not is_on_credit(json.loads(push.raw)["payload"]):
            found.append(
                cargo.document(0.0, account=push.account, family=note, about=known, what="sequel", is_plain=True)
            )
        call = sim.chance.choice(
            [
                Call(f"{push.family}.get", {"number": number}),
                Call(
                    f"{push.family}.download",
                    {"reference_code": push.reference, "kinds": ["xml"]},
                    archives=frozenset({"xml"}),
                ),
            ]
        )
        found.append(as_push(cargo, 0.0, push.account, call))
    return found


def _in_order(sim: Sim, cargo: Workload) -> list[Push]:
    account, family = sim.chance.choice(sim.names), sim.chance.choice(["invoice", "invoice", "payroll", "debit_note"])
    return [cargo.document(0.0, account=account, family=family, what="in order", is_plain=True) for _ in range(3)]
