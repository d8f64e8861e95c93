"""Who acts around a run of the full form: the operator, and Factus when it shuts an account."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.service_processes import get_json, post_json
from tests.simulation import calls
from tests.simulation.bodies import AT_FACTUS
from tests.simulation.workload import KEPT, Push, Workload

_PRODUCTS: Final = ("*payrolls.*", "*-notes.create", "bills.create", "*.email", "*.toggle")


@dataclass
class People:
    """Everybody but the workers, who kills them, and the buyers."""

    url: str
    chance: random.Random
    accounts: Sequence[str]
    cargo: Workload
    push: Callable[[Push], None]
    facts: Counter[str]
    _deleting: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _shut: dict[str, float] = field(default_factory=dict)

    # -- the operator ----------------------------------------------------------------------------------------------
    def clear_up(self, finals: Mapping[str, dict[str, Any]]) -> None:
        """What rule 90 left behind is asked for at Factus; what was kept is deleted by a job."""
        for account in self.accounts:
            for family, name in AT_FACTUS.items():
                where = f"account={account}&family={name}&state=rejected"
                for row in get_json(f"{self.url}/_sandbox/documents?{where}"):
                    reference = row["reference_code"]
                    if "90" in row["errors"]:
                        body = {"account": account, "family": name, "reference": reference, "outcome": "gone"}
                        post_json(f"{self.url}/_sandbox/documents/settle", body)
                    elif reference.startswith(KEPT):
                        self._delete((account, family, reference), finals)

    def _delete(self, document: tuple[str, str, str], finals: Mapping[str, dict[str, Any]]) -> None:
        """When its job has ended; again when the last delete came to nothing."""
        account, family, reference = document
        has_ended = any(
            event["reference_code"] == reference and event["type"].endswith((".rejected", ".failed"))
            for event in finals.values()
        )
        last = self._deleting.get(document)
        if has_ended and (last is None or last in finals):
            push = calls.as_push(self.cargo, 0.0, account, calls.delete(family, reference))
            self._deleting[document] = push.id
            self.facts["deletes"] += 1
            self.push(push)

    # -- Factus ----------------------------------------------------------------------------------------------------
    def shut(self, now: float) -> None:
        """402, 403 of some products, or refused credentials, for a while."""
        account, kind = self.chance.choice(self.accounts), self.chance.choice(["unpaid", "product", "refused"])
        if account in self._shut:
            return
        self.facts[kind] += 1
        match kind:
            case "unpaid":
                self._change(account, paid=False)
            case "product":
                self._change(account, forbidden=self.chance.sample(_PRODUCTS, 2))
            case _:
                self._change(account, refused=True)
                post_json(f"{self.url}/_sandbox/tokens/revoke", {"account": account})
        self._shut[account] = now + self.chance.uniform(0.5, 3)

    def reopen(self, now: float) -> None:
        for account, at in list(self._shut.items()):
            if at <= now:
                self._change(account, paid=True, forbidden=[], refused=False)
                del self._shut[account]

    def _change(self, account: str, **state: Any) -> None:
        post_json(f"{self.url}/_sandbox/accounts/{account}", state)
