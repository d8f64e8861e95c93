"""A family that a document of ours bars is mended, whatever our record says of it; nobody else's is ever touched."""

from __future__ import annotations

import pytest

from jobs import answers
from schemas.factus import DocumentView, Remark
from tests.fakes import FakeFactus, Stored
from tests.service_in_process import quick

REJECTION = "Regla: FAK24, Rechazo: No está informado el DV del NIT"
PROCESSED = "Regla: 90, Rechazo: Documento procesado anteriormente."
FIELDS = answers.FieldsRefused("Error de validación", (Remark("mal", "customer.dv"),))


class Barred(FakeFactus):
    """Answers 409 while a document that is not validated is stored, as Factus does."""

    async def create(self, job, *, latest_ms):
        if not self.script and any(not held.raw["is_validated"] for held in self.documents.values()):
            self._note("create")
            return answers.Conflicted("Se encontró una factura pendiente por enviar a la DIAN")
        return await super().create(job, latest_ms=latest_ms)

    async def find_unvalidated(self, family):
        self._note("find_unvalidated")
        left = [held for held in self.documents.values() if not held.raw["is_validated"]]
        return answers.DocumentSeen(DocumentView(left[0].raw)) if left else answers.Absent()

    def leave(self, reference, *errors, is_validated=False):
        raw = {"reference_code": reference, "number": "SETP77", "is_validated": is_validated, "errors": [*errors]}
        self.documents[reference] = Stored("SETP77", raw)


@pytest.fixture
def factus():
    return Barred()


async def ended_without_us(rig, factus, reference, **envelope):
    """A job of ours that is final, while Factus keeps its document: the refusal was read wrongly, once."""
    factus.script = [FIELDS]
    await rig.push_bill(reference, **envelope)
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.rejected"


async def test_one_that_dian_rejected_is_removed_and_the_family_goes_on(rig, factus):
    await ended_without_us(rig, factus, "OLD")
    factus.leave("OLD", REJECTION)
    await rig.push_bill("NEW")
    (event,) = await rig.events(1)
    assert (event["type"], event["reference_code"], factus.deleted) == ("invoice.validated", "NEW", ["OLD"])


async def test_its_reference_is_not_free_while_the_delete_may_still_arrive(rig, factus):
    await ended_without_us(rig, factus, "OLD")
    factus.leave("OLD", REJECTION)
    keys, redis = rig.services.keys, rig.services.redis
    seen_at_delete = []
    delete = factus.delete

    async def watched(job, reference, *, settle_ms):
        seen_at_delete.append(await redis.hget(keys.document("acme", "invoice", "OLD"), "free_at"))
        return await delete(job, reference, settle_ms=settle_ms)

    factus.delete = watched
    await rig.push_bill("NEW")
    await rig.events(1)
    assert len(seen_at_delete) == 1
    assert int(seen_at_delete[0]) > 0, "written down before the first byte of the DELETE"


@pytest.mark.parametrize(
    "answer",
    [answers.Unknown("sin respuesta"), answers.Conflicted("409"), answers.NotSent("x"), answers.Misrouted(404)],
)
async def test_a_removal_that_is_not_done_is_tried_again(rig, factus, answer):
    await ended_without_us(rig, factus, "OLD")
    factus.leave("OLD", REJECTION)
    factus.deletes = [answer]
    await rig.push_bill("NEW")
    while (event := (await rig.events(1))[0])["job_id"] is None:
        continue
    assert (event["type"], factus.deleted) == ("invoice.validated", ["OLD"])


@pytest.mark.service(policies=quick(patience={"foreign_ms": 100}))
async def test_one_that_was_to_stay_stays(rig, factus):
    await ended_without_us(rig, factus, "OLD", options={"delete_rejected": False})
    factus.leave("OLD", REJECTION)
    await rig.push_bill("NEW")
    (event,) = await rig.events(1)
    assert (event["type"], factus.deleted) == ("account.blocked", [])
    assert "OLD" in event["errors"][0]["message"]


@pytest.mark.service(policies=quick(patience={"foreign_ms": 100}))
@pytest.mark.parametrize("errors", [(), ("Regla: RUT01, Notificación: x",), (PROCESSED,)])
async def test_one_that_waits_for_dian_or_that_dian_has_is_never_removed(rig, factus, errors):
    await ended_without_us(rig, factus, "OLD")
    factus.leave("OLD", *errors)
    await rig.push_bill("NEW")
    (event,) = await rig.events(1)
    assert (event["type"], factus.deleted) == ("account.blocked", [])
    factus.leave("OLD", is_validated=True)
    validated = await rig.events(2)
    assert {event["type"] for event in validated} == {"invoice.validated", "account.resumed"}


@pytest.mark.service(policies=quick(patience={"foreign_ms": 100}))
async def test_somebody_else_s_is_never_removed(rig, factus):
    factus.leave("AJENO", REJECTION)
    await rig.push_bill("NEW")
    (event,) = await rig.events(1)
    assert (event["type"], factus.deleted) == ("account.blocked", [])
    assert "AJENO" in event["errors"][0]["message"]


async def test_a_refusal_that_cannot_be_read_is_looked_into_and_what_dian_rejected_is_removed(rig, factus):
    """F50: DIAN rejected it, Factus kept it, and the answer came cut."""

    def cut(_answer):
        factus.leave("A", REJECTION)
        return answers.Unknown("Factus respondió 422 y su respuesta no se puede leer", 422)

    factus.script = [cut]
    await rig.push_bill("A")
    await rig.push_bill("B")
    events = await rig.events(2)
    assert [(e["type"], e["reference_code"]) for e in events] == [("invoice.rejected", "A"), ("invoice.validated", "B")]
    assert (events[0]["data"], events[0]["errors"][0]["rule"]) == ({"number": "SETP77"}, "FAK24")
    assert factus.deleted == ["A"]


async def test_a_defect_behind_it_tells_nobody_its_number(rig, factus, monkeypatch):
    """Whoever reads that Factus has the document SETP77 books a stranger's as his own."""
    await ended_without_us(rig, factus, "OLD")
    factus.leave("OLD", PROCESSED)
    monkeypatch.setattr("jobs.issue_policy.IssuePolicy.after_blocker", lambda *_, **__: 1 / 0)
    await rig.push_bill("NEW", id="new")
    (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "internal")
    assert "SETP77" not in event["message"]
    assert await rig.services.redis.hget(rig.services.keys.job("acme", "new"), "number") in (None, b"")
