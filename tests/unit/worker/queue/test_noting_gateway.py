"""What is noted of an attempt on its way: a number counts while Factus has the job's own document, and no other's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jobs import answers
from jobs.answers import Answer
from jobs.outcomes import AccountState
from schemas.factus import DocumentView
from tests.fakes import FakeFactus
from tests.records import NOW_MS, a_job
from worker.queue.noting_gateway import NotingGateway, sent_ms

OWN, OTHERS = "MINE-1", "OTHERS-1"
JOB = a_job(reference_code=OWN)


def seen(reference: str | None, number: str) -> Answer:
    return answers.DocumentSeen(DocumentView({"reference_code": reference, "number": number}))


async def noted(*, shown: Answer, then: str) -> str:
    """The number after Factus has shown a document, and has been asked for one thing more."""
    factus = FakeFactus(finds=[shown], blocker=seen(OTHERS, "SETP9"))
    gateway = NotingGateway(factus, OWN)
    await gateway.find("invoice", OWN)
    match then:
        case "nothing":
            pass
        case "look at another":
            factus.finds = [seen(OTHERS, "SETP9")]
            await gateway.find("invoice", OTHERS)
        case "another is not there":
            await gateway.find("invoice", OTHERS)
        case "what bars the family":
            await gateway.find_unvalidated("invoice")
        case "remove another":
            factus.deletes = [answers.Done()]
            await gateway.delete(JOB, OTHERS, settle_ms=0)
        case "a create shows another":
            factus.script = [seen(OTHERS, "SETP9")]
            await gateway.create(JOB, latest_ms=0)
        case "own is removed":
            factus.deletes = [answers.Done()]
            await gateway.delete(JOB, OWN, settle_ms=0)
        case "own was not there to remove":
            factus.deletes = [answers.Absent()]
            await gateway.delete(JOB, OWN, settle_ms=0)
        case "own may be removed":
            factus.deletes = [answers.Unknown("sin respuesta", 0)]
            await gateway.delete(JOB, OWN, settle_ms=0)
        case "own is gone":
            await gateway.find("invoice", OWN)
    return gateway.number


@pytest.mark.parametrize(
    "then",
    [
        "nothing",
        "look at another",
        "another is not there",
        "what bars the family",
        "remove another",
        "a create shows another",
        "own may be removed",
    ],
)
async def test_the_number_is_that_of_the_job_s_own_document(then):
    assert await noted(shown=seen(OWN, "SETP1"), then=then) == "SETP1"


@pytest.mark.parametrize("then", ["look at another", "what bars the family", "a create shows another"])
async def test_no_number_is_taken_from_another_s_document(then):
    assert await noted(shown=answers.Absent(), then=then) == ""


@pytest.mark.parametrize("then", ["own is removed", "own was not there to remove", "own is gone"])
async def test_a_number_that_factus_no_longer_has_is_not_told(then):
    assert await noted(shown=seen(OWN, "SETP1"), then=then) == ""


async def test_a_document_that_names_no_reference_is_the_one_that_was_asked_for():
    assert await noted(shown=seen(None, "SETP1"), then="nothing") == "SETP1"


SECOND_MS = 1000


@pytest.mark.parametrize(
    ("job", "sent_s", "expected"),
    [
        ({}, None, (0, 0)),
        ({}, (1.0, 3.0), (NOW_MS + SECOND_MS, NOW_MS + 3 * SECOND_MS)),
        ({"sending_at": NOW_MS - 60}, None, (NOW_MS - 60, NOW_MS - 60)),
        ({"sending_at": NOW_MS - 60}, (1.0, 3.0), (NOW_MS - 60, NOW_MS + 3 * SECOND_MS)),
        ({"sending_at": NOW_MS - 60, "pending_since": NOW_MS - 20}, (1.0, 3.0), (NOW_MS - 60, NOW_MS - 60)),
        ({"sending_at": NOW_MS - 20, "pending_since": NOW_MS - 60}, (1.0, 3.0), (NOW_MS - 60, NOW_MS - 60)),
    ],
)
def test_factus_got_a_document_between_its_first_sending_and_the_answer(job, sent_s, expected):
    """An earlier send that had no answer may be the one; what is sent again while DIAN is silent is not."""
    gateway = NotingGateway(FakeFactus(), OWN, sent_s=sent_s)
    claimed = SimpleNamespace(job=a_job(**job), standing=AccountState(NOW_MS))
    assert sent_ms(claimed, gateway) == expected
