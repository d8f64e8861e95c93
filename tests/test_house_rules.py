"""
How the code is written, read from the code itself: what is bound once, what an object calls, where names are put
together, and what no test does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import TypeGuard

import pytest

from jobs.event_counts import OUTCOMES
from jobs.registry import FOLLOW_UPS, JOB_TYPES
from tests.test_architecture import MAY_IMPORT, SERVICE, modules


def test_no_test_asks_this_machine_what_day_it_is() -> None:
    """It is tomorrow already in UTC when Colombia has five hours left: ``tests.builders.fiscal_day`` knows."""
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules("tests", "benchmarks")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"date.today", "datetime.date.today", "datetime.today"}
    ]
    assert not wrong


def test_no_test_patches_a_constant() -> None:
    """
    What a test wants other than the product has it is passed at construction (``worker.bootstrap.Policies``, a keyword
    with the constant as its default): a constant that was bound before is not reached, and the patch then says nothing.
    """
    wrong = [
        f"{module.name}:{line}: {name}"
        for module in modules("tests", "benchmarks")
        for line, name in patched_constants(module.tree)
    ]
    assert not wrong


@pytest.mark.parametrize(
    "patch",
    [
        'monkeypatch.setattr(feed, "_KEPT", 10)',
        'monkeypatch.setattr(worker.http.feed, "_KEPT", 10)',
        'monkeypatch.setattr("worker.http.feed._KEPT", 10)',
        'monkeypatch.delattr(target=feed, name="_KEPT")',
        'mock.patch("worker.http.feed._KEPT", 10)',
        'mock.patch.object(feed, "_KEPT", new=10)',
        "mock.patch.multiple(feed, _KEPT=10)",
        'mock.patch.multiple("worker.http.feed", _KEPT=10)',
        'setattr(feed, "_KEPT", 10)',
        "feed._KEPT = 10",
        "feed._KEPT += 10",
        "feed._KEPT, other = 10, 11",
        "del feed._KEPT",
    ],
)
def test_each_way_to_patch_a_constant_is_seen(patch: str) -> None:
    head = "import worker.http.feed\nfrom worker.http import feed\n"
    assert list(patched_constants(ast.parse(head + patch))) == [(3, "worker.http.feed._KEPT")]


@pytest.mark.parametrize(
    "patch",
    [
        'monkeypatch.setattr(feed, "published", 10)',
        'monkeypatch.setenv("FACTUS_REDIS_URL", "")',
        'monkeypatch.setattr(json, "DUMPS", 10)',
        "self.LIMIT = feed._KEPT",
        "found[feed._KEPT] = 10",
    ],
)
def test_what_is_no_constant_of_ours_may_be_patched(patch: str) -> None:
    assert not list(patched_constants(ast.parse("import json\nfrom worker.http import feed\n" + patch)))


def test_what_was_written_here_is_read_without_the_bounds_of_an_answer() -> None:
    """An event holds an answer, a level deeper and with values of ours beside it: the largest would be refused."""
    lenient = [
        module.name for module in modules(*SERVICE) for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "parse_lenient"
    ]  # fmt: skip
    assert lenient == ["worker.factus.http_answers"]


def test_no_room_has_two_classes_of_one_name() -> None:
    """Neighbours are read together: the same name for two things is a private vocabulary."""
    rooms: dict[tuple[str, str], list[str]] = {}
    for module in modules(*SERVICE, "sandbox"):
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                rooms.setdefault((module.name.rpartition(".")[0], node.name), []).append(module.name)
    assert len(rooms) > 500
    assert not [names for names in rooms.values() if len(names) > 1]


def test_no_callable_is_set_after_construction() -> None:
    """What an object calls comes in by its constructor: an edge that is drawn at run time is one that nobody sees."""
    classes = [
        (module.name, node)
        for module in modules(*SERVICE, "sandbox")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    ]
    assert len(classes) > 500
    assert not [f"{name}:{line}" for name, tree in classes for line in late_callables(tree)]
    declared = {pair for _, tree in classes for pair in _declared(tree)}
    callables = {name for name, is_callable in declared if is_callable and (name, False) not in declared}
    from_outside = [
        f"{module.name}:{node.lineno}"
        for module in modules(*SERVICE, "sandbox")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and not _is_own(node)
        if node.attr in callables
    ]
    assert {"text_of", "on_event"} <= callables
    assert not from_outside


@pytest.mark.parametrize(
    ("declared", "assigned"),
    [
        ("    run: Callable[[], None] = idle\n", "self.run = run"),
        ("    run: Callable[[], None] | None = None\n", "self.run = run"),
        ("    run: RunJob\n", "self.run = run\n        self.run()"),
        ("    def __init__(self): self.run = idle\n", "self.run = run\n    def go(self): self.run()"),
        ("    def __init__(self, run: Callable[[], None]): self.run = run\n", "self.run, other = run, 1"),
        ("    def run(self): ...\n", "self.run = run"),
    ],
)
def test_each_way_to_set_a_callable_late_is_seen(declared: str, assigned: str) -> None:
    source = f"class One:\n{declared}    def serve(self, run):\n        {assigned}\n"
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    assert list(late_callables(tree)) == [4]


def test_names_are_put_together_and_taken_apart_in_one_module() -> None:
    """
    A job type, an event or a lane that is cut or joined elsewhere is the second place that knows its form. What stands
    as bytes, as Redis has it, is read where it is read.
    """
    wrong = [
        f"{module.name}:{line}: {what}"
        for module in modules(*SERVICE)
        if module.name != "schemas.names"
        for line, what in names_handled(module.tree)
    ]
    assert not wrong


@pytest.mark.parametrize(
    "line",
    [
        'job.type.endswith(".issue")',
        "event.type.endswith(ENDINGS)",
        'told["job_type"].partition(".")[0]',
        'lane.partition("/")[2]',
        'any(name.endswith(one) for one in (".validated", ".completed"))',
        'f"{job.family}.pending"',
        'f"{family.name}.{verb}"',
        'f"--type {one}.issue "',
        'f"{record.account}/{record.batch}"',
        'f"{account.name}/{family}"',
    ],
)
def test_each_way_to_handle_a_name_is_seen(line: str) -> None:
    assert [n for n, _ in names_handled(ast.parse(line))][:1] == [1]


@pytest.mark.parametrize(
    "line",
    [
        'content_type.startswith("text/")',
        'lane.partition(b"/")[0]',
        'f"items.{n}.price"',
        'f"{name}.json"',
        'f"{account}/{job_id}/{seq}"',
        '"invoice.issue"',
    ],
)
def test_what_is_no_name_may_be_handled_anywhere(line: str) -> None:
    assert not [*names_handled(ast.parse(line))]


@pytest.mark.parametrize("package", [*SERVICE, "sandbox"])
def test_constants_are_final(package: str) -> None:
    """An upper-case name of a module is bound once: mypy sees a second time where ``Final`` says so."""
    wrong = [
        f"{module.name}:{statement.lineno}: {ast.unparse(statement)[:60]}"
        for module in modules(package)
        for statement in module.tree.body
        if _binds_a_constant(statement)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("line", "is_seen"),
    [
        ("LIMIT = 1", True),
        ("_LIMIT = 1", True),
        ("_LOW, _HIGH = 1, 2", True),
        ("LIMIT: int = 1", True),
        ("LIMIT: Final = 1", False),
        ("LIMIT: Final[int] = 1", False),
        ("LIMIT: typing.Final[int] = 1", False),
        ("JSON: TypeAlias = str", False),
        ("T = TypeVar('T')", False),
        ("limit = 1", False),
    ],
)
def test_a_constant_that_is_not_final_is_seen(line: str, is_seen: bool) -> None:
    (statement,) = ast.parse(line).body
    assert _binds_a_constant(statement) is is_seen


def _binds_a_constant(statement: ast.stmt) -> bool:
    """Whether a statement binds an upper-case name that is neither ``Final`` nor the name of a type."""
    match statement:
        case ast.Assign(value=ast.Call(func=ast.Name("TypeVar" | "ParamSpec" | "NewType"))):
            return False
        case ast.Assign(targets=bound):
            names = [name for one in bound for name in (one.elts if isinstance(one, ast.Tuple) else [one])]
        case ast.AnnAssign(annotation=said) if not re.search(r"\b(Final|TypeAlias)\b", ast.unparse(said)):
            names = [statement.target]
        case _:
            return False
    return any(isinstance(name, ast.Name) and _CONSTANT.fullmatch(name.id) for name in names)


_CUTS = {"partition", "rpartition", "split", "rsplit", "startswith", "endswith", "removeprefix", "removesuffix"}
_NAMED = re.compile(r"(?<!\w)((job_|event_|final_)?type_?|lane)\W*$")
_FAMILY = re.compile(r"(^|[._])(family|subject)(\.name)?$")
_ACCOUNT = re.compile(r"(^|[._])account(\.name)?$|^str\(.*account\)$")
_WORDS = {name.rpartition(".")[2] for name in (*JOB_TYPES, *FOLLOW_UPS)} | {*OUTCOMES, "pending", "archived"}
_WORD = re.compile(rf"\.({'|'.join(sorted(_WORDS))})(?![a-z_.(])")


def names_handled(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where names of types, events and lanes are cut or joined, as far as a line shows it, each with its text."""
    for node in ast.walk(tree):
        if _cuts(node) or _joins(node) or (_is_text(node) and _WORD.fullmatch(node.value)):
            yield node.lineno, ast.unparse(node)


