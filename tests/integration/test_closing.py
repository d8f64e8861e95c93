"""
A day is closed: every number in its class, whatever came before it, and the chain of what was told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.builders import fiscal_day
from tests.integration.families import FAMILY_CASES
from tests.integration.service import Live, TestedAccount
from tests.integration.service import live as running

BILLS = FAMILY_CASES["invoice"]
GAP_KEYS = {"number", "class", "reference_code", "rule", "reason", "at"}
KEYS = {
    "account", "day", "made_at", "is_final", "prefixes", "open", "refused", "failed", "control", "calls",
    "previous_sha256", "sha256",
}  # fmt: skip
PREFIX_KEYS = {
    "family", "prefix", "first", "last", "span", "issued", "foreign", "deleted", "waiting", "unexplained", "total",
    "tax_amount", "gaps",
}  # fmt: skip


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("closing"), valkey_url, "closing") as found:
        yield found


def today() -> str:
    return fiscal_day().isoformat()


def closed(tenant: TestedAccount, day: str = "", **payload: Any) -> dict[str, Any]:
    event = tenant.end_of(tenant.push("day.close", {"day": day or today(), **payload}))
    assert event["success"], event
    data: dict[str, Any] = event["data"]
    assert data.keys() - {"warnings"} == KEYS
    assert data["sha256"] == sha256_of(data)
    for row in data["prefixes"]:
        assert row.keys() == PREFIX_KEYS
        assert all(gap.keys() == GAP_KEYS for gap in row["gaps"])
        classes = ("issued", "foreign", "deleted", "waiting", "unexplained")
        assert row["span"] == sum(row[name] for name in classes)
    return data


def sha256_of(certificate: dict[str, Any]) -> str:
    """Written down from the contract, not from the service."""
    told = {name: value for name, value in certificate.items() if name != "sha256"}
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def of(certificate: dict[str, Any], family: str = "invoice") -> dict[str, Any]:
    (row,) = [one for one in certificate["prefixes"] if one["family"] == family]
    found: dict[str, Any] = row
    return found


def gaps(row: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(gap["number"], gap["class"], gap["reference_code"]) for gap in row["gaps"]]


def issue(tenant: TestedAccount, n: int = 1) -> list[dict[str, Any]]:
    events = [BILLS.issue(tenant, BILLS.body(tenant)) for _ in range(n)]
    assert all(event["success"] for event in events)
    return [event["data"] for event in events]


def rejected(tenant: TestedAccount) -> dict[str, Any]:
    body = BILLS.body(tenant)
    effect = {"kind": "reject", "rules": {"FAK24": "Regla: FAK24, Rechazo: El DV no corresponde"}}
    tenant.fault(effect, on="create", family="bills", reference=body["reference_code"])
    event = BILLS.issue(tenant, body)
    assert event["type"] == "invoice.rejected"
    return event


def money(documents: list[dict[str, Any]], name: str = "total") -> str:
    return f"{sum(Decimal(one[name]) for one in documents):.2f}"


def test_a_quiet_day_is_issued_and_costs_a_page_a_family(tenant: TestedAccount) -> None:
    documents = issue(tenant, 3)
    found = closed(tenant)
    row = of(found)
    assert (row["first"], row["last"]) == (documents[0]["number"], documents[-1]["number"])
    assert (row["span"], row["issued"], row["gaps"]) == (3, 3, [])
    assert (row["total"], row["tax_amount"]) == (money(documents), money(documents, "tax_amount"))
    assert (found["account"], found["day"], found["control"]) == (tenant.name, today(), None)
    assert not found["is_final"], "the day is not over"
    assert found["calls"] == 7
    assert "warnings" not in found
    operations = tenant.seen()["operations"]
    assert sum(n for name, n in operations.items() if name.endswith(".list")) == 7
    assert "bills.show" not in operations


def test_every_class_has_its_number(tenant: TestedAccount) -> None:
    """Issued, foreign, deleted after rejection, a hole, and one that waits: each in its place."""
    (first,) = issue(tenant)
    foreign = BILLS.at_factus(tenant)
    event = rejected(tenant)
    (fourth,) = issue(tenant)
    prefix, at = "SETP", int(fourth["number"].removeprefix("SETP"))
    answer = tenant.ask("PATCH", "/v2/numbering-ranges/389/current", json={"current": at + 3})
    assert answer.status_code == 200, answer.text
    (after,) = issue(tenant)
    body = BILLS.body(tenant)
    tenant.fault({"kind": "pending", "polls": 100_000}, on="create", family="bills", reference=body["reference_code"])
    job = tenant.push("invoice.issue", body)
    waiting = tenant.event_of(job, "invoice.pending")

    found = closed(tenant)
    row = of(found)
    counts = {name: row[name] for name in ("issued", "foreign", "deleted", "waiting", "unexplained")}
    assert counts == {"issued": 3, "foreign": 1, "deleted": 1, "waiting": 1, "unexplained": 2}
    assert (row["first"], row["last"]) == (first["number"], f"{prefix}{at + 4}")
    assert gaps(row) == [
        (foreign["number"], "foreign", foreign["reference_code"]),
        (event["data"]["number"], "deleted", event["reference_code"]),
        (f"{prefix}{at + 1}", "unexplained", None),
        (f"{prefix}{at + 2}", "unexplained", None),
        (f"{prefix}{at + 4}", "waiting", body["reference_code"]),
    ]
    deleted = row["gaps"][1]
    assert (deleted["rule"], "DV" in deleted["reason"]) == ("FAK24", True)
    assert deleted["at"].startswith(today())
    known = [first, fourth, after]
    assert row["total"] == money([*known, foreign["totals"]])
    assert row["tax_amount"] == money([*known, foreign["totals"]], "tax_amount")
    assert [(one["reference_code"], one["state"]) for one in found["open"]] == [(body["reference_code"], "pending")]
    assert waiting["success"]
    assert not found["is_final"]
    assert found["calls"] == 8, "seven pages, and the tax of the foreign one, which no list tells"
    assert closed(tenant)["calls"] == 7, "it is remembered"


@pytest.mark.parametrize("reuses", [True, False])
def test_a_deleted_number_comes_out_right_whether_it_is_given_again_or_not(tenant: TestedAccount, reuses: bool) -> None:
    tenant.change_account(reuse_numbers=reuses)
    (first,) = issue(tenant)
    event = rejected(tenant)
    (second,) = issue(tenant)
    found = closed(tenant)
    row = of(found)
    assert (second["number"] == event["data"]["number"]) is reuses
    assert (row["issued"], row["unexplained"], row["deleted"]) == (2, 0, 0 if reuses else 1)
    assert (row["first"], row["last"]) == (first["number"], second["number"])
    again = [] if not reuses else [(event["reference_code"], "invoice.rejected", "FAK24")]
    assert [(one["reference_code"], one["type"], one["rule"]) for one in found["refused"]] == again


def test_a_rejection_at_the_end_of_the_day_keeps_its_number(tenant: TestedAccount) -> None:
    (first,) = issue(tenant)
    event = rejected(tenant)
    row = of(closed(tenant))
    assert (row["first"], row["last"], row["deleted"]) == (first["number"], event["data"]["number"], 1)


def test_a_lost_answer_is_issued_once_it_is_found(tenant: TestedAccount) -> None:
    body = BILLS.body(tenant)
    tenant.fault("drop_after", on="create", family="bills", reference=body["reference_code"])
    event = BILLS.issue(tenant, body)
    row = of(closed(tenant))
    assert event["success"]
    assert (row["issued"], row["gaps"], row["tax_amount"]) == (1, [], event["data"]["tax_amount"])


def test_refused_and_failed_are_told_with_their_reason(tenant: TestedAccount) -> None:
    issue(tenant)
    body = BILLS.body(tenant)
    bad = tenant.run("invoice.issue", {**body, "descuento": 1})
    without_id = {**BILLS.body(tenant), "descuento": 2}
    tenant.live.push({"type": "invoice.issue", "account": tenant.name, "payload": without_id})
    late = tenant.run("invoice.issue", BILLS.body(tenant), expires_at="2026-01-01T00:00:00-05:00")
    good = BILLS.issue(tenant, body)
    found = closed(tenant)
    told = {one["reference_code"]: one for one in found["refused"]}
    assert told.keys() == {bad["reference_code"], without_id["reference_code"]}
    one = told[bad["reference_code"]]
    assert (one["type"], one["code"], one["rule"]) == ("job.refused", "payload.invalid", "GEN-002")
    assert one["number"] == good["data"]["number"], "corrected and issued under the same reference"
    assert told[without_id["reference_code"]]["number"] is None
    assert [(one["reference_code"], one["code"]) for one in found["failed"]] == [
        (late["reference_code"], "job.expired")
    ]


def test_notes_and_support_documents_have_their_prefixes(tenant: TestedAccount) -> None:
    made = {}
    for name in ("invoice", "credit_note", "debit_note", "support_document", "payroll"):
        case = FAMILY_CASES[name]
        event = case.issue(tenant, case.body(tenant))
        assert event["success"], event
        made[name] = event["data"]
    found = closed(tenant)
    for name, data in made.items():
        row = of(found, name)
        assert row["issued"] == 1
        if name != "invoice":  # notes are about a bill that is foreign
            assert row["last"] == data["number"]
            assert (row["total"], row["gaps"]) == (data["total"], [])
            assert row["tax_amount"] == (data["tax_amount"] or "0.00")
    assert "warnings" not in found


def test_control_totals_to_the_cent_and_the_document_that_explains(tenant: TestedAccount) -> None:
    documents = issue(tenant, 2)
    total, tax = money(documents), money(documents, "tax_amount")
    right = {"family": "invoice", "prefix": "SETP", "count": 2, "total": total, "tax_amount": tax}
    assert closed(tenant, control=[right])["control"] == {"is_balanced": True, "differences": []}
    cent = f"{Decimal(total) + Decimal('0.01'):.2f}"
    off = closed(tenant, control=[{**right, "total": cent}])["control"]
    (difference,) = off["differences"]
    assert not off["is_balanced"]
    assert difference == {
        "family": "invoice", "prefix": "SETP", "what": "total", "control": cent, "found": total,
        "reference_code": None,
    }  # fmt: skip
    foreign = BILLS.at_factus(
        tenant,
        BILLS.body(
            tenant,
            items=[{**BILLS.body(tenant)["items"][0]}],
            payment_details=[{"payment_form": "1", "payment_method_code": "10", "amount": "11900.00"}],
        ),
    )
    found = closed(tenant, control=[right])["control"]["differences"]
    assert [(one["what"], one["reference_code"]) for one in found] == [
        ("count", foreign["reference_code"]), ("total", foreign["reference_code"]),
        ("tax_amount", foreign["reference_code"]),
    ]  # fmt: skip
    unknown = closed(tenant, control=[{"family": "invoice", "prefix": "FE", "count": 1, "total": "5.00"}])["control"]
    assert {(one["prefix"], one["what"]) for one in unknown["differences"]} == {
        ("FE", "count"), ("FE", "total"), ("SETP", "count"), ("SETP", "total"),
    }  # fmt: skip


def test_closed_again_it_is_the_same_but_for_time_calls_and_chain(tenant: TestedAccount) -> None:
    issue(tenant, 2)
    rejected(tenant)
    first, second, third = closed(tenant), closed(tenant), closed(tenant)
    changing = {"made_at", "calls", "previous_sha256", "sha256"}
    assert {name: first[name] for name in first.keys() - changing} == {
        name: second[name] for name in second.keys() - changing
    }
    assert first["previous_sha256"] is None
    assert second["previous_sha256"] == first["sha256"]
    assert third["previous_sha256"] == second["sha256"]


def test_two_closes_at_once_are_one_chain(tenant: TestedAccount) -> None:
    issue(tenant)
    jobs = [tenant.push("day.close", {"day": today()}) for _ in range(6)]
    made = [tenant.end_of(job)["data"] for job in jobs]
    by_previous = {one["previous_sha256"]: one["sha256"] for one in made}
    assert len(by_previous) == 6, "no fork"
    at, n = by_previous.get(None), 1
    while at in by_previous:
        at, n = by_previous[at], n + 1
    assert n == 6


def test_a_day_that_is_over_is_final(tenant: TestedAccount) -> None:
    found = closed(tenant, "2026-01-15")
    assert (found["is_final"], found["prefixes"], found["open"]) == (True, [], [])


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "day"),
        ({"day": "2026-02-30"}, "day"),
        ({"day": "2099-01-01"}, "day"),
        ({"day": "2026-01-01", "control": [{"family": "factura", "total": "1"}]}, "control.0.family"),
        ({"day": "2026-01-01", "control": [{"family": "invoice", "total": "1.001"}]}, "control.0.total"),
        ({"day": "2026-01-01", "control": [{"family": "invoice"}]}, "control.0.total"),
    ],
)
def test_a_wrong_payload_is_refused_with_its_field(tenant: TestedAccount, payload: dict[str, Any], field: str) -> None:
    event = tenant.run("day.close", payload)
    assert event["type"] == "job.refused"
    assert event["errors"][0]["field"] == field


def test_a_family_that_the_account_lacks_needs_no_word(tenant: TestedAccount) -> None:
    issue(tenant)
    tenant.change_account(forbidden=["payrolls.*", "adjustment-payrolls.*"])
    found = closed(tenant)
    assert of(found)["issued"] == 1
    assert "warnings" not in found


def test_an_interrupted_reading_goes_on_where_it_was(tenant: TestedAccount) -> None:
    issue(tenant, 2)
    tenant.fault({"kind": "error_before", "status": 503}, on="list", family="debit-notes")
    found = closed(tenant)
    assert of(found)["issued"] == 2
    assert tenant.seen()["operations"]["bills.list"] == 1, "no page is read twice"


def test_a_page_has_a_hundred_rows_and_more_are_read_on(tenant: TestedAccount) -> None:
    for _ in range(105):
        BILLS.at_factus(tenant)
    found = closed(tenant)
    row = of(found)
    assert (row["foreign"], row["span"]) == (105, 105)
    assert len(row["gaps"]) == 105
    assert tenant.seen()["operations"]["bills.list"] == 2
