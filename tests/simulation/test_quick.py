"""A few seeds of the simulation with every run of the tests; the thousands are `make simulate`."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from tests.simulation import quick
from tests.simulation.checker import judge
from tests.simulation.history import Evidence, Verdict
from tests.simulation.options import SimOptions
from tests.simulation.report import Story
from tests.simulation.workload import Push


def test_storms_lose_double_and_forge_nothing():
    tally = quick.run_quick(range(6))
    assert not tally.failed, "\n".join(story.tell() for story in tally.failed)
    assert tally.counts["validated"] > 50, "the storms leave something to check"
    assert tally.counts["files"] > 10
    assert tally.counts["RADIAN events"] > 5
    assert tally.counts["call completed"] > 10


def test_a_seed_is_one_course_of_events():
    """What a failing run prints can be repeated, step by step."""
    with quick.logs_in_courses():
        first, second = quick.play_virtual(3), quick.play_virtual(3)
    assert [event["id"] for event in first.events] == [event["id"] for event in second.events]
    assert first.virtual_s == second.virtual_s


def test_the_options_of_a_seed_are_always_the_same_and_told_with_its_failure():
    options = SimOptions.draw(7)
    assert options == SimOptions.draw(7)
    verdict = Verdict()
    verdict.blame("lost", "one job has no end")
    told = Story(7, verdict, [], [], {}, {}, options, [], is_real=False).tell()
    assert all(line in told for line in options.tell())
    assert "n_jobs" in told
    assert "make simulate SEED=7 SEEDS=1" in told


def test_the_options_of_all_seeds_differ():
    drawn = [SimOptions.draw(seed) for seed in range(200)]
    assert {options.n_workers for options in drawn} == {1, 2}
    assert {len(options.accounts) for options in drawn} == {1, 2, 3}
    assert {bool(options.own_streams) for options in drawn} == {False, True}
    assert len({options.rules[0]["share"] for options in drawn}) > 100
    starts = [options.starts_at for options in drawn]
    assert {start.hour for start in starts} == {10, 23}
    assert any((start + timedelta(seconds=3)).day == 1 for start in starts), "the edge of a month"


FILE = b"<xml/>"
URI = "file:///a/N1.xml"
PROOF = "memory:///a/2026/11/25/invoice/N1-radian.json"


class TestTheVerdictSees:
    """Each kind of harm, planted in the evidence of a calm run."""

    @pytest.fixture
    def evidence(self) -> Evidence:
        pushes = [
            Push(
                *(b"{}", 0.0, "document", "a", "one", "R1", "100.00", "900", "c", "f"),
                entry="1-0",
                archives=frozenset({"xml"}),
                tracks=True,
            ),
            Push(b"{}", 0.0, "call", "a", "mail", content="m", entry="2-0", type="invoice.email", target="N9"),
        ]
        data = {"number": "N1", "total": "100.00", "reference_code": "R1", "replayed": False}
        row = {"kind": "xml", "uri": URI, "sha256": hashlib.sha256(FILE).hexdigest(), "bytes": len(FILE)}
        events = [
            self.event(1, "invoice.validated", data),
            self.event(2, "invoice.archived", {"number": "N1", "documents": [row]}),
            self.event(1, "invoice.email.completed", {"sent": True}, job_id="mail"),
        ]
        radian = [
            self.event(3, "radian.event", {"number": "N1", "cude": "c1", "event_code": "033"}),
            self.event(4, "radian.accepted", {"number": "N1", "cude": "c1", "kind": "express"}),
        ]
        document = {"reference_code": "R1", "number": "N1", "total": "100.00", "customer": "900", "state": "validated"}
        document |= {"is_foreign": False, "errors": {}}
        bills = {"validated": 1, "forbidden_deletes": [], "duplicates": {"references": [], "same_content": []}}
        account = {"requests": {"create": 1}, "limit": 80, "max_in_fixed_window": 1, "rate_limited": 0}
        account |= {"operations": {"bills.email": 1}, "changes": {"bills.email": {"N9": 1}}}
        return Evidence(
            pushes,
            events,
            {("a", "invoice"): [document]},
            {"accounts": {"a": {**account, "families": {"bills": bills}}}},
            frozenset(),
            radian=radian,
            radian_at_factus={("a", "N1"): ["c1"]},
            files={URI: FILE, PROOF: b"{}"},
            served=lambda *_names: FILE,
        )

    @staticmethod
    def event(seq: int, type_: str, data: dict, job_id: str = "one") -> dict:
        head = {"id": f"a/{job_id}/{seq}", "seq": seq, "type": type_, "job_id": job_id, "account": "a"}
        return {**head, "success": True, "attempts": 1, "data": data, "errors": None}

    @staticmethod
    def columns(evidence: Evidence) -> set[str]:
        return {column for column, count in judge(evidence).forbidden.items() if count}

    @staticmethod
    def account(evidence: Evidence) -> dict:
        return evidence.report["accounts"]["a"]

    def test_nothing_in_a_calm_run(self, evidence):
        assert judge(evidence).violations == []

    def test_a_lost_job(self, evidence):
        evidence.events = evidence.events[2:]
        evidence.radian = []
        assert self.columns(evidence) == {"lost", "silent"}

    def test_two_final_events(self, evidence):
        again = evidence.events[0] | {"id": "a/one/5", "seq": 5}
        evidence.events = [*evidence.events, again]
        assert self.columns(evidence) == {"two finals"}

    def test_a_gap(self, evidence):
        evidence.events[2]["seq"] = 2
        assert self.columns(evidence) == {"gaps in seq"}

    def test_another_total(self, evidence):
        evidence.documents["a", "invoice"][0]["total"] = "101.00"
        assert self.columns(evidence) == {"wrong totals"}

    def test_a_success_that_factus_does_not_know(self, evidence):
        evidence.documents["a", "invoice"].clear()
        assert self.columns(evidence) == {"silent"}

    def test_a_document_that_nobody_asked_for_again(self, evidence):
        self.account(evidence)["families"]["bills"]["duplicates"]["references"] = ["R1"]
        assert self.columns(evidence) == {"duplicated at Factus"}

    def test_a_forbidden_delete(self, evidence):
        self.account(evidence)["families"]["bills"]["forbidden_deletes"] = ["R1"]
        assert self.columns(evidence) == {"forbidden deletes"}

    def test_a_rejection_left_behind(self, evidence):
        rows = evidence.documents["a", "invoice"]
        rows.append(rows[0] | {"reference_code": "R2", "state": "rejected"})
        assert self.columns(evidence) == {"left behind"}

    def test_one_request_too_many(self, evidence):
        self.account(evidence)["max_in_fixed_window"] = 81
        assert self.columns(evidence) == {"unplanned 429"}

    def test_an_internal_failure(self, evidence):
        evidence.events[0] |= {"type": "invoice.failed", "data": None, "errors": [{"code": "internal"}]}
        evidence.documents["a", "invoice"].clear()
        del evidence.events[1]
        evidence.radian = []
        assert self.columns(evidence) == {"wrong outcome"}

    def test_numbers_out_of_the_order_of_the_pushes(self, evidence):
        row = evidence.documents["a", "invoice"][0]
        evidence.documents["a", "invoice"][:0] = [row | {"reference_code": name} for name in ("Q2", "Q1")]
        pushes = [Push(b"", 0.0, "in order", "a", reference=name, entry=name) for name in ("Q1", "Q2")]
        evidence.pushes = [*evidence.pushes, *pushes]
        assert self.columns(evidence) >= {"out of order"}

    def test_files_that_were_never_told_of(self, evidence):
        del evidence.events[1]
        evidence.radian[0]["seq"] = 2
        assert self.columns(evidence) >= {"archived amiss"}

    def test_files_that_were_told_of_twice(self, evidence):
        evidence.events.append(evidence.events[1] | {"id": "a/one/5", "seq": 5})
        assert self.columns(evidence) == {"archived amiss"}

    def test_files_that_nobody_asked_for(self, evidence):
        evidence.pushes[0].archives = frozenset()
        assert "archived amiss" in self.columns(evidence)

    def test_a_file_that_is_another_than_told(self, evidence):
        evidence.files = {**evidence.files, URI: b"<other/>"}
        assert self.columns(evidence) == {"files differ"}

    def test_a_file_that_is_another_than_at_factus(self, evidence):
        evidence.served = lambda *_names: b"<other/>"
        assert self.columns(evidence) == {"files differ"}

    def test_a_radian_event_told_twice(self, evidence):
        evidence.radian = [*evidence.radian, evidence.radian[0] | {"id": "a/one/5", "seq": 5}]
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_a_radian_event_never_told(self, evidence):
        evidence.radian_at_factus = {("a", "N1"): ["c1", "c2"]}
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_an_acceptance_told_twice(self, evidence):
        evidence.radian = [*evidence.radian, evidence.radian[1] | {"id": "a/one/5", "seq": 5}]
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_an_acceptance_that_is_silent(self, evidence):
        evidence.radian = evidence.radian[:1]
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_an_acceptance_without_evidence(self, evidence):
        evidence.files = {URI: FILE}
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_a_bill_that_is_due_early(self, evidence):
        when = {"time": "2026-11-27T23:59:59-05:00"}
        term = {"accepts_from": "2026-11-28T00:00:00-05:00", "number": "N1"}
        evidence.radian = [*evidence.radian, self.event(5, "radian.due", term) | when]
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_two_tacit_acceptances_at_factus(self, evidence):
        rows = [self.event(n, "radian.event", {"number": "N1", "cude": f"c{n}", "event_code": "034"}) for n in (5, 6)]
        evidence.radian = [*evidence.radian, *rows]
        evidence.radian_at_factus = {("a", "N1"): ["c1", "c5", "c6"]}
        assert self.columns(evidence) == {"RADIAN amiss"}

    def test_an_acceptance_that_was_declared_before_its_day(self, evidence):
        term = {"number": "N1", "cude": "c0", "accepts_from": "2026-11-28T00:00:00-05:00"}
        word = {"number": "N1", "cude": "c1", "event_code": "034", "occurred_at": "2026-11-27T23:59:59-05:00"}
        evidence.radian = [
            self.event(3, "radian.event", {"number": "N1", "cude": "c0", "event_code": "032"}),
            self.event(4, "radian.clock", term),
            self.event(5, "radian.event", word),
            self.event(6, "radian.accepted", {"number": "N1", "cude": "c1", "kind": "tacit"}),
        ]
        evidence.radian_at_factus = {("a", "N1"): ["c0", "c1"]}
        assert self.columns(evidence) == {"RADIAN amiss"}
        evidence.emitting = frozenset({"a"})  # then it is Factus that thought so
        assert self.columns(evidence) == set()
        evidence.emitting = frozenset()
        word["occurred_at"] = "2026-11-28T08:00:00-05:00"
        assert self.columns(evidence) == set()

    def test_a_due_bill_that_the_service_never_accepts(self, evidence):
        when = {"time": "2026-11-28T08:00:00-05:00"}
        term = {"number": "N1", "cude": "c1", "accepts_from": "2026-11-28T00:00:00-05:00"}
        due = self.event(5, "radian.due", {**term, "emits": False}) | when
        evidence.radian = [
            self.event(3, "radian.event", {"number": "N1", "cude": "c1", "event_code": "032"}),
            self.event(4, "radian.clock", term),
            due,
        ]
        evidence.files = {URI: FILE}
        assert self.columns(evidence) == set()
        due["data"]["emits"] = True
        assert self.columns(evidence) == {"RADIAN amiss"}
        evidence.radian = [*evidence.radian, self.event(6, "radian.unconfirmed", term)]
        assert self.columns(evidence) == set(), "a person was told"

    def test_an_acceptance_declared_again_that_factus_had(self, evidence):
        self.account(evidence)["operations"]["bills.accept"] = 2
        self.account(evidence)["changes"]["bills.accept"] = {"N1/034": 1}
        evidence.pushes[0].accepts = True
        assert self.columns(evidence) == {"done twice"}

    def test_somebody_else_s_radian_event(self, evidence):
        evidence.pushes[0].tracks = False
        assert "RADIAN amiss" in self.columns(evidence)

    def test_an_e_mail_sent_twice(self, evidence):
        self.account(evidence)["changes"]["bills.email"]["N9"] = 2
        assert self.columns(evidence) == {"done twice"}

    def test_an_event_asked_for_twice_though_the_second_was_refused(self, evidence):
        self.account(evidence)["operations"]["receptions.emit"] = 1
        assert self.columns(evidence) == {"done twice"}

    def test_an_e_mail_told_and_not_sent(self, evidence):
        self.account(evidence)["changes"] = {}
        assert self.columns(evidence) == {"silent"}

    def test_an_acceptance_that_factus_counted_as_none(self, evidence):
        """It declares some itself, or registers one and refuses it: there the event of the bill counts."""
        accept = Push(b"{}", 0.0, "call", "a", "ok", content="k", entry="3-0", type="invoice.accept", target="N1/034")
        evidence.pushes.append(accept)
        evidence.events.append(self.event(1, "invoice.accept.completed", {}, job_id="ok"))
        assert self.columns(evidence) == {"silent"}
        evidence.refusing = frozenset({"a"})
        assert self.columns(evidence) == set()
        accept.target = "N2/034"
        assert self.columns(evidence) == {"silent"}

    def test_a_call_without_an_end(self, evidence):
        del evidence.events[2]
        assert self.columns(evidence) == {"calls ended amiss"}

    def test_a_call_with_two_ends(self, evidence):
        evidence.events.append(evidence.events[2] | {"id": "a/mail/2", "seq": 2})
        assert self.columns(evidence) == {"calls ended amiss"}
