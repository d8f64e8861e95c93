"""
The certificate of a day, of plain facts: classes, days of other zones, control totals, the chain, and what is bounded.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobs.closing.certificate import MOST_GAPS, MOST_JOBS, Gathered, canonical, certificate_of, chained, sha256_of
from jobs.closing.chain import flaws
from jobs.closing.classes import FamilyDay, missing_in_list
from jobs.closing.course import TOO_LONG, ClosingProgress
from jobs.closing.day_index import member_of, read_refusal, refusal_of
from jobs.closing.days import day_of, utc_days
from jobs.closing.ledger_facts import ENDED_FIELDS, ended_job, of_validated
from jobs.closing.numbers import Numbered, Prefixes
from jobs.closing.rows import packed, row_of, unpacked
from jobs.day_facts import Day, EndedJob, KnownDocument, LedgerDay, OpenJob, Row
from jobs.families import FAMILIES
from jobs.outcomes import Finished
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA

DAY = day_of("2026-11-30", BOGOTA)
NOON = DAY.starts_ms + 12 * 3_600_000
AFTER = DAY.ends_ms + 3_600_000


def a_row(n: int, **changes: Any) -> Row:
    row = Row(f"SETP{n}", f"R-{n}", True, Decimal("119.00"), None, NOON)
    return replace(row, **changes)


def known(n: int, **changes: Any) -> KnownDocument:
    document = KnownDocument(f"SETP{n}", True, False, Decimal("119.00"), Decimal("19.00"), "SETP")
    return replace(document, **changes)


def an_end(n: int, type_: str = "invoice.rejected", **changes: Any) -> EndedJob:
    end = EndedJob(
        f"j-{n}", "invoice", f"R-{n}", type_, f"SETP{n}", Decimal("119.00"), Decimal("19.00"), "", "dian.rejected",
        "FAK24", "no", NOON, NOON,
    )  # fmt: skip
    return replace(end, **changes)


def an_open(**changes: Any) -> OpenJob:
    job = OpenJob(
        "j", "invoice", "R-9", "", "waiting", "x", Decimal("119.00"), "2026-11-30", is_bound_to_day=False, sent_ms=0
    )
    return replace(job, **changes)


def made(
    rows: list[Row],
    ours: dict[int, KnownDocument] | None = None,
    ended: tuple[EndedJob, ...] = (),
    still: tuple[OpenJob, ...] = (),
    *,
    made_ms: int = AFTER,
    control: list[dict[str, Any]] | None = None,
    read_from_ms: int = AFTER,
    prefixes: tuple[str, ...] = ("SETP",),
    day: Day = DAY,
    **ledger: Any,
) -> dict[str, Any]:
    found = {f"R-{n}": one for n, one in (ours or {}).items()}
    family = FamilyDay("invoice", rows, found, ended, still, Prefixes(prefixes), read_from_ms)
    facts = LedgerDay(ended, still, **{"since_ms": 0, "forgets_ms": 0, **ledger})
    return certificate_of(Gathered("acme", day, BOGOTA, made_ms, [family], facts, control, 7, {}))


def classes(certificate: dict[str, Any]) -> dict[str, int]:
    (row,) = certificate["prefixes"]
    return {name: row[name] for name in ("issued", "foreign", "deleted", "waiting", "unexplained") if row[name]}


# -- classes -----------------------------------------------------------------------------------------------------------
def test_a_number_given_again_is_that_of_the_document_that_has_it():
    found = made([a_row(1), a_row(2)], {1: known(1), 2: known(2)}, (an_end(2, reference_code="R-0"),))
    assert classes(found) == {"issued": 2}
    assert [one["reference_code"] for one in found["refused"]] == ["R-0"]


def test_a_rejection_that_ended_after_midnight_explains_its_number():
    late = an_end(2, at_ms=DAY.ends_ms + 60_000)
    found = made([a_row(1), a_row(3)], {1: known(1), 3: known(3)}, (late,))
    assert classes(found) == {"issued": 2, "deleted": 1}
    at_the_end = made([a_row(1)], {1: known(1)}, (late,))
    assert at_the_end["prefixes"][0]["last"] == "SETP2"


def test_a_rejection_of_another_day_stretches_no_span():
    yesterday = an_end(7, sent_ms=DAY.starts_ms - 1, at_ms=DAY.starts_ms + 1)
    assert classes(made([a_row(1)], {1: known(1)}, (yesterday,))) == {"issued": 1}


def test_a_removed_document_of_somebody_else_explains_its_number():
    removal = an_end(2, "invoice.delete.completed", code=None, rule=None, reason=None, sent_ms=0)
    found = made([a_row(1), a_row(3)], {1: known(1), 3: known(3)}, (removal,))
    assert classes(found) == {"issued": 2, "deleted": 1}
    assert not found["failed"]


def test_what_was_validated_while_the_list_was_read_is_issued_and_before_it_is_missing():
    end = an_end(2, "invoice.validated")
    later = made([a_row(1)], {1: known(1)}, (end,), read_from_ms=NOON)
    assert classes(later) == {"issued": 2}
    assert later["prefixes"][0]["tax_amount"] == "38.00"
    family = FamilyDay("invoice", [a_row(1)], {}, (end,), (), Prefixes(), NOON + 1)
    assert missing_in_list(family, DAY) == [end]
    missing = made([a_row(1)], {1: known(1)}, (end,), read_from_ms=NOON + 1)
    assert classes(missing) == {"issued": 1, "unexplained": 1}
    assert missing["prefixes"][0]["gaps"][0]["reference_code"] == "R-2"


def test_ours_that_failed_here_and_is_validated_there_is_issued_and_told():
    failed = an_end(1, "invoice.failed", number="", code="factus.unavailable", rule=None)
    found = made([a_row(1)], {1: known(1, number="", is_validated=False)}, (failed,))
    assert classes(found) == {"issued": 1}
    assert [(one["reference_code"], one["number"]) for one in found["failed"]] == [("R-1", "SETP1")]


def test_another_document_under_a_reference_of_ours_is_foreign():
    assert classes(made([a_row(1)], {1: known(5)})) == {"foreign": 1}


def test_a_rejected_document_that_stays_is_waiting_and_says_so():
    row = a_row(1, is_validated=False, rule="FAK24", reason="El DV", is_rejected=True)
    found = made([row], {1: known(1, is_validated=False)})
    assert classes(found) == {"waiting": 1}
    assert "no se ha eliminado" in found["prefixes"][0]["gaps"][0]["reason"]
    assert not found["is_final"]
    assert not made([a_row(1, is_validated=False)])["is_final"], "a foreign one that waits may still be validated"


def test_a_range_set_ahead_by_millions_is_counted_and_not_walked():
    found = made([a_row(1), a_row(900_000_000_000)], {1: known(1), 900_000_000_000: known(900_000_000_000)})
    assert classes(found) == {"issued": 2, "unexplained": 899_999_999_998}
    assert len(found["prefixes"][0]["gaps"]) == MOST_GAPS
    assert found["warnings"][0]["code"] == "left_out"


def test_lists_of_jobs_are_bounded_and_say_so():
    ends = tuple(an_end(n, "job.refused", number="", at_ms=NOON + n) for n in range(MOST_JOBS + 3))
    found = made([], ended=ends)
    assert len(found["refused"]) == MOST_JOBS
    assert found["warnings"][0]["message"].startswith("Sin nombrar, por ser demasiados: 3.")


def test_a_document_whose_amounts_nobody_tells_is_warned_of():
    found = made([a_row(1), a_row(2, reference_code="AJENA", tax_amount=Decimal("5.00"))], {})
    assert [one["code"] for one in found["warnings"]] == ["amount.unknown"]
    assert found["prefixes"][0]["tax_amount"] == "5.00"


@pytest.mark.parametrize(
    ("number", "prefixes", "parts"),
    [
        ("SETP990000001", (), Numbered("SETP", 990000001)),
        ("A12", (), Numbered("A", 12)),
        ("A12", ("A1",), Numbered("A1", 2)),
        ("A12", ("A", "A1"), Numbered("A1", 2)),
        ("A102", ("A1",), Numbered("A", 102)),
        ("990000070", (), Numbered("", 990000070)),
        ("FE", (), Numbered("FE", None)),
        ("FE007", (), Numbered("FE00", 7)),
    ],
)
def test_numbers_are_parted_by_what_is_known_of_their_prefix(number: str, prefixes: tuple[str, ...], parts: Numbered):
    assert Prefixes(prefixes).split(number) == parts


# -- days --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("zone", "first", "last", "hours"),
    [
        ("America/Bogota", "2026-11-30", "2026-11-30", 24),
        ("Europe/Madrid", "2026-11-29", "2026-11-30", 24),
        ("Pacific/Kiritimati", "2026-11-29", "2026-11-30", 24),
        ("Asia/Kathmandu", "2026-11-29", "2026-11-30", 24),
    ],
)
def test_a_day_of_another_zone_touches_two_of_bogota(zone: str, first: str, last: str, hours: int):
    day = day_of("2026-11-30", ZoneInfo(zone))
    assert (day.first_in_bogota, day.last_in_bogota) == (first, last)
    assert day.ends_ms - day.starts_ms == hours * 3_600_000
    assert len(utc_days(day.starts_ms, day.ends_ms - 1)) == (2 if zone != "UTC" else 1)


def test_a_day_on_which_clocks_change_has_its_own_length():
    day = day_of("2026-10-25", ZoneInfo("Europe/Madrid"))
    assert day.ends_ms - day.starts_ms == 25 * 3_600_000


@pytest.mark.parametrize(
    ("job", "is_over", "is_listed"),
    [
        ({}, True, True),
        ({"first_day": "2026-11-29"}, True, False),
        ({"first_day": "2026-11-29"}, False, True),
        ({"first_day": "2026-12-01"}, False, False),
        ({"first_day": "2026-11-29", "is_bound_to_day": True}, False, False),
        ({"first_day": "2026-11-30", "is_bound_to_day": True}, True, True),
        ({"first_day": "2026-11-29", "sent_ms": NOON}, True, True),
        ({"first_day": "2026-11-30", "sent_ms": DAY.ends_ms}, True, False),
    ],
)
def test_what_is_open_belongs_to_the_day_on_which_it_was_or_may_be_sent(
    job: dict[str, Any], is_over: bool, is_listed: bool
):
    found = made([], still=(an_open(**job),), made_ms=AFTER if is_over else NOON)
    assert bool(found["open"]) is is_listed
    assert found["is_final"] is (is_over and not is_listed)


def test_what_the_ledger_does_not_know_is_said():
    younger = made([], since_ms=NOON)["warnings"]
    forgotten = made([], forgets_ms=NOON)["warnings"]
    full = made([], is_full=True)["warnings"]
    assert [one["code"] for one in (*younger, *forgotten, *full)] == [
        "ledger.younger", "ledger.forgotten", "ledger.full",
    ]  # fmt: skip


# -- control totals ----------------------------------------------------------------------------------------------------
def differences(control: dict[str, Any], *args: Any, **kwargs: Any) -> list[tuple[str, Any, Any, str | None]]:
    row = {"family": "invoice", "prefix": "SETP", **control}
    found = made(*args, control=[row], **kwargs)["control"]
    assert found["is_balanced"] is not found["differences"]
    return [(one["what"], one["control"], one["found"], one["reference_code"]) for one in found["differences"]]


def test_a_cent_that_factus_made_of_a_document_is_found_at_it():
    rows = [a_row(1), a_row(2, total=Decimal("119.01"))]
    ours = {1: known(1), 2: known(2)}
    assert differences({"count": 2, "total": "238.00"}, rows, ours) == [("total", "238.00", "238.01", "R-2")]


def test_a_document_that_is_lacking_is_named():
    failed = an_end(2, "invoice.failed", number="", total=Decimal("50.00"))
    assert differences({"count": 2, "total": "169.00"}, [a_row(1)], {1: known(1)}, (failed,)) == [
        ("count", 2, 1, "R-2"), ("total", "169.00", "119.00", "R-2"),
    ]  # fmt: skip


def test_a_difference_that_nothing_explains_names_nobody():
    assert differences({"total": "118.00"}, [a_row(1)], {1: known(1)}) == [("total", "118.00", "119.00", None)]


def test_a_family_that_the_control_does_not_name_is_warned_of():
    found = made([a_row(1)], {1: known(1)}, control=[{"family": "credit_note", "prefix": "NC", "count": 0}])
    assert found["control"] == {"is_balanced": True, "differences": []}
    assert [(one["code"], one["family"]) for one in found["warnings"]] == [("control.partial", "invoice")]


# -- the chain ---------------------------------------------------------------------------------------------------------
def a_chain(n: int) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    previous = None
    for at in range(n):
        one = chained(made([], made_ms=AFTER + at * 1000), previous)
        found.append((f"{at}.json", one))
        previous = one["sha256"]
    return found


def test_a_hash_is_of_the_canonical_text_without_itself():
    one = chained({"ñ": 1, "a": {"c": 1, "b": [None, True]}}, None)
    assert canonical(one) == '{"a":{"b":[null,true],"c":1},"previous_sha256":null,"ñ":1}'.encode()
    assert sha256_of(one) == one["sha256"]


def test_a_whole_chain_has_no_flaw_and_each_flaw_is_told():
    chain = a_chain(4)
    assert flaws(chain) == flaws([*chain, chain[0]]) == []
    assert [one.what for one in flaws(chain[1:])] == ["start"]
    assert [(one.what, one.name) for one in flaws([chain[0], *chain[2:]])] == [("gap", "2.json")]
    fork = chained(made([], made_ms=AFTER + 99_000), chain[0][1]["sha256"])
    assert [(one.what, one.name) for one in flaws([*chain, ("x.json", fork)])] == [("fork", "x.json")]
    bent = {**chain[2][1], "calls": 8}
    assert [(one.what, one.name) for one in flaws([*chain[:2], ("2.json", bent), chain[3]])] == [("changed", "2.json")]


def test_the_same_facts_in_another_order_are_the_same_certificate():
    rows = [a_row(n) for n in (3, 1, 5)]
    ours = {n: known(n) for n in (1, 3, 5)}
    ends = (an_end(2), an_end(9, "invoice.failed", number=""), an_end(8, "job.refused", number=""))
    assert made(rows, ours, ends) == made(rows[::-1], ours, ends[::-1])


# -- reading -----------------------------------------------------------------------------------------------------------
def pages(course: ClosingProgress, times: list[list[int]]) -> list[int]:
    """The pages of the payroll's list that are read, when each has rows of these times."""
    family, asked = FAMILIES["payroll"], []
    course.at = [*FAMILIES].index("payroll")
    while course.family is family:
        asked.append(course.page)
        course.has_read(family, times[course.page - 1] if course.page <= len(times) else [], len(times), DAY)
    return asked


