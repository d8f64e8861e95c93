"""
The demo's story: one document of each family, what each makes possible, what follows it, and a few calls.

Whatever speaks of another document is pushed when that one is validated, with its number: an ERP does the same. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

from jobs.example_payloads import example
from schemas.names import ending_of
from worker.cli.demo.jobs import DemoJob, demo_job

TRACKED: Final = "FV-CREDITO"
FIRST_REFERENCE: Final = "FV-CONTADO"
RADIAN_CODES: Final = ("030", "032", "033")
"""What a buyer does with a bill: acknowledges it, receives the goods, accepts it."""

_FOLLOWS: Final = {"archive": "archive", "radian": "track_radian"}
_CREDIT_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One job. ``payload`` makes its payload from the number of the document of the job ``after``."""

    id: str
    account: str
    type: str
    payload: Callable[[str], dict[str, Any]]
    after: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def job(self, number: str) -> DemoJob:
        # High: the rest of the story waits for it, and sixty invoices stand in the same lanes.
        more: dict[str, Any] = {"options": self.options} if self.options else {}
        return demo_job(self.id, self.account, self.payload(number), type_=self.type, priority="high", **more)


@dataclass(slots=True)
class Story:
    """What is pushed when, and what has still to come."""

    steps: tuple[Step, ...]
    awaited: set[tuple[str, str]] = field(default_factory=set)
    """Job, and what follows its document: ``archive`` or ``radian``."""

    def begin(self) -> list[DemoJob]:
        return [step.job("") for step in self.steps if not step.after]

    def go_on(self, event: dict[str, Any]) -> list[DemoJob]:
        """Enter an event; the jobs that it makes possible."""
        job_id, kind = event["job_id"], ending_of(event["type"])
        if kind == "archived":
            self.awaited.discard((job_id, "archive"))
        if radian_code(event) == RADIAN_CODES[-1]:
            self.awaited.discard((job_id, "radian"))
        if kind != "validated":
            return []
        options = next((step.options for step in self.steps if step.id == job_id), {})
        self.awaited |= {(job_id, what) for what, option in _FOLLOWS.items() if option in options}
        return [step.job(event["data"]["number"]) for step in self.steps if step.after == job_id]


def radian_code(event: dict[str, Any]) -> str:
    """The code of a RADIAN event; empty for any other event."""
    return str(event["data"]["event_code"]) if event["type"] == "radian.event" else ""


def next_radian_code(event: dict[str, Any]) -> str:
    """What the buyer of the tracked bill does next; empty for nothing."""
    if event["reference_code"] != TRACKED:
        return ""
    if event["type"] == "invoice.validated":
        return RADIAN_CODES[0]
    return dict(pairwise(RADIAN_CODES)).get(radian_code(event), "")


def story(andina: str, caribe: str, today: date) -> Story:
    """The story of two accounts: one sells, the other buys from farmers and pays wages."""
    credit = example("invoice.issue.credit")
    credit["payment_details"][0]["due_date"] = (today + timedelta(days=_CREDIT_DAYS)).isoformat()
    bill = _issued("invoice.issue", FIRST_REFERENCE)
    archive = {"archive": ["pdf", "xml", "attached"]}
    return Story(
        (
            Step("factura", andina, "invoice.issue", bill, options=archive),
            Step("credito", andina, "invoice.issue", _named(credit, TRACKED), options={"track_radian": True}),
            Step("nc", andina, "credit_note.issue", _issued("credit_note.issue", "NC-1", "bill_number"), "factura"),
            Step("nd", andina, "debit_note.issue", _issued("debit_note.issue", "ND-1", "bill_number"), "factura"),
            Step("ds", caribe, "support_document.issue", _issued("support_document.issue", "DS-1"), options=_FILES),
            Step("na", caribe, "adjustment_note.issue", _issued("adjustment_note.issue", "NA-1", _DS_NUMBER), "ds"),
            Step("ne", caribe, "payroll.issue", _issued("payroll.issue", "NE-1"), options=_FILES),
            Step("en", caribe, "payroll_adjustment.issue", _issued("payroll_adjustment.issue", "EN-1", _NE_NUMBER),
                 "ne", {"archive": ["xml"]}),
            Step("rangos", andina, "numbering_range.list", lambda _: {}),
            Step("municipios", andina, "catalog.search",
                 lambda _: {"catalog": "municipalities", "query": "bogota", "limit": 3}),
            Step("ver", andina, "invoice.get", lambda number: {"number": number}, "factura"),
            Step("nominas", caribe, "payroll.list", lambda number: {"filters": {"number": number}}, "ne"),
        )
    )  # fmt: skip


_FILES: Final = {"archive": ["pdf", "xml"]}
_DS_NUMBER: Final = "support_document_number"
_NE_NUMBER: Final = "payroll_number"


def _issued(name: str, reference: str, about: str = "") -> Callable[[str], dict[str, Any]]:
    """The example of a job type under another reference; *about* is the key of the number that it speaks of."""
    return _named(example(name), reference, about)


def _named(payload: dict[str, Any], reference: str, about: str = "") -> Callable[[str], dict[str, Any]]:
    def make(number: str) -> dict[str, Any]:
        return {**payload, "reference_code": reference, **({about: number} if about else {})}

    return make
