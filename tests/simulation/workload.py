"""
What producers push in a simulation, from one seed: documents of all families, repeated ones, contradictions, calls
and garbage. Invoices are the majority.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tests.builders import a_bill
from tests.simulation.bodies import ABOUT, KINDS, Body, Known, a_body, is_on_credit, respelt
from tests.simulation.factus_side import Side
from tests.simulation.hostile import a_named_entry, a_nameless_entry

_FAMILIES: Final = ("invoice",) * 13 + (
    *("credit_note", "debit_note", "support_document", "adjustment_note", "payroll", "payroll", "payroll_adjustment"),
)
_MIX: Final = (
    *("document",) * 60,
    *("same id",) * 5,
    *("same document",) * 5,
    *("other document",) * 4,
    *("other content",) * 3,
    *("bad",) * 6,
    *("call",) * 17,
)
KEPT: Final = "KEEP"
"""What the references begin with that DIAN rejects and that stay at Factus (``delete_rejected`` false)."""


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
    type: str = "invoice.issue"
    owner: str = ""
    """The account into whose own stream it goes; empty for the common one."""
    archives: frozenset[str] = frozenset()
    """The files that are to be archived, of those that the family has."""
    tracks: bool = False
    accepts: bool = False
    """Whether the service is to declare the tacit acceptance of its bill."""
    target: str = ""
    """Of a call: what it changes or asks about, as the report of the sandbox names it."""

    @property
    def job_id(self) -> str:
        return self.id or self.entry

    @property
    def family(self) -> str:
        return self.type.partition(".")[0]

    @property
    def issues(self) -> bool:
        return self.type.endswith(".issue") and not self.is_bad

    @property
    def document(self) -> tuple[str, str, str]:
        """Account, family and reference: what there may be one of."""
        return self.account, self.family, self.reference


@dataclass
class Workload:
    """Makes the pushes of one run."""

    chance: random.Random
    accounts: Sequence[str]
    start: datetime
    spread_s: float
    side: Side
    has_times: bool = True
    """Whether some jobs say when they may run (``expires_at``, ``not_before``, ``issue_on``)."""
    keep_share: float = 0.0
    """Share of the documents that are rejected and kept."""
    own_streams: Collection[str] = ()
    prefix: str = ""
    made: list[Push] = field(default_factory=list)
    n: int = 0
    _bills: dict[tuple[str, str], Known] = field(default_factory=dict)

    def make(self, n_jobs: int, a_call: Callable[[Workload, float], Push]) -> list[Push]:
        """*n_jobs* pushes, in the order in which they are pushed."""
        for n in range(n_jobs):
            at_s = self.spread_s * n / n_jobs
            kind = self.chance.choice(_MIX)
            self.made.append(a_call(self, at_s) if kind == "call" else self._one(at_s, kind))
        return self.made

    def account(self) -> str:
        return self.chance.choice(self.accounts)

    def next_n(self) -> int:
        self.n += 1
        return self.n

    def _one(self, at_s: float, kind: str) -> Push:
        if kind == "bad":
            return self._bad(at_s)
        earlier = [push for push in self.made[-200:] if push.what == "document"]
        if kind == "document" or not earlier:
            return self.document(at_s)
        # Most repetitions follow at once, as producers do that never saw an answer.
        first = earlier[-1] if self.chance.random() < 0.6 else self.chance.choice(earlier)
        if kind == "same id" and first.id:
            return self._copy(first, at_s, kind)
        if kind == "other content" and first.id:
            return self.document(at_s, account=first.account, id_=first.id, what=kind)
        if kind == "other document":
            return self.document(at_s, account=first.account, family=first.family, reference=first.reference, what=kind)
        return self.again(first, at_s)

    # -- documents -------------------------------------------------------------------------------------------------
    def document(
        self,
        at_s: float,
        *,
        account: str = "",
        family: str = "",
        reference: str = "",
        id_: str | None = None,
        what: str = "document",
        about: Known | None = None,
        is_plain: bool = False,
    ) -> Push:
        """
        A document, valid as it stands.

        Args:
            about: What a note is about; made when not given.
            is_plain: Without priority, times and options.
        """
        n, chance = self.next_n(), self.chance
        account = account or self.account()
        family = family or chance.choice(_FAMILIES)
        is_kept = not reference and not is_plain and chance.random() < self.keep_share
        head = KEPT if is_kept else chance.choice(["FV", "FV/2026", "ERP"])
        reference = reference or f"{self.prefix}{head}-{n:05d}"
        body = a_body(family, n, reference, chance, about or self._about(account, family))
        envelope: dict[str, Any] = {"type": f"{family}.issue", "account": account, "payload": body.payload}
        if not is_plain:
            if chance.random() < 0.2:
                envelope["priority"] = chance.choice(["high", "low"])
            envelope |= self._times(at_s) if self.has_times else {}
            if options := self._options(body) | ({"delete_rejected": False} if is_kept else {}):
                envelope["options"] = options
        named = id_ if id_ is not None else (f"{self.prefix}job-{n}" if chance.random() < 0.8 else "")
        return self._push(at_s, what, envelope, named, body)

    def _about(self, account: str, family: str) -> Known | None:
        """What a note is about. Any number of notes correct one bill; a payroll is eliminated once."""
        other = ABOUT.get(family)
        if other is None or (family in ("credit_note", "debit_note") and self.chance.random() < 0.4):
            return None
        if family == "payroll_adjustment":
            return self.known(account, "payroll")
        if (account, other) not in self._bills:
            self._bills[account, other] = self.known(account, other)
        return self._bills[account, other]

    def known(self, account: str, family: str, *, on_credit: bool = False) -> Known:
        """A document that is at Factus before the first job."""
        n = self.next_n()
        body = a_body(family, n, f"{self.prefix}OLD-{n:05d}", self.chance)
        while on_credit and not body.is_on_credit:
            body = a_body(family, n, body.payload["reference_code"], self.chance)
        return self.side.store(account, family, body)

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

    def _options(self, body: Body) -> dict[str, Any]:
        """Some ask for files; some for RADIAN events, also where there can be none."""
        chance = self.chance
        options: dict[str, Any] = {}
        if chance.random() < 0.3:
            options["archive"] = chance.sample(["pdf", "xml", "attached"], chance.randint(1, 3))
        if body.is_on_credit and chance.random() < 0.5:
            options[chance.choice(["track_radian", "tacit_acceptance"])] = True
        return options

    def _push(self, at_s: float, what: str, envelope: dict[str, Any], id_: str, body: Body) -> Push:
        options, type_ = envelope.get("options", {}), envelope["type"]
        family = type_.partition(".")[0]
        return Push(
            raw=json.dumps({"id": id_, **envelope} if id_ else envelope).encode(),
            at_s=at_s,
            what=what,
            account=envelope["account"],
            id=id_,
            reference=envelope["payload"]["reference_code"],
            total=body.total,
            party=body.party,
            content=_digest(envelope),
            fingerprint=_digest(envelope["payload"]),
            issue_on=envelope.get("issue_on", ""),
            has_expiry="expires_at" in envelope,
            type=type_,
            owner=self.owner_of(envelope["account"]),
            archives=KINDS[family] & set(options.get("archive", ())),
            tracks=bool(options.get("track_radian") or options.get("tacit_acceptance")) and body.is_on_credit,
            accepts=bool(options.get("tacit_acceptance")) and body.is_on_credit,
        )

    def owner_of(self, account: str) -> str:
        return account if account in self.own_streams else ""

    def _copy(self, first: Push, at_s: float, what: str) -> Push:
        envelope = json.loads(first.raw) | {"metadata": {"again": at_s}}
        return Push(**{**vars(first), "raw": json.dumps(envelope).encode(), "at_s": at_s, "what": what, "entry": ""})

    def again(self, first: Push, at_s: float) -> Push:
        """The same document under another id, keys in another order, numbers spelt differently; it asks for its own."""
        payload = json.loads(first.raw)["payload"]
        envelope = {"payload": respelt(payload), "type": first.type, "account": first.account}
        body = Body(payload, first.total, first.party, first.family == "invoice" and is_on_credit(payload))
        if options := self._options(body):
            envelope["options"] = options
        found = self._push(at_s, "same document", envelope, f"{self.prefix}job-{self.next_n()}", body)
        found.fingerprint = first.fingerprint
        return found

    # -- garbage ---------------------------------------------------------------------------------------------------
    def _bad(self, at_s: float) -> Push:
        id_ = f"{self.prefix}bad-{self.next_n()}"
        account = self.account()
        bill = a_bill(reference_code=id_)
        wrong = a_bill(reference_code=id_, municipality_id=980)
        raw: dict[str, Any] | bytes = self.chance.choice(
            [
                b"not json",
                b'{"type":"invoice.issue",\xff',
                a_nameless_entry(self.chance),
                a_nameless_entry(self.chance),
                *(a_named_entry(id_, account, self.chance) for _ in range(3)),
                {"id": id_, "type": "no.such", "account": account, "payload": {}},
                {"id": id_, "type": "invoice.issue", "account": account, "payload": wrong},
                {"id": id_, "type": "invoice.get", "account": account, "payload": {}},
                {"id": id_, "type": "invoice.issue", "account": "nobody", "payload": bill},
                {"id": id_, "type": "invoice.issue", "account": account, "payload": bill, "surprise": 1},
                *(
                    {"id": id_, "type": "invoice.issue", "account": other, "payload": bill}
                    for other in self.accounts
                    if other != account and account in self.own_streams
                ),
            ]
        )
        owner = self.owner_of(account)
        if isinstance(raw, bytes):
            return Push(raw, at_s, "bad", is_bad=True, owner=owner)
        return Push(
            json.dumps(raw).encode(),
            at_s,
            "bad",
            account=raw["account"],
            id=id_,
            content=str(raw),
            is_bad=True,
            owner=owner,
        )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
