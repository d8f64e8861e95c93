"""Ten seeds of the simulation with every run of the tests; the thousands are `make simulate`."""

from __future__ import annotations

import pytest

from tests.simulation import quick
from tests.simulation.cargo import Push
from tests.simulation.verdict import Evidence, judge


def test_ten_storms_lose_double_and_forge_nothing():
    tally = quick.run_quick(range(10))
    assert not tally.failed, "\n".join(story.tell() for story in tally.failed)
    assert tally.counts["validated"] > 50, "the storms leave something to check"


def test_a_seed_is_one_course_of_events():
    """What a failing run prints can be repeated, step by step."""
    with quick.service_at(quick.VIRTUAL):
        first, second = quick.play_virtual(3), quick.play_virtual(3)
    assert [event["id"] for event in first.events] == [event["id"] for event in second.events]
    assert first.virtual_s == second.virtual_s


class TestTheVerdictSees:
    """Each kind of harm, planted in the evidence of a calm run."""

    @pytest.fixture
    def evidence(self) -> Evidence:
        push = Push(b"{}", 0.0, "bill", "a", "one", "R1", "100.00", "900", "c", "f", entry="1-0")
        data = {"number": "N1", "total": "100.00", "reference_code": "R1", "replayed": False}
        event = {"id": "a/one/1", "seq": 1, "type": "invoice.validated", "job_id": "one", "account": "a"}
        event |= {"attempts": 1, "data": data, "errors": None}
        row = {"reference_code": "R1", "number": "N1", "total": "100.00", "customer": "900", "state": "validated"}
        row |= {"is_foreign": False, "errors": {}}
        bills = {"validated": 1, "forbidden_deletes": [], "duplicates": {"references": [], "same_content": []}}
        account = {"requests": {"create": 1}, "limit": 80, "max_in_fixed_window": 1, "rate_limited": 0}
        report = {"accounts": {"a": {**account, "families": {"bills": bills}}}}
        return Evidence([push], [event], {"a": [row]}, report, frozenset())

    @staticmethod
    def columns(evidence: Evidence) -> set[str]:
        return {column for column, count in judge(evidence).forbidden.items() if count}

    def test_nothing_in_a_calm_run(self, evidence):
        assert self.columns(evidence) == set()

    def test_a_lost_job(self, evidence):
        evidence.events = []
        assert self.columns(evidence) == {"lost", "silent"}

    def test_two_final_events(self, evidence):
        evidence.events = [evidence.events[0], evidence.events[0] | {"id": "a/one/2", "seq": 2}]
        assert self.columns(evidence) == {"two finals"}

    def test_a_gap(self, evidence):
        evidence.events[0]["seq"] = 2
        assert self.columns(evidence) == {"gaps in seq"}

    def test_another_total(self, evidence):
        evidence.documents["a"][0]["total"] = "101.00"
        assert self.columns(evidence) == {"wrong totals"}

    def test_a_success_that_factus_does_not_know(self, evidence):
        evidence.documents["a"].clear()
        assert self.columns(evidence) == {"silent"}

    def test_a_document_that_nobody_asked_for_again(self, evidence):
        evidence.report["accounts"]["a"]["families"]["bills"]["duplicates"]["references"] = ["R1"]
        assert self.columns(evidence) == {"duplicated at Factus"}

    def test_a_forbidden_delete(self, evidence):
        evidence.report["accounts"]["a"]["families"]["bills"]["forbidden_deletes"] = ["R1"]
        assert self.columns(evidence) == {"forbidden deletes"}

    def test_a_rejection_left_behind(self, evidence):
        evidence.documents["a"].append(evidence.documents["a"][0] | {"reference_code": "R2", "state": "rejected"})
        assert self.columns(evidence) == {"left behind"}

    def test_one_request_too_many(self, evidence):
        evidence.report["accounts"]["a"]["max_in_fixed_window"] = 81
        assert self.columns(evidence) == {"unplanned 429"}

    def test_an_internal_failure(self, evidence):
        error = {"code": "internal"}
        evidence.events[0] |= {"type": "invoice.failed", "data": None, "errors": [error]}
        evidence.documents["a"].clear()
        assert self.columns(evidence) == {"wrong outcome"}
