"""
What a script is given has names: the header of its file, its own text and its callers say the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import worker
from worker.intake.script_arguments import EntryKeys, EntryValues
from worker.queue.claims import ClaimerValues
from worker.queue.dispatcher import LaneKeys, LaneValues
from worker.queue.job_script_arguments import FollowUpKeys, FollowUpValues
from worker.queue.script_values import EventValues, TallyValues
from worker.store.script_names import DeclarationError, Layout, Value, read_header, resolve
from worker.store.scripts import header, packed, record, source
from worker.webhooks.book import DeliveryValues

WORKER = Path(worker.__file__).parent
LUA = WORKER / "store" / "lua"
FILES = sorted(path.relative_to(LUA).with_suffix("").as_posix() for path in LUA.rglob("*.lua"))
SCRIPTS = [name for name in FILES if not name.startswith("lib/")]

_POSITION = re.compile(r"\b(KEYS|ARGV)\s*[\[,)]|\b(keys|argv)\[(\w+ \+ )?([2-9]|\d\d)")


class TestEveryScript:
    @pytest.mark.parametrize("name", FILES)
    def test_it_uses_the_names_that_it_declares(self, name):
        """Whoever loads a script would hear otherwise; so does this test, without a server."""
        assert source(name)
        declared = header(name)
        assert bool(declared.keys.names) == bool(declared.args.names) == (name in SCRIPTS)

    @pytest.mark.parametrize("name", FILES)
    def test_it_names_no_position(self, name):
        code = [line for line in (LUA / f"{name}.lua").read_text().splitlines() if not line.startswith("--")]
        assert not [line for line in code if _POSITION.search(line)]

    @pytest.mark.parametrize("name", FILES)
    def test_it_is_sent_with_positions_only(self, name):
        code = [line for line in source(name).splitlines() if not line.startswith("--")]
        assert not [line for line in code if re.search(r"\b(KEYS|ARGV|[A-Z]+_KEYS|LANE|CLAIMER|EVENT|TALLY)\.", line)]

    @pytest.mark.parametrize("name", SCRIPTS)
    def test_its_header_tells_keys_then_values_then_the_reply(self, name):
        found = re.findall(r"^-- (KEYS|ARGV|Reply):", (LUA / f"{name}.lua").read_text(), re.MULTILINE)
        assert found == ["KEYS", "ARGV", "Reply"]


@pytest.mark.parametrize(
    ("values", "script", "name"),
    [
        (LaneKeys, "lib/lanes", "LANE_KEYS"),
        (LaneValues, "lib/lanes", "LANE"),
        (ClaimerValues, "lib/claims", "CLAIMER"),
        (EventValues, "lib/events", "EVENT"),
        (TallyValues, "lib/batches", "TALLY"),
        (FollowUpKeys, "lib/ends", "FOLLOW_UP_KEYS"),
        (FollowUpValues, "lib/ends", "FOLLOW_UP"),
        (EntryKeys, "intake", "ENTRY_KEYS"),
        (EntryValues, "intake", "ENTRY"),
        (DeliveryValues, "take_events", "DELIVERY"),
    ],
)
def test_a_row_of_values_is_the_same_in_python_and_in_lua(values, script, name):
    assert values._fields == record(script, name)


def test_every_record_of_a_library_is_a_row_in_python():
    """A new one is compared above, too."""
    declared = {name for file in FILES for name in header(file).records}
    assert declared == {
        "LANE_KEYS", "LANE", "CLAIMER", "EVENT", "TALLY", "FOLLOW_UP_KEYS", "FOLLOW_UP", "ENTRY_KEYS", "ENTRY",
        "DELIVERY",
    }  # fmt: skip


PERMIT_KEYS = {"grants": "g", "account": "a"}
PERMIT = {"limit": 1, "window_ms": 2}


class TestPacking:
    def test_values_stand_in_the_declared_order(self):
        keys, args = packed("permit", {"account": "a", "grants": "g"}, {"window_ms": 2, "limit": 1})
        assert (keys, args) == (["g", "a"], [1, 2])

    def test_what_may_be_left_out_is_left_out_from_the_end(self):
        keys, args = packed("permit", {**PERMIT_KEYS, "job": "j"}, {**PERMIT, "fence": 3, "latest_ms": 0})
        assert (keys, args) == (["g", "a", "j"], [1, 2, 3, 0])

    def test_rows_and_what_is_of_any_number_stand_in_their_place(self):
        claimer = ClaimerValues("w", 5, 6, "mark:", 7)
        args = {"claimer": claimer} | dict.fromkeys(header("claim_jobs").args.names[1:], "p")
        assert packed("claim_jobs", {"queue": "q"}, args)[1] == [
            *claimer,
            *["p"] * (len(header("claim_jobs").args.names) - 1),
        ]
        renewal = {"worker": "w", "lease_ms": 1, "mark_prefix": "m", "ids": ["x", "y"]}
        assert packed("renew_leases", {"queue": "q"}, renewal)[1] == ["w", 1, "m", "x", "y"]
        assert packed("renew_leases", {"queue": "q"}, {**renewal, "ids": []})[1] == ["w", 1, "m"]

    @pytest.mark.parametrize(
        ("keys", "args", "told"),
        [
            ({"grants": "g"}, PERMIT, "permit KEYS: unknown [], missing ['account']"),
            ({"grants": "g", "acount": "a"}, PERMIT, "permit KEYS: unknown ['acount'], missing ['account']"),
            (PERMIT_KEYS, {**PERMIT, "Limit": 1}, "permit ARGV: unknown ['Limit'], missing []"),
            (PERMIT_KEYS, {**PERMIT, "latest_ms": 1}, "permit ARGV: unknown [], missing []"),
            (PERMIT_KEYS, {}, "permit ARGV: unknown [], missing ['limit', 'window_ms']"),
        ],
    )
    def test_a_name_that_is_missing_or_unknown_is_told(self, keys, args, told):
        with pytest.raises(TypeError, match=re.escape(told)):
            packed("permit", keys, args)

    @pytest.mark.parametrize("lane", [(), ("a",) * 8, ("a",) * 10])
    def test_a_row_of_another_width_is_told(self, lane):
        with pytest.raises(TypeError, match="dispatch KEYS: lane is a row of 9, not of"):
            packed("dispatch", {"lane": lane}, {"lane": ("a",) * 9, "claimer": ("a",) * 4})

    def test_two_rows_of_wrong_widths_do_not_hide_each_other(self):
        with pytest.raises(TypeError, match="dispatch ARGV: lane is a row of 9, not of 8"):
            packed("dispatch", {"lane": ("a",) * 9}, {"lane": ("a",) * 8, "claimer": ("a",) * 5})


HEAD = "-- KEYS: one, two?\n-- ARGV: row[ROW], rest...\n-- ROW: a, b\n"
BODY = "f(KEYS.one, KEYS.two, ARGV.row) g(ARGV.rest, x[ROW.b], ROW.a, #ROW, #ARGV)"


def loaded(text: str) -> str:
    return resolve("s", text, read_header("s", text, {}), {})


class TestLoading:
    def test_positions_stand_in_place_of_names(self):
        code = loaded(HEAD + BODY).splitlines()[-1]
        assert code == "f(KEYS[1], KEYS[2], ARGV, 0) g(ARGV, 2, x[2], 1, 2, #ARGV)"

    def test_the_length_of_a_value_is_its_own(self):
        assert loaded("-- KEYS: a\n-- ARGV: b\nf(KEYS.a, #ARGV.b)").endswith("f(KEYS[1], #ARGV[1])")

    def test_a_declaration_goes_on_in_the_next_line_and_notes_follow_it(self):
        text = "-- KEYS: a,\n--   b\n-- b: one note, and another.\n-- ARGV: c\nf(KEYS.a, KEYS.b, ARGV.c)"
        assert loaded(text).endswith("f(KEYS[1], KEYS[2], ARGV[1])")

    def test_a_library_s_rows_are_known_to_whoever_includes_it(self):
        text = "-- KEYS: a[LANE]\n-- ARGV: b\nf(KEYS.a, ARGV.b, LANE.x)"
        included = {"LANE": ("w", "x")}
        found = read_header("s", text, included)
        assert resolve("s", text, found, included).endswith("f(KEYS, 0, ARGV[1], 2)")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (HEAD + BODY + " KEYS.three", "s: KEYS.three is not declared"),
            (HEAD + BODY + " ROW.c", "s: ROW.c is not declared"),
            (HEAD + BODY.replace("KEYS.two", "x"), "s: declared and not used: KEYS.two"),
            (HEAD + BODY.replace("ROW.a", "x") + "\n-- ROW.a", "s: declared and not used: ROW.a"),
            ("-- KEYS: a, a", "s KEYS: a name is declared twice"),
            ("-- KEYS: a\n-- KEYS: b", "s: KEYS is declared twice"),
            ("-- ROW: a, a", "s: ROW cannot be read, or names something twice"),
            ("-- KEYS: a?, b", "s KEYS: only what stands last may be left out"),
            ("-- KEYS: a..., b", "s KEYS: nothing follows what is of any number"),
            ("-- KEYS: a?, b...", "s KEYS: nothing follows what is of any number"),
            ("-- KEYS: a[NO]", "s: the record NO is not declared"),
            ("-- KEYS: 1 a, 2 b", "s: '1 a' cannot be read"),
        ],
    )
    def test_what_does_not_agree_is_told_with_script_and_name(self, text, told):
        with pytest.raises(DeclarationError, match=re.escape(told)):
            loaded(text)

    def test_nothing_can_be_declared_that_cannot_be_packed(self):
        assert Layout("s KEYS", [Value("a"), Value("b", "rest", 0)]).pack({"b": (), "a": 1}) == [1]
        assert Layout("s KEYS").pack({}) == []


# -- who calls them ----------------------------------------------------------------------------------------------------
def calls() -> Iterator[tuple[str, ast.Call, ast.AST]]:
    """Each call ``….run("name", keys, args)`` in the product: where it stands, the call, the function around it."""
    for path in sorted(WORKER.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                match node:
                    case ast.Call(ast.Attribute(attr="run"), [ast.Constant(str()), *_]):
                        yield f"{path.relative_to(WORKER)}:{node.lineno}", node, function


def names_in(node: ast.AST, function: ast.AST) -> tuple[set[str], bool]:
    """The names that a mapping is built of, and whether they are all of them."""
    match node:
        case ast.Dict(keys, values):
            found, is_whole = set(), True
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    found.add(key.value)
                else:
                    inner, _ = names_in(value, function)
                    found, is_whole = found | inner, False
            return found, is_whole
        case ast.Name(name):
            return names_of_variable(name, function)
    return set(), False


def names_of_variable(name: str, function: ast.AST) -> tuple[set[str], bool]:
    found: set[str] = set()
    is_whole = True
    for node in ast.walk(function):
        match node:
            case ast.Assign([ast.Name(target)], value) | ast.AnnAssign(ast.Name(target), _, value) if target == name:
                inner, is_complete = names_in(value, function)
                found, is_whole = found | inner, is_whole and is_complete
            case ast.Assign([ast.Tuple(targets)], _) if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                is_whole = False
            case ast.AugAssign(ast.Name(target), _, value) if target == name:
                inner, _ = names_in(value, function)
                found, is_whole = found | inner, False
            case ast.Assign([ast.Subscript(ast.Name(target), ast.Constant(key))], _) if target == name:
                found, is_whole = found | {key}, False
    return found, is_whole


CALLS = list(calls())


@pytest.mark.parametrize(("call", "function"), [pytest.param(*rest, id=where) for where, *rest in CALLS])
def test_every_call_names_what_its_script_declares(call: Any, function: Any):
    script, *given = call.args
    if len(given) != 2:
        assert script.value == "intake"  # built in one piece by script_arguments.py, and packed in every contract test
        return
    for node, layout in zip(given, (header(script.value).keys, header(script.value).args), strict=True):
        names, is_whole = names_in(node, function)
        assert names <= set(layout.names), layout.where
        if is_whole:
            assert names, layout.where
            layout.pack({name: [0] * width_of(layout, name) for name in names})


def width_of(layout: Layout, name: str) -> int:
    return next(value.width for value in layout.values if value.name == name)


def test_every_script_is_called():
    assert {call.args[0].value for _, call, _ in CALLS} == set(SCRIPTS)