def _cuts(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in _CUTS:
        return False
    is_bytes = any(isinstance(one, ast.Constant) and isinstance(one.value, bytes) for one in node.args)
    return not is_bytes and bool(_NAMED.search(ast.unparse(node.func.value)))


def _joins(node: ast.AST) -> TypeGuard[ast.JoinedStr]:
    if not isinstance(node, ast.JoinedStr):
        return False
    parts = [one.value if _is_text(one) else ast.unparse(one.value) for one in node.values]
    kinds = [_is_text(one) for one in node.values]
    for n, is_text in enumerate(kinds):
        if is_text and n and not kinds[n - 1] and _WORD.match(parts[n]):
            return True
    if kinds != [False, True, False]:
        return False
    first, between, _ = parts
    return bool((between == "." and _FAMILY.search(first)) or (between == "/" and _ACCOUNT.search(first)))


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


_CONSTANT = re.compile(r"_*[A-Z][A-Z0-9_]*")


def late_callables(tree: ast.ClassDef) -> Iterator[int]:
    """Lines outside a class's constructor in which it sets an attribute of its own that is called."""
    methods = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    constructor = {
        node for name in ("__init__", "__post_init__") if name in methods for node in ast.walk(methods[name])
    }
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_own(node.func)}
    called |= methods.keys() | {name for name, is_callable in _declared(tree) if is_callable}
    for node in ast.walk(tree):
        if _is_own(node) and isinstance(node.ctx, ast.Store) and node not in constructor and node.attr in called:
            yield node.lineno