def test_payrolls_are_walked_from_the_newest_until_before_the_day():
    before, after = DAY.starts_ms - 1, AFTER
    newest_first = [[after, after], [after, NOON], [NOON, NOON], [NOON, before], [before, before]]
    assert pages(ClosingProgress(), newest_first) == [1, 2, 3, 4]
    oldest_first = [[before - 9, before], [before, before], [before, NOON], [NOON, after]]
    assert pages(ClosingProgress(), oldest_first) == [1, 4, 3]
    assert pages(ClosingProgress(), [[]]) == [1]


def test_a_list_without_an_end_ends():
    course = ClosingProgress()
    assert len(pages(course, [[AFTER, AFTER]] * 5000)) == 500
    assert course.unread == {"payroll": TOO_LONG}


def test_a_family_that_is_read_again_is_followed_by_nothing_that_was_read():
    course = ClosingProgress(at=len(FAMILIES), began=dict.fromkeys(FAMILIES, 1))
    course.read_again("credit_note")
    assert course.family is FAMILIES["credit_note"]
    assert not course.is_current("credit_note/0/1")
    course.has_read(FAMILIES["credit_note"], [], 1, DAY)
    assert course.family is None


def test_rows_come_back_as_they_were_put_aside():
    raw = {
        "number": "SETP1", "reference_code": "R", "is_validated": False, "total": "1.50",
        "created_at": "30-11-2026 08:21:47 PM", "errors": {"FAK24": "Regla: FAK24, Rechazo: El DV\ud800"},
    }  # fmt: skip
    row = row_of(FAMILIES["invoice"], raw)
    assert row is not None
    assert (row.rule, row.is_rejected, row.total) == ("FAK24", True, Decimal("1.50"))
    at = datetime.fromtimestamp(row.created_ms / 1000, BOGOTA)
    assert at == datetime(2026, 11, 30, 20, 21, 47, tzinfo=BOGOTA) + timedelta()
    assert unpacked(packed([row])) == [row]
    assert row_of(FAMILIES["invoice"], {"total": "1"}) is row_of(FAMILIES["invoice"], "x") is None


