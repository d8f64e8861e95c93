"""What an operator has to know of what was seen, and in which words its cause is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.worker.status.snapshots import ACCOUNT, HELD, LANE, NOW, overview
from worker.queue.consumer_lag import GroupLag
from worker.speech import ENGLISH, SPANISH
from worker.status.causes import cause
from worker.status.facts import (
    Block,
    Hold,
    IntakeSeen,
    LettersSeen,
    Overview,
    WorkerSeen,
)
from worker.status.problems import Problem, problems


def told(seen: Overview) -> list[Problem]:
    return problems(seen, ENGLISH)


OWN = ((1, ("acme",)), (2, ()), (3, None))
"""Streams of its own for one worker, none for another, and one of a version before, which does not say."""


def test_calm_weather_is_no_problem() -> None:
    assert told(overview()) == []
    assert told(overview(groups=(GroupLag("factus:results", "erp", 800_000, 0, 1_000_000, n_pending=5),))) == []
    assert told(overview(n_dead=2, letters=LettersSeen(2, n_producer=2))) == [], "for their producers to correct"
    fresh = replace(HELD, since_ms=NOW - 299_000)
    assert told(overview(lanes=(replace(LANE, hold=fresh),))) == [], "not yet five minutes"
    assert told(overview(accounts=(replace(ACCOUNT, hold=replace(fresh, reason="factus.unavailable")),))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": (), "lanes": ()}, "no worker is running"),
        ({"workers": ()}, "6 open jobs"),
        ({"workers": (), "lanes": (replace(LANE, n_waiting=0, n_in_flight=0, n_later=3),)}, "3 open jobs"),
        ({"letters": LettersSeen(3, 1, 1, 1, (("internal", 1), ("account.unknown", 1)))}, "2 dead letters"),
        ({"accounts": (replace(ACCOUNT, hold=Hold("factus.payment_required", NOW + 1, NOW)),)}, "402"),
        ({"accounts": (replace(ACCOUNT, hold=replace(HELD, reason="factus.unavailable")),)}, "does not answer"),
        ({"accounts": (replace(ACCOUNT, blocks=(Block("invoice.email", NOW),)),)}, "denies the jobs invoice.email"),
        ({"lanes": (replace(LANE, hold=HELD),)}, "DIAN has not answered"),
        ({"lanes": (replace(LANE, account="other"),)}, "credentials of account other"),
        ({"unread_streams": (("t:jobs:gone", 2),)}, "no worker reads t:jobs:gone, which has 2 entries"),
        (
            {"workers": tuple(WorkerSeen(f"w{n}", n, "1", ("acme",), 0, 0, 0, own_streams=own) for n, own in OWN)},
            "different streams of their own (own_streams) (w1: acme (own_streams); w2: acme; w3: acme)",
        ),
        ({"complete_batches": ("other/x", "acme/y")}, "account other, which has 1 complete batch that is not closed"),
        (
            {"lanes": (replace(LANE, account="other"),), "complete_batches": ("other/a/b", "other/c")},
            "account other, which has open jobs and 2 complete batches that are not closed",
        ),
        ({"groups": (GroupLag("factus:results", "erp", 900_000, 0, 1_000_000),)}, "900,000 entries wait"),
        ({"groups": (GroupLag("factus:results", "erp", 9, 1234, 10),)}, "1,234 entries were trimmed"),
        ({"groups": (GroupLag("factus:results", "erp", 9, None, 10),)}, "entries were trimmed"),
        ({"groups": (GroupLag("factus:results", "erp", 0, 0, 10, 500, 100),)}, "100+ entries given out more"),
        ({"writes_refused": "OOM command not allowed; raise maxmemory"}, "OOM"),
        ({"damaged": ("t:lanes",)}, "t:lanes"),
    ],
)
def test_what_an_operator_has_to_know_is_a_problem(changes: dict[str, Any], words: str) -> None:
    (one,) = told(overview(**changes))
    assert words in one.what
    (spanish,) = problems(overview(**changes), SPANISH)
    assert one.mend
    assert spanish.mend
    assert spanish.what != one.what


def test_a_hold_says_since_when_by_what_the_mend_and_what_goes_on() -> None:
    (one,) = problems(overview(lanes=(replace(LANE, hold=HELD),)), SPANISH)
    assert (one.subject, one.since_ms, one.holder) == ("acme/invoice", NOW - 360_000, "R-0 (SETP7)")
    assert "no lo elimine" in one.mend
    assert (one.next, one.next_ms) == ("se vuelve a preguntar solo", NOW + 60_000)
    conflict = replace(HELD, reason="factus.conflict", said="Un documento ajeno bloquea la familia (POS-77, SETP1).")
    (one,) = problems(overview(lanes=(replace(LANE, hold=conflict),)), SPANISH)
    assert "POS-77" in one.what
    assert "factus-worker resume acme" in one.mend


def test_a_block_that_was_told_is_a_problem_at_once() -> None:
    fresh = replace(HELD, reason="factus.conflict", since_ms=NOW - 1000)
    blocked = replace(ACCOUNT, blocks=(Block("invoice", NOW - 500),))
    assert told(overview(lanes=(replace(LANE, hold=fresh),))) == []
    assert [one.id for one in told(overview(lanes=(replace(LANE, hold=fresh),), accounts=(blocked,)))] == ["lane.held"]


def test_what_needs_a_person_comes_first() -> None:
    credentials = replace(ACCOUNT, hold=Hold("factus.credentials", NOW + 1, NOW))
    lane = replace(LANE, hold=HELD)
    found = told(overview(accounts=(credentials,), lanes=(lane,), letters=LettersSeen(1, n_operator=1)))
    assert [one.id for one in found] == ["account.held", "lane.held", "letters.operator"]


STREAM = IntakeSeen("factus:jobs", 0, 0)
LOST = {
    "entries gone": ({"n_gone": 3, "gone_at_ms": NOW - 60_000}, "3 entries removed before they were read"),
    "an id ahead": ({"last_id_ahead": "18446744073709551615-0"}, "lies in the future"),
    "made anew": ({"renewed_at_ms": NOW - 60_000}, "made anew"),
    "long ago": ({"n_gone": 3, "gone_at_ms": NOW - 8 * 86_400_000, "renewed_at_ms": 1}, ""),
    "nothing": ({}, ""),
}


@pytest.mark.parametrize(("facts", "words"), LOST.values(), ids=LOST)
def test_what_became_of_a_stream_is_told(facts, words):
    found = problems(overview(intakes=(replace(STREAM, **facts),)), ENGLISH)
    assert [words in problem.what for problem in found] == ([True] if words else [])


def test_keys_that_turned_bad_and_workers_that_sign_and_do_not_are_told():
    one = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10, is_signed=True, keys_fault="FACTUS_JOBS_KEYS: it is not JSON")
    found = problems(overview(workers=(one, replace(one, id="x", is_signed=False, keys_fault=""))), ENGLISH)
    assert [problem.id for problem in found] == ["workers.signing", "jobs.keys"]
    assert "(x)" in found[0].what
    assert "it is not JSON" in found[1].what


def test_letters_that_went_and_workers_that_differ_are_told():
    one = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10, failed="sweep=2", failed_lately="sweep=2")
    found = problems(
        overview(
            n_letters_gone=12,
            letters_gone_at_ms=NOW - 1000,
            workers=(one, replace(one, id="x", accounts=("b",), failed="sweep=9", failed_lately="")),
        ),
        ENGLISH,
    )
    assert [
        words in " ".join(problem.what for problem in found)
        for words in ("12 dead letters", "different accounts", "sweep=2")
    ] == [True] * 3
    assert [one.subject for one in found if one.id == "worker.failures"] == ["w"], "what failed long ago is over"


@pytest.mark.parametrize(
    ("reason", "said", "told"),
    [
        (
            "factus.payment_required",
            "Factus exige un pago o un paquete (402): sin saldo.",
            "Factus exige un pago o un paquete de documentos (402): sin saldo",
        ),
        (
            "factus.unavailable",
            "Factus no está disponible: respondió 503.",
            "Factus no responde, o falla: respondió 503",
        ),
        (
            "factus.conflict",
            "Un documento ajeno sin validar bloquea la familia en Factus (POS-77, SETP1).",
            "otro documento sin validar bloquea la familia en Factus (409): POS-77, SETP1",
        ),
        (
            "factus.conflict",
            "Otro documento sin validar bloquea la familia en Factus (409).",
            "otro documento sin validar bloquea la familia en Factus (409)",
        ),
        (
            "dian.pending",
            "Factus tiene el documento; la DIAN no ha respondido.",
            "Factus tiene un documento y la DIAN no",
        ),
        ("internal", "Defecto interno: KeyError.", "un defecto del servicio: KeyError"),
    ],
)
def test_a_cause_says_nothing_twice(reason: str, said: str, told: str) -> None:
    found = cause(Hold(reason, NOW + 1, NOW, said=said), SPANISH)
    assert found.startswith(told)
    assert found == told or reason == "dian.pending"