def _declared(tree: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    """The attributes that a class declares by fields or by arguments of its constructor, and which are callables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target).removeprefix("self."), "Callable" in ast.unparse(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for arg in (*node.args.args, *node.args.kwonlyargs):
                yield arg.arg, "Callable" in ast.unparse(arg.annotation or arg)


def _is_own(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def patched_constants(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Upper-case names of the product that are bound anew from outside, each with its line."""
    known = _full_names(tree)
    for node in ast.walk(tree):
        for name in _bound_by(node, known):
            package, last = name.partition(".")[0], name.rpartition(".")[2]
            if package in MAY_IMPORT and _CONSTANT.fullmatch(last):
                yield node.lineno, name


def _full_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name is in full."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _bound_by(node: ast.AST, known: Mapping[str, str]) -> Iterator[str]:
    """Full names of the attributes that a call or a statement binds or deletes."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
        yield _in_full(ast.unparse(node), known)
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    if not re.search(r"(^|\.)(setattr|delattr|patch|patch\.object|patch\.multiple)$", called):
        return
    named = {word.arg: word.value for word in node.keywords if word.arg}
    given = [*node.args, *(named[name] for name in ("target", "name", "attribute") if name in named)]
    whole = [str(one.value) if isinstance(one, ast.Constant) else _in_full(ast.unparse(one), known) for one in given]
    if called.endswith("patch.multiple"):
        yield from (f"{whole[0]}.{name}" for name in named)
    elif whole:
        yield whole[0]
        yield ".".join(whole[:2])


def _in_full(text: str, known: Mapping[str, str]) -> str:
    head, dot, rest = text.partition(".")
    return known.get(head, head) + dot + rest