def test_what_is_noted_of_an_end():
    error = ErrorDetail(code="payload.invalid", message="m" * 999, rule="GEN-002")
    assert member_of("invoice.issue", "j") == member_of("invoice.delete", "j") == "j"
    assert (
        member_of("invoice.get", "j") == member_of("numbering_range.delete", "j") == member_of("day.close", "j") == ""
    )
    told = read_refusal(refusal_of("invoice.issue", "1-0", "R", error))
    assert told is not None
    assert (told["job_id"], told["reference_code"], told["rule"], len(told["reason"])) == ("1-0", "R", "GEN-002", 300)
    assert refusal_of("company.get", "1-0", None, error) == ""
    assert read_refusal("!x") is read_refusal("j-1") is None


MIDNIGHT = datetime(2026, 12, 1, tzinfo=BOGOTA)


def at(text: str) -> int:
    """An instant around midnight: seconds before or after it, as ms."""
    return round((MIDNIGHT.timestamp() + float(text)) * 1000)


@pytest.mark.parametrize(
    ("sending", "pending", "issued", "expected"),
    [
        ("-40", "20", "-39", "-39"),  # sent, and found waiting on the other side of midnight
        ("-1", "", "1", "1"),  # dated by Factus on the other side
        ("30", "-20", "-19", "-19"),  # sent again after midnight, while DIAN was silent
        ("-40", "20", "", "-40"),  # a record of a former version
        ("30", "-20", "", "-20"),
        ("-40", "", "-86400", "-40"),  # a date that is no such difference
    ],
)
def test_a_document_is_of_the_day_that_factus_gave_it(sending: str, pending: str, issued: str, expected: str) -> None:
    stored = dict.fromkeys(ENDED_FIELDS, "") | {
        "type": "invoice.issue",
        "final_type": "invoice.validated",
        "sending_at": str(at(sending)),
        "pending_since": str(at(pending)) if pending else "",
        "issued_ms": str(at(issued)) if issued else "",
    }
    assert ended_job("j", stored, at("60")).sent_ms == at(expected)


def test_what_is_kept_of_a_validated_document_holds_factus_s_date() -> None:
    data = {"issued_at": "2026-11-30T23:59:59-05:00", "tax_amount": "19.00", "factus": {}}
    assert of_validated(Finished("validated", "", data=data))["issued_ms"] == str(at("-1"))
    assert "issued_ms" not in of_validated(Finished("validated", "", data={**data, "issued_at": None}))
