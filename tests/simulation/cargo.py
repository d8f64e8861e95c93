"""
What producers push in a simulation: good bills, repeated ones, contradictions and garbage, from one seed.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.check_digit import check_digit
from tests.builders import a_bill, changed

_CUSTOMERS = ("900825759", "800197268", "860002964", "890903938")


@dataclass
class Push:
    """One XADD. ``entry`` is filled in when it was done."""

    raw: bytes
    at_s: float
    what: str
    account: str = ""
    id: str = ""
    reference: str = ""
    total: str = ""
    party: str = ""
    content: str = ""
    """Equal for two pushes that mean the same job."""
    fingerprint: str = ""
    """Equal for two pushes that mean the same document."""
    issue_on: str = ""
    has_expiry: bool = False
    is_bad: bool = False
    entry: str = ""

    @property
    def job_id(self) -> str:
        return self.id or self.entry


@dataclass
class Cargo:
    """Makes the pushes of one run."""

    chance: random.Random
    accounts: Sequence[str]
    start: datetime
    spread_s: float
    has_times: bool = True
    """Whether some jobs say when they may run (``expires_at``, ``not_before``, ``issue_on``)."""
    prefix: str = ""
    made: list[Push] = field(default_factory=list)
    _n: int = 0

    def make(self, n_jobs: int) -> list[Push]:
        """*n_jobs* pushes, in the order in which they are pushed."""
        for n in range(n_jobs):
            at_s = self.spread_s * n / n_jobs
            self.made.append(self._one(at_s))
        return self.made

    def _one(self, at_s: float) -> Push:
        earlier = [push for push in self.made[-200:] if push.what == "bill"]
        kinds = ["bill"] * 74 + ["same id", "same document"] * 6 + ["other document"] * 4 + ["other content"] * 3
        kind = self.chance.choice(kinds + ["bad"] * 7)
        if kind == "bad":
            return self._bad(at_s)
        if kind == "bill" or not earlier:
            return self._bill(at_s)
        # Most repetitions follow at once, as producers do that never saw an answer.
        first = earlier[-1] if self.chance.random() < 0.6 else self.chance.choice(earlier)
        if kind == "same id" and first.id:
            return self._copy(first, at_s, kind)
        if kind == "other content" and first.id:
            return self._bill(at_s, id_=first.id, account=first.account, what=kind)
        if kind == "other document":
            return self._bill(at_s, reference=first.reference, account=first.account, what=kind)
        return self.again(first, at_s)

    def _bill(
        self, at_s: float, *, id_: str | None = None, reference: str = "", account: str = "", what: str = "bill"
    ) -> Push:
        self._n += 1
        chance = self.chance
        account = account or chance.choice(self.accounts)
        reference = reference or f"{chance.choice(['FV', 'FV/2026', 'ERP'])}-{self._n:05d}"
        customer = chance.choice(_CUSTOMERS)
        # The number in the total makes every document's total its own: a mix-up shows.
        total = f"{10_000 + self._n * 10}.00"
        payload = changed(
            a_bill(total=total, reference_code=reference),
            {"customer.identification": customer, "customer.dv": check_digit(customer)},
        )
        envelope: dict[str, Any] = {"type": "invoice.issue", "account": account, "payload": payload}
        if chance.random() < 0.2:
            envelope["priority"] = chance.choice(["high", "low"])
        times = self._times(at_s) if self.has_times else {}
        named = id_ if id_ is not None else (f"{self.prefix}job-{self._n}" if chance.random() < 0.8 else "")
        return self._push(at_s, what, envelope | times, named, total, customer)

    def _times(self, at_s: float) -> dict[str, str]:
        now = self.start + timedelta(seconds=at_s)
        match self.chance.randrange(24):
            case 0:
                return {"expires_at": (now + timedelta(seconds=self.chance.uniform(0.2, 4))).isoformat()}
            case 1:
                return {"not_before": (now + timedelta(seconds=self.chance.uniform(0.2, 4))).isoformat()}
            case 2:
                return {"issue_on": now.date().isoformat()}
            case _:
                return {}

    def _push(self, at_s: float, what: str, envelope: dict[str, Any], id_: str, total: str, party: str) -> Push:
        content = _digest(envelope)
        if id_:
            envelope = {"id": id_, **envelope}
        return Push(
            raw=json.dumps(envelope).encode(),
            at_s=at_s,
            what=what,
            account=envelope["account"],
            id=id_,
            reference=envelope["payload"]["reference_code"],
            total=total,
            party=party,
            content=content,
            fingerprint=_digest(envelope["payload"]),
            issue_on=envelope.get("issue_on", ""),
            has_expiry="expires_at" in envelope,
        )

    def _copy(self, first: Push, at_s: float, what: str) -> Push:
        envelope = json.loads(first.raw) | {"metadata": {"again": at_s}}
        return Push(**{**vars(first), "raw": json.dumps(envelope).encode(), "at_s": at_s, "what": what, "entry": ""})

    def again(self, first: Push, at_s: float) -> Push:
        """The same document under another id, keys in another order, numbers spelt differently."""
        self._n += 1
        payload = dict(reversed(json.loads(first.raw)["payload"].items()))
        payload["items"][0]["price"] = float(payload["items"][0]["price"])
        envelope = {"payload": payload, "type": "invoice.issue", "account": first.account}
        found = self._push(at_s, "same document", envelope, f"{self.prefix}job-{self._n}", first.total, first.party)
        found.fingerprint = first.fingerprint
        return found

    def _bad(self, at_s: float) -> Push:
        self._n += 1
        id_ = f"bad-{self._n}"
        account = self.chance.choice(self.accounts)
        wrong = a_bill(reference_code=f"BAD-{self._n}", municipality_id=980)
        raw: dict[str, Any] | bytes = self.chance.choice(
            [
                b"not json",
                b'{"type":"invoice.issue",\xff',
                {"id": id_, "type": "no.such", "account": account, "payload": {}},
                {"id": id_, "type": "invoice.issue", "account": account, "payload": wrong},
                {"id": id_, "type": "invoice.issue", "account": "nobody", "payload": a_bill()},
                {"id": id_, "type": "invoice.issue", "account": account, "payload": a_bill(), "surprise": 1},
            ]
        )
        if isinstance(raw, bytes):
            return Push(raw, at_s, "bad", is_bad=True)
        return Push(
            json.dumps(raw).encode(), at_s, "bad", account=raw["account"], id=id_, content=str(raw), is_bad=True
        )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
