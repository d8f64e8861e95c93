"""Files on their way into the archive: only final ones go in, and none that fails keeps another out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs import answers
from jobs.errors import ArchiveUnavailable
from jobs.families import FAMILIES
from jobs.follow_ups import archived_documents
from jobs.outcomes import Finished, Retry
from schemas.contract.event import ErrorDetail
from schemas.factus import DocumentView, Remark
from tests.fakes import FakeFactus, MemoryArchive
from tests.records import NOW_MS, a_job
from tests.unit.jobs.test_calls import PAYLOADS, turn

ALL = ["pdf", "xml", "attached"]
SHOW = "GET /v2/bills/SETP1"
WAYS = ("invoice.archive", "invoice.download")
BEFORE_NOW = {"deadline_at": NOW_MS - 1}


def path(kind: str) -> str:
    return f"GET /v2/bills/SETP1/{FAMILIES['invoice'].kinds[kind]}"


def shown(**raw: Any) -> answers.Replied:
    known = {"number": "SETP1", "reference_code": "FV-1", "created_at": "25-11-2026 08:00:00 AM", "errors": []}
    return answers.Replied({"data": {**known, **raw}})


def a_factus(**replies: list[answers.Answer]) -> FakeFactus:
    """A Factus with a validated document; *replies* to the download of a kind."""
    factus = FakeFactus(replies={SHOW: [shown(is_validated=True)]})
    factus.replies |= {path(kind): seen for kind, seen in replies.items()}
    return factus


@dataclass
class Run:
    """A job that is attempted again and again, as its record says."""

    type_: str
    factus: FakeFactus
    archive: MemoryArchive = field(default_factory=MemoryArchive)
    kinds: list[str] = field(default_factory=lambda: ALL)
    record: dict[str, Any] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    async def attempt(self, **job: Any) -> Finished | Retry:
        payload = json.dumps({"number": "SETP1", "day": "2026-11-25", "kinds": self.kinds})
        attempted = await turn(self.type_, self.factus, self.archive, payload=payload, **self.record, **job)
        ending = attempted.ending
        if isinstance(ending, Retry):
            failures = self.record.get("failures", 0)
            is_step = ending.progress is not None and not ending.is_failure
            self.record |= {
                "failures": 0 if is_step else failures + ending.is_failure,
                "last_error": ending.reason.model_dump_json(),
            }
            if ending.progress is not None:
                self.record["progress"] = ending.progress
            self.pauses.append(ending.pause_s)
        return ending

    async def end(self, *, most: int = 20) -> Finished:
        for _ in range(most):
            ending = await self.attempt()
            if isinstance(ending, Finished):
                return ending
        raise AssertionError(f"no end in {most} attempts: {self.record}")

    async def goes_on(self, attempts: int) -> None:
        for _ in range(attempts):
            assert isinstance(await self.attempt(), Retry)

    async def late(self) -> Finished:
        """Its time is up."""
        ending = await self.attempt(**BEFORE_NOW)
        assert isinstance(ending, Finished)
        return ending

    @property
    def stored(self) -> set[str]:
        ends = {".pdf": "pdf", "-attached.xml": "attached", ".xml": "xml"}
        return {next(kind for end, kind in ends.items() if name.endswith(end)) for name in self.archive.files}


def told(ending: Finished) -> dict[str, str]:
    """The error codes of a failed job by the kind that their messages name."""
    assert ending.state == "failed"
    assert ending.data is None
    assert ending.errors
    return {error.message.removeprefix("Archivo ").partition(":")[0]: error.code for error in ending.errors}


class TestOnlyValidatedDocuments:
    """Before DIAN answers a file is a draft, and a draft under the final name would be there for ever."""

    async def test_one_that_waits_for_dian_is_waited_for(self):
        factus = FakeFactus(replies={SHOW: [shown(is_validated=False), shown(is_validated=True)]})
        run = Run("invoice.download", factus)
        first = await run.attempt()
        assert isinstance(first, Retry)
        assert (first.reason.code, first.waits, first.is_failure, first.pending) == ("dian.pending", "job", True, False)
        assert run.archive.files == {}
        ended = await run.end()
        assert (ended.state, run.stored) == ("completed", {*ALL})
        assert factus.calls[SHOW] == 2

    async def test_the_pauses_grow_and_at_last_it_fails_with_what_it_waited_for(self):
        run = Run("invoice.download", FakeFactus(replies={SHOW: [shown(is_validated=False)]}))
        await run.goes_on(4)
        assert run.pauses == [2.5, 5.0, 10.0, 20.0]
        ended = await run.late()
        assert (ended.state, [error.code for error in ended.errors]) == ("failed", ["dian.pending"])
        assert ended.errors[0].retryable
        assert run.archive.files == {}

    @pytest.mark.parametrize(
        ("remark", "word"),
        [
            ("Regla: FAK24, Rechazo: malo", "rechazó"),
            ("Regla: 90, Rechazo: Documento procesado anteriormente.", "regla 90"),
        ],
    )
    async def test_one_that_dian_rejected_has_nothing_to_archive(self, remark, word):
        factus = FakeFactus(replies={SHOW: [shown(is_validated=False, errors=[remark])]})
        ended = await Run("invoice.download", factus).attempt()
        assert isinstance(ended, Finished)
        assert (ended.state, ended.errors[0].code, ended.errors[0].field) == ("failed", "factus.conflict", "number")
        assert word in ended.message
        assert "no hay archivos que guardar" in ended.message
        assert not ended.errors[0].retryable

    @pytest.mark.parametrize("raw", [{}, {"is_validated": None}, {"is_validated": 1}, {"is_validated": "true"}])
    async def test_one_of_which_factus_does_not_say_it_is_asked_for_again(self, raw):
        """Not even a rejection is believed then: the remarks of a document may be anything."""
        run = Run("invoice.download", FakeFactus(replies={SHOW: [shown(errors=["Regla: X, Rechazo: y"], **raw)]}))
        ending = await run.attempt()
        assert isinstance(ending, Retry)
        assert (ending.reason.code, ending.waits) == ("factus.unavailable", "job")
        assert run.archive.files == {}

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize(
        ("raw", "code"),
        [({}, "dian.pending"), ({"errors": {"FAK24": "Regla: FAK24, Rechazo: malo"}}, "factus.conflict")],
    )
    async def test_no_family_is_an_exception(self, family, raw, code, monkeypatch):
        monkeypatch.setitem(PAYLOADS, f"{family}.download", {"reference_code": "FV-1"})
        document = DocumentView({"number": "X1", "is_validated": False, "errors": [], **raw})
        factus, archive = FakeFactus(finds=[answers.DocumentSeen(document)]), MemoryArchive()
        ending = (await turn(f"{family}.download", factus, archive)).ending
        assert (ending.reason if isinstance(ending, Retry) else ending.errors[0]).code == code
        assert (archive.files, factus.requests) == ({}, [])


@pytest.mark.parametrize("type_", WAYS)
class TestOneFileFails:
    @pytest.mark.parametrize("kind", ALL)
    @pytest.mark.parametrize(
        "seen", [answers.Unknown("503"), answers.Replied({"data": {}}), answers.Denied("permission", "no")]
    )
    async def test_the_others_are_archived_meanwhile(self, type_, kind, seen):
        run = Run(type_, a_factus(**{kind: [seen]}))
        await run.goes_on(8)
        assert run.stored == {*ALL} - {kind}
        del run.factus.replies[path(kind)]
        ended = await run.end()
        assert (ended.state, run.stored) == ("completed", {*ALL})
        assert {row["kind"] for row in ended.data["documents"]} == {*ALL}

    async def test_two_that_fail_take_turns_and_the_pauses_grow(self, type_):
        run = Run(type_, a_factus(pdf=[answers.Unknown("503")], attached=[answers.Unknown("503")]))
        await run.goes_on(3)
        assert run.stored == {"xml"}
        run.pauses.clear()
        run.factus.calls.clear()
        await run.goes_on(6)
        asked = [run.factus.calls[path(kind)] for kind in ALL]
        assert asked == [3, 0, 3]
        assert run.pauses == sorted(set(run.pauses)), "each longer than the one before"

    @pytest.mark.parametrize("kind", ALL)
    @pytest.mark.parametrize(
        "seen",
        [
            answers.BadRequest(410, "no hay"),
            answers.FieldsRefused("no hay", (Remark("mal", "a"), Remark("peor", "b"))),
            answers.Conflicted("no"),
        ],
    )
    async def test_a_refusal_is_told_at_the_end_and_the_others_go_on(self, type_, kind, seen):
        run = Run(type_, a_factus(**{kind: [seen]}))
        ended = await run.end()
        assert run.stored == {*ALL} - {kind}
        assert list(told(ended)) == [kind]
        assert run.factus.calls[path(kind)] == 1
        assert f"sin guardar: {kind}." in ended.message
        for other in {*ALL} - {kind}:
            assert f"{other} en memory:///acme/2026/11/25/invoice/SETP1" in ended.message

    async def test_one_error_for_each_that_is_missing(self, type_):
        run = Run(type_, a_factus(xml=[answers.BadRequest(400, "mal pedido")]))
        run.archive.files["acme/2026/11/25/invoice/SETP1.pdf"] = b"other"
        ended = await run.end()
        assert told(ended) == {"pdf": "archive.conflict", "xml": "factus.validation"}
        assert "mal pedido" in ended.errors[1].message
        assert run.stored == {"pdf", "attached"}

    async def test_several_faults_of_one_file_are_one_error(self, type_):
        run = Run(
            type_, a_factus(pdf=[answers.FieldsRefused("no", (Remark("mal", "a"), Remark("peor", "b")))]), kinds=["pdf"]
        )
        ended = await run.end()
        assert [(error.message, error.field) for error in ended.errors] == [("Archivo pdf: mal; peor", None)]

    async def test_a_storage_that_is_away_for_a_while_costs_nothing(self, type_):
        run = Run(type_, a_factus(), MemoryArchive(faults=[ArchiveUnavailable("lleno")] * 4))
        assert (await run.end()).state == "completed"
        assert run.stored == {*ALL}

    async def test_what_says_nothing_of_the_file_changes_nothing(self, type_):
        run = Run(type_, a_factus(pdf=[answers.NoPermit(1.0), answers.Throttled(2.0), answers.Replied({"data": {}})]))
        await run.goes_on(2)
        assert [run.factus.calls[path(kind)] for kind in ALL] == [2, 0, 0]
        assert not run.record.get("progress")

    async def test_the_good_path_asks_for_each_file_once(self, type_):
        run = Run(type_, a_factus())
        assert (await run.end()).state == "completed"
        n_shown = 1 if type_ == "invoice.download" else 0
        assert len(run.factus.requests) == len(ALL) + n_shown
        assert run.pauses == [0.0, 0.0]

    async def test_a_failure_forgets_no_look_up(self, type_):
        """The document is validated and stays so: it is not looked at again for a file that is late."""
        run = Run(type_, a_factus(pdf=[answers.Unknown("503")]), kinds=["pdf"])
        await run.goes_on(4)
        assert run.factus.calls[SHOW] == (1 if type_ == "invoice.download" else 0)


class TestNotThereYet:
    async def test_what_follows_a_document_waits_for_a_file_that_factus_does_not_have(self):
        run = Run("invoice.archive", a_factus(pdf=[answers.NotFound("no")]))
        await run.goes_on(6)
        assert run.stored == {"xml", "attached"}
        assert told(await run.late()) == {"pdf": "factus.not_found"}

    async def test_a_download_is_told_at_once(self):
        run = Run("invoice.download", a_factus(pdf=[answers.NotFound("no")]))
        assert told(await run.end()) == {"pdf": "factus.not_found"}
        assert run.stored == {"xml", "attached"}


@pytest.mark.parametrize("type_", WAYS)
class TestTimeIsUp:
    async def test_each_missing_file_says_why(self, type_):
        run = Run(type_, a_factus(pdf=[answers.Unknown("503")], xml=[answers.BadRequest(400, "mal")]))
        await run.goes_on(5)
        ended = await run.late()
        assert told(ended) == {"pdf": "factus.unavailable", "xml": "factus.validation"}
        assert "503" in ended.errors[0].message
        assert "attached en memory:///" in ended.message
        assert [row["kind"] for row in ended.archived] == ["attached"]

    async def test_one_that_never_had_its_turn_has_the_job_s_last_error(self, type_):
        run = Run(type_, a_factus(pdf=[answers.Unknown("503")]))
        await run.goes_on(1)
        assert told(await run.late()) == dict.fromkeys(ALL, "factus.unavailable")

    async def test_what_nobody_began_expires_as_before(self, type_):
        ending = await Run(type_, a_factus()).attempt(expires_at=NOW_MS - 1)
        assert [error.code for error in ending.errors] == ["job.expired"]


def test_the_record_keeps_what_was_archived_of_a_job_that_failed():
    """Whoever pushes the document again is told of it (``documents``)."""
    job = a_job(type="invoice.archive", parent="job-1")
    reason = ErrorDetail(code="factus.not_found", message="no")
    failed = Finished("failed", "no", errors=(reason,), archived=({"kind": "xml"},))
    assert json.loads(archived_documents(job, failed)) == {"documents": [{"kind": "xml"}]}
    assert archived_documents(job, Finished("failed", "no", errors=(reason,))) == ""


async def test_progress_of_an_earlier_version_is_understood():
    progress = {"number": "SETP1", "day": "2026-11-25", "documents": [], "conflicts": {"pdf": "file:///x"}}
    run = Run("invoice.download", a_factus(), record={"progress": json.dumps(progress)})
    assert told(await run.end()) == {"pdf": "archive.conflict"}
    assert run.stored == {"xml", "attached"}
