"""Verbs at their desk: no answer of Factus is an exception, and nothing that would do harm is sent twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from jobs import answers
from jobs.backoff import BackoffPolicy
from jobs.calls import CallContext, CallPolicy, run_call
from jobs.day_facts import Day, KnownDocument, LedgerDay
from jobs.example_payloads import example
from jobs.outcomes import AccountState, AttemptResult, Finished, Retry
from jobs.pagination import MOST_ITEMS
from jobs.ports import Cancellation
from jobs.radian_policy import RadianPolicy
from jobs.registry import FOLLOW_UPS, JOB_TYPES, type_of
from schemas.factus import DocumentView, Remark
from schemas.records import JobRecord
from tests.fakes import FakeFactus, FreeChangeLock, MemoryArchive
from tests.records import NOW_MS, a_job
from tests.unit.jobs.test_issue_policy import EVERY_SEEN

PERSON = {"identification_document_code": "13", "identification": "1", "first_name": "A", "last_name": "B"}
PAYLOADS: dict[str, dict[str, Any]] = {
    **{name: example(name) for name, row in JOB_TYPES.items() if not row.issues},
    "invoice.get": {"number": "SETP1"},
    "invoice.list": {"filters": {"status": "1"}, "all": True},
    "invoice.download": {"number": "SETP1", "kinds": ["pdf"]},
    "invoice.email": {"number": "SETP1", "email": "a@b.co"},
    "invoice.email_content": {"number": "SETP1"},
    "invoice.delete": {"reference_code": "FV-1"},
    "invoice.events": {"number": "SETP1"},
    "invoice.accept": {"number": "SETP1", **PERSON},
    "reception.upload": {"track_id": "a" * 96},
    "reception.list": {},
    "document.download": {"unique_code": "a" * 96},
    "reception.emit_event": {"bill_id": 7, "event_type": "030", **PERSON},
    "numbering_range.list": {},
    "numbering_range.get": {"numbering_range_id": 8},
    "numbering_range.create": {"document": "21", "prefix": "SETP", "resolution_number": "18760000001", "current": 1},
    "numbering_range.update": {"numbering_range_id": 8, "current": 5},
    "numbering_range.set_status": {"numbering_range_id": 8, "is_active": True},
    "numbering_range.delete": {"numbering_range_id": 8},
    "numbering_range.software": {},
    "company.get": {},
    "company.update": {"legal_organization_code": "1", "company": "X", "municipality_code": "11001"},
    "company.logo": {"image_base_64_encoded": "iVBORw0KGgo="},
    "subscription.list": {},
    "acquirer.get": {"identification_document_code": "13", "identification_number": "1"},
    "catalog.search": {"catalog": "municipalities", "query": "bogota"},
    "job.cancel": {"batch": "b"},
    "invoice.archive": {"number": "SETP1", "day": "2026-11-25", "kinds": ["pdf"]},
    "invoice.track": {"number": "SETP1", "day": "2026-11-25"},
}
NEVER_TWICE = ("invoice.email", "reception.emit_event")
LOOKED_AT_FIRST = (
    "invoice.accept",
    "invoice.delete",
    "reception.upload",
    "numbering_range.create",
    "numbering_range.update",
    "numbering_range.set_status",
    "numbering_range.delete",
)
HARMLESS = ("company.update", "company.logo")
BEGUN = {"numbering_range.update": json.dumps({"from": 1})}
"""What the first turn of a job of several turns has written down."""


class Nobody:
    """The port ``Canceller`` where nothing is open."""

    async def cancel(self, job: JobRecord, wanted: Any) -> Cancellation:
        return Cancellation((), 0, ())


class EmptyBook:
    """The port ``DayBook`` where nothing ended, and nothing was put aside."""

    async def keep_page(self, job: JobRecord, name: str, rows: str) -> None:
        pass

    async def pages(self, job: JobRecord) -> Mapping[str, str]:
        return {}

    async def known(self, account: str, family: str, references: Sequence[str]) -> Mapping[str, KnownDocument]:
        return {}

    async def ledger_day(self, account: str, day: Day, now_ms: int) -> LedgerDay:
        return LedgerDay((), (), 0, 0)

    async def foreign_amounts(self, account: str) -> Mapping[str, str]:
        return {}

    async def keep_foreign_amounts(self, account: str, name: str, amounts: str) -> None:
        pass

    async def append(self, job: JobRecord, body: Mapping[str, Any], progress: Mapping[str, Any]) -> dict[str, Any]:
        return {**body, "previous_sha256": None, "sha256": "0" * 64}


class OneAnswer(FakeFactus):
    """A Factus that answers everything alike."""

    def __init__(self, seen: answers.Answer) -> None:
        super().__init__()
        self.seen = seen

    async def find(self, family: str, reference_code: str) -> answers.Answer:
        return self.seen

    async def call(self, request: Any, *, marks: Any = None) -> answers.Answer:
        self.requests.append(request)
        return self.seen


async def turn(type_: str, gateway: FakeFactus, archive: MemoryArchive | None = None, **job: Any) -> AttemptResult:
    family = type_.partition(".")[0]
    about = {"type": type_, "family": family, "lane": "acme/calls", "payload": json.dumps(PAYLOADS[type_])}
    record = a_job(**{**about, "progress": BEGUN.get(type_, ""), **job})
    policy = CallPolicy(record, BackoffPolicy(5.0, 300.0), lambda: 0.0, AccountState(now_ms=NOW_MS))
    work = type_of(type_).work
    assert work
    context = CallContext(
        policy,
        gateway,
        archive or MemoryArchive(),
        FreeChangeLock(),
        RadianPolicy(60.0),
        PERSON,
        canceller=Nobody(),
        day_book=EmptyBook(),
    )
    return await run_call(work, context, now_ms=NOW_MS, day_ends_ms=0, late=type_of(type_).late)


def writes(gateway: FakeFactus) -> list[str]:
    return [f"{request.method} {request.path}" for request in gateway.requests if request.method != "GET"]


def rejected() -> answers.DocumentSeen:
    raw = {"number": "SETP1", "reference_code": "FV-1", "is_validated": False, "errors": ["Regla: FAK24, Rechazo: x"]}
    return answers.DocumentSeen(DocumentView(raw))


def test_every_call_and_every_follow_up_is_tried_here():
    verbs = {name.partition(".")[2] for name in FOLLOW_UPS}
    assert verbs <= {name.partition(".")[2] for name in PAYLOADS}
    assert PAYLOADS.keys() >= {name for name, row in JOB_TYPES.items() if not row.issues}


@pytest.mark.parametrize("type_", PAYLOADS)
async def test_no_answer_is_an_exception(type_):
    for seen in EVERY_SEEN:
        for sent in ("", "unknown", "sending"):
            attempted = await turn(type_, OneAnswer(seen), sent=sent)
            assert isinstance(attempted.ending, Finished | Retry), (seen, sent)


@pytest.mark.parametrize("type_", NEVER_TWICE)
class TestNeverTwice:
    async def test_an_unknown_outcome_ends_the_job_and_says_so(self, type_):
        factus = OneAnswer(answers.Unknown("timeout"))
        attempted = await turn(type_, factus)
        assert isinstance(attempted.ending, Finished)
        assert (attempted.ending.state, attempted.ending.errors[0].code) == ("failed", "factus.unavailable")
        assert "No se sabe si" in attempted.ending.message
        assert attempted.ending.errors[0].retryable is False
        assert len(writes(factus)) == 1

    async def test_a_crash_while_it_was_sent_ends_the_job_without_a_call(self, type_):
        factus = OneAnswer(answers.Replied({}))
        attempted = await turn(type_, factus, sent="sending")
        assert isinstance(attempted.ending, Finished)
        assert attempted.ending.state == "failed"
        assert factus.requests == []

    @pytest.mark.parametrize("seen", [answers.NotSent("sin conexión"), answers.NoPermit(1.0), answers.Throttled(2.0)])
    async def test_what_was_surely_not_sent_is_sent_again(self, type_, seen):
        attempted = await turn(type_, OneAnswer(seen))
        assert isinstance(attempted.ending, Retry)
        assert attempted.ending.sent == ""


@pytest.mark.parametrize("type_", LOOKED_AT_FIRST)
async def test_an_unknown_outcome_is_remembered_until_a_look_settles_it(type_):
    factus = FakeFactus(finds=[rejected()])
    factus.replies["GET /v2/numbering-ranges/8"] = [answers.Replied({"data": {"id": 8, "is_active": 0, "current": 1}})]

    async def lose(request: Any) -> None:
        if request.method != "GET":
            factus.replies[f"{request.method} {request.path}"] = [answers.Unknown("timeout")]

    factus.before_call = lose
    attempted = await turn(type_, factus)
    assert isinstance(attempted.ending, Retry)
    assert attempted.ending.sent == "unknown"
    assert len(writes(factus)) == 1


@pytest.mark.parametrize("type_", LOOKED_AT_FIRST)
@pytest.mark.parametrize("seen", [answers.NoPermit(1.0), answers.Unknown("timeout"), answers.NotSent("sin conexión")])
async def test_a_look_that_does_not_come_through_forgets_nothing(type_, seen):
    attempted = await turn(type_, OneAnswer(seen), sent="unknown")
    assert isinstance(attempted.ending, Retry)
    assert attempted.ending.sent == "unknown"


@pytest.mark.parametrize("type_", ["reception.upload", "numbering_range.create", "invoice.accept"])
@pytest.mark.parametrize("body", [None, {}])
async def test_a_success_that_says_nothing_is_looked_up(type_, body):
    """The id of what was made stands in the answer: without it the producer has nothing to go on with."""
    attempted = await turn(type_, OneAnswer(answers.Replied(body)))
    assert isinstance(attempted.ending, Retry)
    assert attempted.ending.sent == "unknown"


@pytest.mark.parametrize("type_", HARMLESS)
async def test_a_write_that_may_be_repeated_is_repeated_when_the_first_is_settled(type_):
    """One that arrives late would undo what another job has written meanwhile."""
    lost, settled = OneAnswer(answers.Unknown("timeout")), OneAnswer(answers.Replied({"data": {}}))
    attempted = await turn(type_, lost)
    assert isinstance(attempted.ending, Retry)
    assert attempted.ending.sent == "unknown"
    attempted = await turn(type_, settled, sent="unknown", sending_at=NOW_MS - 100)
    assert isinstance(attempted.ending, Retry)
    assert writes(settled) == []
    attempted = await turn(type_, settled, sent="unknown", sending_at=NOW_MS - 10_000)
    assert attempted.ending.state == "completed"
    assert len(writes(settled)) == 1


class TestLooks:
    async def test_an_acceptance_that_is_there_is_not_sent_again(self):
        factus = FakeFactus()
        factus.replies["GET /v2/bills/SETP1/radian/events"] = [answers.Replied({"data": [{"event_code": "034"}]})]
        attempted = await turn("invoice.accept", factus, sent="unknown")
        assert isinstance(attempted.ending, Finished)
        assert attempted.ending.state == "completed"
        assert writes(factus) == []

    async def test_an_acceptance_that_is_not_there_is_sent_again(self):
        factus = FakeFactus()
        factus.replies["GET /v2/bills/SETP1/radian/events"] = [answers.Replied({"data": []})]
        factus.replies["POST /v2/bills/SETP1/radian/events/034"] = [answers.Replied({"data": {"cude": "x"}})]
        attempted = await turn("invoice.accept", factus, sent="unknown")
        assert attempted.ending.data == {"factus": {"cude": "x"}}

    @pytest.mark.parametrize(
        ("refusal", "rows", "state"),
        [
            (answers.RulesRefused((Remark("Evento registrado previamente", "LGC01"),)), ["034"], "completed"),
            (
                answers.FieldsRefused("Regla: LGC01, Rechazo: Evento registrado previamente", ()),
                ["032", "034"],
                "completed",
            ),
            (answers.RulesRefused((Remark("Evento registrado previamente", "LGC01"),)), ["032"], "failed"),
            (answers.RulesRefused((Remark("No es a crédito", "LGC62"),)), ["034"], "failed"),
        ],
    )
    async def test_an_acceptance_that_dian_has_already_is_there_if_the_bill_shows_it(self, refusal, rows, state):
        factus = FakeFactus()
        factus.replies["POST /v2/bills/SETP1/radian/events/034"] = [refusal]
        events = answers.Replied({"data": [{"event_code": code} for code in rows]})
        factus.replies["GET /v2/bills/SETP1/radian/events"] = [events]
        attempted = await turn("invoice.accept", factus)
        assert attempted.ending.state == state
        assert len(writes(factus)) == 1

    @pytest.mark.parametrize(
        "remark", [Remark("No es a crédito", "LGC62"), Remark("Regla: LGC62, Rechazo: No es a crédito")]
    )
    async def test_a_rule_of_dian_is_told_as_a_rule_and_no_field(self, remark):
        factus = FakeFactus()
        factus.replies["POST /v2/bills/SETP1/radian/events/034"] = [answers.RulesRefused((remark,))]
        (told,) = (await turn("invoice.accept", factus)).ending.errors
        assert (told.code, told.message, told.rule, told.field) == (
            "factus.validation",
            "No es a crédito",
            "LGC62",
            None,
        )

    @pytest.mark.parametrize(("held", "n_toggles"), [(0, 1), (1, 0), (False, 1), (True, 0)])
    async def test_a_range_is_toggled_only_when_it_stands_otherwise(self, held, n_toggles):
        factus = FakeFactus()
        factus.replies["GET /v2/numbering-ranges/8"] = [answers.Replied({"data": {"id": 8, "is_active": held}})]
        factus.replies["PATCH /v2/numbering-ranges/8/toggle-status"] = [answers.Replied({"data": {"is_active": 1}})]
        attempted = await turn("numbering_range.set_status", factus, sent="unknown")
        assert attempted.ending.data["is_active"] is True
        assert len(writes(factus)) == n_toggles

    async def test_what_another_has_toggled_in_between_is_not_told_as_done(self):
        factus = FakeFactus()
        factus.replies["GET /v2/numbering-ranges/8"] = [answers.Replied({"data": {"id": 8, "is_active": 0}})]
        factus.replies["PATCH /v2/numbering-ranges/8/toggle-status"] = [answers.Replied({"data": {"is_active": 0}})]
        attempted = await turn("numbering_range.set_status", factus)
        assert isinstance(attempted.ending, Retry)

    async def test_a_counter_is_written_down_before_it_is_moved(self):
        factus = FakeFactus()
        factus.replies["GET /v2/numbering-ranges/8"] = [answers.Replied({"data": {"id": 8, "current": 3}})]
        attempted = await turn("numbering_range.update", factus, progress="")
        assert isinstance(attempted.ending, Retry)
        assert (json.loads(attempted.ending.progress or ""), writes(factus)) == ({"from": 3}, [])

    @pytest.mark.parametrize(
        ("before", "now", "is_done"),
        [(1, 5, True), (1, 9, True), (1, 1, False), (1, 4, False), (9, 5, True), (9, 6, True), (9, 9, False)],
    )
    async def test_a_counter_that_was_moved_is_not_moved_back(self, before, now, is_done):
        """Documents go on from the new number; the second time would take it back, and a number would be used twice."""
        factus = FakeFactus()
        factus.replies["GET /v2/numbering-ranges/8"] = [answers.Replied({"data": {"id": 8, "current": now}})]
        factus.replies["PATCH /v2/numbering-ranges/8/current"] = [answers.Replied({"data": {"id": 8, "current": 5}})]
        attempted = await turn("numbering_range.update", factus, sent="unknown", progress=json.dumps({"from": before}))
        assert attempted.ending.state == "completed"
        assert len(writes(factus)) == (not is_done)

    async def test_a_range_that_was_created_is_found_by_document_and_prefix(self):
        factus = FakeFactus()
        rows = [
            {"prefix": "SETP", "document": "Nota Crédito"},
            {
                "prefix": "SETP",
                "document": "Factura de Venta",
                "id": 7,
                "current": 90,
                "resolution_number": "18760000001",
            },
            {"prefix": "SETP", "document": "Factura de Venta", "id": 9, "resolution_number": "18760000001"},
        ]
        factus.replies["GET /v2/numbering-ranges"] = [
            answers.Replied({"data": {"data": rows, "pagination": {"last_page": 1}}})
        ]
        attempted = await turn("numbering_range.create", factus, sent="unknown")
        assert attempted.ending.data["factus"]["id"] == 9
        assert writes(factus) == []

    async def test_a_range_that_is_gone_was_deleted_by_us(self):
        factus = FakeFactus()
        factus.replies["GET /v2/numbering-ranges"] = [
            answers.Replied({"data": {"data": [], "pagination": {"last_page": 1}}})
        ]
        attempted = await turn("numbering_range.delete", factus, sent="unknown")
        assert attempted.ending.data == {"deleted": True}
        assert writes(factus) == []


class TestDelete:
    @pytest.mark.parametrize(
        ("raw", "word"),
        [
            ({"is_validated": True}, "validado"),
            ({"is_validated": False, "errors": []}, "espera"),
            ({"is_validated": False, "errors": ["Regla: 90, Rechazo: Documento procesado anteriormente."]}, "regla 90"),
        ],
    )
    async def test_only_a_rejected_document_goes(self, raw, word):
        factus = FakeFactus(finds=[answers.DocumentSeen(DocumentView({"number": "SETP1", **raw}))])
        attempted = await turn("invoice.delete", factus)
        assert isinstance(attempted.ending, Finished)
        assert attempted.ending.errors[0].code == "factus.conflict"
        assert word in attempted.ending.message
        assert writes(factus) == []

    async def test_a_rejected_one_is_deleted_by_its_reference(self):
        factus = FakeFactus(finds=[rejected()])
        factus.replies["DELETE /v2/bills/destroy/reference/FV-1"] = [answers.Replied({})]
        attempted = await turn("invoice.delete", factus)
        assert attempted.ending.data == {"deleted": True, "reference_code": "FV-1"}

    async def test_one_that_is_not_there_is_told_and_one_we_may_have_deleted_is_done(self):
        assert (await turn("invoice.delete", FakeFactus())).ending.errors[0].code == "factus.not_found"
        assert (await turn("invoice.delete", FakeFactus(), sent="unknown")).ending.data["deleted"] is True


class TestRefusals:
    async def test_field_errors_travel_one_by_one(self):
        refused = answers.FieldsRefused("Error de validación", (Remark("mal", "email"), Remark("peor", "x")))
        attempted = await turn("invoice.email", OneAnswer(refused))
        assert [(e.code, e.field) for e in attempted.ending.errors] == [
            ("factus.validation", "email"),
            ("factus.validation", "x"),
        ]

    @pytest.mark.parametrize(
        ("type_", "is_retryable"),
        [("reception.upload", False), ("reception.emit_event", False), ("numbering_range.delete", False),
         ("invoice.accept", False), ("invoice.delete", True)],
    )  # fmt: skip
    async def test_a_conflict_is_retryable_only_where_it_can_pass(self, type_, is_retryable):
        """An event that is registered stays so; a document that is under way may be removed later."""
        factus = OneAnswer(answers.Conflicted("ya fue registrado"))
        factus.finds = [rejected()]
        (error,) = (await turn(type_, factus)).ending.errors
        assert (error.code, error.retryable) == ("factus.conflict", is_retryable)

    async def test_a_missing_permission_stops_this_job_only_and_is_told(self):
        attempted = await turn("company.update", OneAnswer(answers.Denied("permission", "sin permiso")))
        assert isinstance(attempted.ending, Retry)
        assert attempted.ending.waits == "job"
        assert attempted.ending.block
        assert attempted.ending.block.scope == "company.update"

    async def test_an_answer_of_the_edge_stops_the_account(self):
        attempted = await turn("company.get", OneAnswer(answers.Denied("edge", "403")))
        assert attempted.ending.waits == "account"

    async def test_a_job_that_keeps_failing_steps_aside(self):
        first = await turn("company.get", OneAnswer(answers.Unknown("500")))
        third = await turn("company.get", OneAnswer(answers.Unknown("500")), failures=2)
        assert (first.ending.waits, third.ending.waits) == ("lane", "job")
        assert first.ending.health == "unknown", "one broken route is no outage of Factus"


class TestLists:
    def page(self, factus: FakeFactus, n: int, last: int, rows: list[Any]) -> answers.Answer:
        pagination = {"total": 9, "per_page": 10, "current_page": n, "last_page": last, "links": ["x"]}
        return answers.Replied({"data": {"data": rows, "pagination": pagination}})

    async def test_all_pages_one_a_turn(self):
        factus = FakeFactus()
        factus.replies["GET /v2/bills"] = [self.page(factus, 1, 2, [1, 2]), self.page(factus, 2, 2, [3])]
        first = await turn("invoice.list", factus)
        assert isinstance(first.ending, Retry)
        assert (first.ending.waits, first.ending.pause_s, first.ending.is_failure) == ("lane", 0.0, False)
        second = await turn("invoice.list", factus, progress=first.ending.progress)
        assert second.ending.data["items"] == [1, 2, 3]
        assert second.ending.data["pagination"]["next_page"] is None
        assert "links" not in second.ending.data["pagination"]
        assert [request.params["page"] for request in factus.requests] == ["1", "2"]
        assert factus.requests[0].params["filter[status]"] == "1"

    async def test_a_row_that_moved_to_the_next_page_is_told_once(self):
        factus = FakeFactus()
        rows = [{"number": "A"}, {"number": "B"}], [{"number": "B"}, {"number": "C"}]
        factus.replies["GET /v2/bills"] = [self.page(factus, 1, 2, rows[0]), self.page(factus, 2, 2, rows[1])]
        first = await turn("invoice.list", factus)
        second = await turn("invoice.list", factus, progress=first.ending.progress)
        assert [row["number"] for row in second.ending.data["items"]] == ["A", "B", "C"]

    async def test_the_limit_says_where_to_go_on(self):
        factus, rows = FakeFactus(), [*range(MOST_ITEMS)]
        factus.replies["GET /v2/bills"] = [self.page(factus, 1, 5, rows)]
        attempted = await turn("invoice.list", factus)
        assert (attempted.ending.data["items"], attempted.ending.data["pagination"]["next_page"]) == (rows, 2)


class TestFiles:
    async def test_a_file_that_is_there_with_other_content_fails_the_download(self):
        archive = MemoryArchive()
        await turn("invoice.archive", FakeFactus(), archive)
        (name,) = archive.files
        archive.files[name] = b"other"
        attempted = await turn("invoice.archive", FakeFactus(), archive)
        assert attempted.ending.errors[0].code == "archive.conflict"
        assert archive.files[name] == b"other"

    async def test_one_conflict_keeps_no_other_file_from_the_archive(self):
        archive, progress = MemoryArchive(), json.dumps({"number": "SETP1", "day": "2026-11-25", "documents": []})
        payload = json.dumps({"number": "SETP1", "day": "2026-11-25", "kinds": ["pdf", "xml"]})
        archive.files["acme/2026/11/25/invoice/SETP1.pdf"] = b"other"
        first = await turn("invoice.archive", FakeFactus(), archive, payload=payload, progress=progress)
        assert isinstance(first.ending, Retry)
        second = await turn("invoice.archive", FakeFactus(), archive, payload=payload, progress=first.ending.progress)
        assert [(error.code, error.message[:12]) for error in second.ending.errors] == [
            ("archive.conflict", "Archivo pdf:")
        ]
        assert "acme/2026/11/25/invoice/SETP1.xml" in archive.files

    async def test_a_file_that_factus_does_not_have_yet_is_asked_for_again(self):
        attempted = await turn("invoice.archive", OneAnswer(answers.NotFound("no")))
        assert isinstance(attempted.ending, Retry)
        assert (await turn("invoice.download", OneAnswer(answers.NotFound("no")))).ending.state == "failed"

    @pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": {"pdf_base_64_encoded": "%%%"}}])
    async def test_an_answer_without_a_file_is_no_file(self, body):
        archive = MemoryArchive()
        attempted = await turn("invoice.archive", OneAnswer(answers.Replied(body)), archive)
        assert isinstance(attempted.ending, Retry)
        assert archive.files == {}


class TestRadian:
    ROW: ClassVar = {"number": "AP68", "cude": "c1", "event_code": "030", "event_name": "Acuse"}

    async def test_each_event_is_news_once(self):
        factus = OneAnswer(
            answers.Replied({"data": [{**self.ROW, "effective_date": "2026-11-05", "effective_time": "16:36:31"}]})
        )
        first = await turn("invoice.track", factus)
        assert first.ending.news[0].data["occurred_at"] == "2026-11-05T16:36:31-05:00"
        assert first.ending.news[0].data["number"] == "SETP1"
        second = await turn("invoice.track", factus, progress=first.ending.progress)
        assert second.ending.news == ()
        assert second.ending.pause_s == 60.0

    async def test_a_claim_ends_it(self):
        rows = [{**self.ROW, "event_code": code, "cude": code} for code in ("032", "031")]
        attempted = await turn("invoice.track", OneAnswer(answers.Replied({"data": rows})))
        assert isinstance(attempted.ending, Finished)
        assert [news.type for news in attempted.ending.news] == [
            *("radian.event", "radian.event", "radian.clock", "radian.claimed")
        ]

    @pytest.mark.parametrize(("code", "kind"), [("033", "express"), ("034", "tacit")])
    async def test_an_acceptance_is_told_and_then_its_evidence_ends_it(self, code, kind):
        rows = [{**self.ROW, "event_code": one, "cude": one} for one in ("032", code)]
        factus, archive = OneAnswer(answers.Replied({"data": rows})), MemoryArchive()
        first = (await turn("invoice.track", factus, archive)).ending
        assert (first.news[-1].type, first.news[-1].data["kind"], archive.files) == ("radian.accepted", kind, {})
        last = (await turn("invoice.track", factus, archive, progress=first.progress)).ending
        assert isinstance(last, Finished)
        assert (last.news, len(factus.requests)) == ((), 1)
        (name,) = archive.files
        assert name == "acme/2026/11/25/invoice/SETP1-radian.json"

    @pytest.mark.parametrize(
        "seen", [answers.NotFound("no"), answers.BadRequest(400, "mal"), answers.Conflicted("409")]
    )
    async def test_a_refusal_ends_no_watch(self, seen):
        """A follower has no final event: an end that nobody hears of would be silent."""
        attempted = await turn("invoice.track", OneAnswer(seen))
        assert isinstance(attempted.ending, Retry)
        assert attempted.ending.pause_s == 60.0

    async def test_odd_times_are_no_times(self):
        attempted = await turn("invoice.track", OneAnswer(answers.Replied({"data": [self.ROW, "x"]})))
        assert attempted.ending.news[0].data["occurred_at"] is None


class TestDownloadByUniqueCode:
    FILE = answers.Replied({"data": {"xml_base_64_encoded": "PEludm9pY2UvPg=="}})

    async def test_a_code_typed_two_ways_is_one_file(self):
        """Or the archive would hold the same document twice, and nobody could say which is meant."""
        archive, factus = MemoryArchive(), OneAnswer(self.FILE)
        ends = [
            await turn("document.download", factus, archive, payload=json.dumps({"unique_code": code * 96}))
            for code in "aA"
        ]
        first, second = (attempted.ending for attempted in ends)
        assert isinstance(first, Finished)
        assert isinstance(second, Finished)
        assert first.data == second.data
        assert first.data["unique_code"] == "a" * 96
        (row,) = first.data["documents"]
        assert (row["kind"], row["bytes"]) == ("xml", 10)
        assert row["uri"].endswith(f"acme/documents/{'a' * 96}.xml")
        assert {request.path for request in factus.requests} == {f"/v2/documents/{'a' * 96}/download-xml"}

    async def test_other_content_under_its_name_is_never_replaced(self):
        archive = MemoryArchive()
        await archive.put(f"acme/documents/{'a' * 96}.xml", b"<Other/>", content_type="application/xml")
        attempted = await turn("document.download", OneAnswer(self.FILE), archive)
        assert isinstance(attempted.ending, Finished)
        assert attempted.ending.errors[0].code == "archive.conflict"


@pytest.mark.parametrize("pagination", ["x", 1, ["a"], True, {"last_page": "x"}, {"last_page": []}, {}, None])
@pytest.mark.parametrize("rows", ["x", [1, None, "x", []], {}, None, []])
@pytest.mark.parametrize("type_", ["reception.upload", "numbering_range.create"])
async def test_a_list_of_any_shape_is_no_defect_of_ours(type_, rows, pagination):
    """A page of strings or numbers where an object should stand ended the job as a defect."""
    factus = FakeFactus()
    listed = answers.Replied({"data": {"data": rows, "pagination": pagination}})
    for path in ("GET /v2/receptions/bills", "GET /v2/numbering-ranges"):
        factus.replies[path] = [listed]
    attempted = await turn(type_, factus, sent="unknown", sending_at=1)
    assert isinstance(attempted.ending, (Finished, Retry))
