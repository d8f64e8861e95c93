"""Numbering ranges are noted from the answers of jobs, and scraped."""

from __future__ import annotations

from jobs import answers
from tests.contract.metrics.readers import reader_of
from tests.fakes import FakeFactus
from tests.service_in_process import running, services_on
from worker.speech import ENGLISH
from worker.status.problems import problems
from worker.status.reader import StatusReader


async def test_ranges_are_noted_from_the_answers_of_jobs(redis, namespace):
    row = {"document": "Nota Crédito", "prefix": "NC", "from": 1, "to": 1000, "current": 1001, "end_date": "31-12-2026"}
    sales = {"prefix": "SETP", "from": "990000000", "to": "990000020", "end_date": "2030-01-19"}
    factus = FakeFactus(replies={"GET /v2/numbering-ranges": [answers.Replied({"data": {"data": [row]}})]})

    def with_range(answer):
        answer.document.raw["numbering_range"] = {**sales, "resolution_number": "18760000001"}
        return answer

    factus.script = [with_range]
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push_bill("A")
        await rig.push({"type": "numbering_range.list", "account": "acme", "payload": {}})
        events = await rig.events(2)
        await rig.rest()
        assert all(event["success"] for event in events), events
        seen = await reader_of(built).read()
        told = await StatusReader(redis, built.keys, {}, limit=80, window_s=60.0, results_maxlen=100).overview()
    found = {(one.family, one.prefix): (one.n_left, one.expires_ms, one.is_ending) for one in seen.accounts[0].ranges}
    assert found == {
        ("invoice", "SETP"): (19, 1_895_115_600_000, False),
        ("credit_note", "NC"): (0, None, True),
    }
    (ended,) = [one for one in problems(told, ENGLISH) if one.id == "range.ended"]
    assert (ended.subject, ended.what) == ("acme/NC", "account acme, range NC (credit note): no numbers are left")
    assert factus.calls["GET /v2/numbering-ranges"] == 1, "no call of its own"
