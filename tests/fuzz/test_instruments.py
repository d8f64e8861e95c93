"""A fuzzer that sees nothing finds nothing: each of its instruments is shown what it must see."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from tests.fuzz import corpus, values
from tests.fuzz.actions import Add, Answer, Case, Delete, Plant
from tests.fuzz.answers import Asked, wild
from tests.fuzz.entries import THEMES, Producer
from tests.fuzz.promises import Book, Owed, death, faults_of, held_too_long, names_of
from tests.fuzz.pure import PureIntake, quiet_log
from tests.fuzz.shrink import Shrinker

EVENT = {
    "id": "calm/one/1",
    "seq": 1,
    "type": "job.refused",
    "time": "2026-11-29T06:45:11.835-05:00",
    "job_id": "one",
    "job_type": "invoice.issue",
    "account": "calm",
    "reference_code": None,
    "batch": None,
    "metadata": {},
    "attempts": 0,
    "success": False,
    "message": "Trabajo rechazado",
    "data": None,
    "errors": [{"code": "envelope.invalid", "message": "x", "field": None, "rule": None, "retryable": False}],
}


class TestTheBook:
    @pytest.fixture
    def book(self) -> Book:
        found = Book()
        found.owe(Owed("1-0", "", frozenset({"1-0", "one"}), 0.0, 10, is_good=False))
        return found

    @staticmethod
    def kinds(book: Book, **changes: object) -> set[str]:
        return {found.kind for found in book.receive("s", json.dumps(EVENT | changes).encode(), 1.0, [b"planted"])}

    def test_an_entry_is_owed_until_its_final_event(self, book):
        assert [owed.entry for owed in book.all_open()] == ["1-0"]
        assert self.kinds(book) == set()
        assert book.all_open() == []

    def test_a_repetition_of_what_is_final_is_owed_nothing(self, book):
        self.kinds(book)
        book.owe(Owed("2-0", "", frozenset({"2-0", "one"}), 0.0, 10, is_good=False))
        assert book.all_open() == []

    def test_an_entry_that_was_deleted_is_owed_nothing(self, book):
        book.forgive("1-0")
        assert book.all_open() == []

    def test_two_finals(self, book):
        assert self.kinds(book) == set()
        assert self.kinds(book, id="calm/one/2", seq=2) == {"two finals"}

    def test_an_event_published_twice(self, book):
        self.kinds(book)
        assert "two finals" in self.kinds(book)

    def test_a_secret(self, book):
        assert self.kinds(book, message="with planted words") == {"secret"}

    @pytest.mark.parametrize(
        "changes",
        [{"seq": "1"}, {"type": "no.such"}, {"metadata": None}, {"surprise": 1}, {"message": ["x"]}],
        ids=lambda changes: next(iter(changes)),
    )
    def test_another_shape(self, book, changes):
        assert self.kinds(book, **changes) == {"shape"}

    @pytest.mark.parametrize("raw", [b"{", b"\xff", b'{"a":NaN}', b'{"a":' + b"9" * 500 + b"}", b'"\xed\xa0\x80"'])
    def test_what_no_reader_takes(self, book, raw):
        assert {found.kind for found in book.receive("s", raw, 1.0, [])} == {"shape"}

    def test_a_defect_of_ours(self, book):
        errors = [EVENT["errors"][0] | {"code": "internal"}]
        assert self.kinds(book, errors=errors) == {"defect"}
        book.may_fail_within = True
        assert self.kinds(book, errors=errors, id="x", job_id="two") == set()

    def test_an_honest_job_that_ends_badly(self):
        book = Book()
        book.owe(Owed("1-0", "", frozenset({"one"}), 0.0, 10, is_good=True))
        assert self.kinds(book) == {"honest job"}


def test_the_contract_s_own_event_is_in_shape():
    assert faults_of(EVENT) == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"id":"a-1"}', {"1-0", "a-1"}),
        (b'{"id":"\\u0061-1"}', {"1-0", "a-1"}),
        (b'{"id":"a-1", broken', {"1-0", "a-1"}),
        (b"[" * 5000, {"1-0"}),
        (b"\xff", {"1-0"}),
        (b'{"id":7}', {"1-0"}),
    ],
)
def test_the_names_under_which_an_answer_may_come(raw, expected):
    assert names_of(Add(((b"job", raw),)), "1-0") == expected


def test_a_loop_is_judged_by_its_own_processor_time():
    assert held_too_long({"held_ms": 900, "used_ms": 30, "place": "a.py:1 f"}) is None
    found = held_too_long({"held_ms": 900, "used_ms": 300, "place": "a.py:1 f < b.py:2 g"})
    assert found is not None
    assert found.sign == "b.py g"


def test_a_death_is_told_by_its_last_words():
    log = (
        'Traceback ...\n  File "/x/worker/intake.py", line 7, in run\n'
        '  File "/x/jobs/days.py", line 25, in day\nOverflowError: x\n'
    )
    assert death(1, log).sign == "OverflowError jobs/days.py day"


def test_a_case_is_the_same_when_it_is_read_again(tmp_path):
    case = Case(
        (
            Add(((b"job", b'{"a":\xff}'), (b"x", b"\n" * 5000)), owner="own", times=3),
            Delete(4),
            Plant("job:a:b", "list"),
        ),
        {"GET /x": (Answer(b"HTTP/1.1 200 \xff", b" ", 7, 1, 0.5, 2.0), Answer(b""))},
        "why",
        "death",
    )
    path = corpus.keep(case, "death ../X", tmp_path)
    assert path.name == "death-x.json"
    assert Case.from_json(json.loads(path.read_text())) == case


@pytest.mark.parametrize("theme", sorted(set(THEMES)))
def test_a_round_follows_from_its_seed(theme):
    one, two = (Producer(random.Random(7), "7", scale=0.05).round(40, theme) for _ in range(2))
    assert one == two


def test_answers_follow_from_their_seed():
    asked = Asked("POST", "/v2/bills/validate", b'{"reference_code":"R1"}')
    for n in range(60):
        one, two = (wild(asked, {}, random.Random(n), ["secret"]) for _ in range(2))
        assert one == two


def test_text_that_no_encoder_writes():
    tree = values.Pairs([("a", values.Raw("1e300000000")), ("a", values.Raw('"\\ud800"'))])
    assert values.write({"x": tree}) == '{"x":{"a":1e300000000,"a":"\\ud800"}}'


class TestShrinking:
    @staticmethod
    def add(raw: bytes) -> Add:
        return Add(((b"job", raw),))

    def test_to_the_one_entry_and_the_one_key(self):
        poison = json.dumps({"a": [1, 2, {"bad": 1e300}], "b": "x" * 500, "c": {"d": 2}}).encode()
        actions = [self.add(b'{"n":%d}' % n) for n in range(60)]
        actions[37] = self.add(poison)

        def fails(case: Case) -> bool:
            return any(b'"bad"' in raw for action in case.actions if isinstance(action, Add) for raw in action.raws)

        small = Shrinker(fails, 60).shrink(Case(tuple(actions), {"GET /x": (Answer(b"x"),)}))
        assert small == Case((self.add(b'{"a":[{"bad":1e+300}]}'),))

    def test_what_is_no_json_loses_bytes(self):
        small = Shrinker(lambda case: b"\xff" in case.actions[0].raws[0], 60).shrink(
            Case((self.add(b"a" * 500 + b"\xff"),))
        )
        assert len(small.actions[0].raws[0]) < 20

    def test_a_flood_becomes_smaller(self):
        small = Shrinker(lambda case: case.actions[0].times >= 100, 60).shrink(
            Case((replace(self.add(b"{}"), times=12_000),))
        )
        assert 100 <= small.actions[0].times < 200

    def test_an_answer_becomes_smaller(self):
        body = json.dumps({"data": {"bad": 1, "more": "x" * 400}, "rest": [1, 2, 3]}).encode()
        answer = Answer(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        case = Case((self.add(b'{"r":"R1.2-3"}'),), {"GET /b/R1.2-3": (answer, answer), "GET /b/R1.2-4": (answer,)})

        def fails(tried: Case) -> bool:
            return any(b'"bad"' in one.raw for one in tried.answers.get("GET /b/R1.2-3", ()))

        small = Shrinker(fails, 60).shrink(case)
        assert small.answers == {
            "GET /b/R1.2-3": (Answer(b'HTTP/1.1 200 X\r\nContent-Length: 18\r\n\r\n{"data":{"bad":1}}'),)
        }

    def test_what_does_not_happen_again_is_not_shrunk(self):
        assert Shrinker(lambda _case: False, 60).shrink(Case((self.add(b"{}"),))) is None

    def test_no_trial_begins_when_the_time_is_up(self):
        now = iter(range(10_000))
        shrinker = Shrinker(lambda _case: True, 5, clock=lambda: float(next(now)))
        shrinker.shrink(Case(tuple(self.add(b'{"n":%d}' % n) for n in range(64))))
        assert shrinker.n_trials <= 5


def test_the_pure_half_sees_what_raises_and_what_is_inexact(monkeypatch):
    quiet_log()
    pure = PureIntake()
    add = Add(((b"job", b"{}"),))
    assert pure.try_add(add) == []
    commands = pure._writer._commands
    validate = commands.validate
    args = (2**60, None, b"x" * 300_000)
    monkeypatch.setattr(commands, "validate", lambda entry: replace(validate(entry), args=args))
    assert {found.sign for found in pure.try_add(add)} == {"inexact", "NoneType", "size"}
    monkeypatch.setattr(commands, "validate", lambda _entry: 1 / 0)
    assert [found.kind for found in pure.try_add(add)] == ["raised"]


def test_no_change_makes_an_entry_that_the_fuzzer_itself_cannot_hold():
    """Two lists, one in the other, each two thousand times as long, took 22 GB: the run was killed without a word."""
    longest = 0
    for seed in range(300):
        chance = random.Random(seed)
        tree = {"a": [[[["x" * 50], 1], 2], 3]}
        longest = max(longest, len(values.write(values.mutate(tree, chance, 6))))
    assert longest < 32 * 1024 * 1024
