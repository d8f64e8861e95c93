"""
The arrows between the packages, read from the imports themselves.

``lint-imports`` says the same in ``make check``; here it also covers imports inside functions and access to the
environment, and it fails in ``make test``, which everybody runs.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TypeGuard

import pytest

from jobs.event_counts import OUTCOMES
from jobs.registry import FOLLOW_UPS, JOB_TYPES

ROOT = Path(__file__).resolve().parent.parent
SERVICE = ("schemas", "jobs", "worker")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "jobs": {"jobs", "schemas"},
    "worker": {"worker", "jobs", "schemas"},
    "sandbox": {"sandbox"},
}
ROOMS = {
    "worker": (
        "__main__",
        "cli",
        "doctor",
        "webhooks",
        "process",
        "bootstrap",
        "http",
        "metrics",
        "status",
        "intake",
        "queue",
        "factus",
        "store",
        "rights",
    ),
    "schemas": ("sheets", "version_1", "payload", "contract", "catalogs", "radian"),
    "sandbox": ("__main__", "server", "app", "routes", "families", "files", "state", "values"),
}
"""From the top down: each uses those below it only. Modules that are not named here stand below all of them."""
ADAPTERS_ONLY = {"obstore", "redis", "arq", "httpx", "aiohttp", "starlette", "uvicorn", "click", "rich", "structlog"}
ADAPTERS_ONLY |= {"jwt", "nacl", "prometheus_client"}


@dataclass(frozen=True)
class Module:
    """One source file, parsed."""

    name: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    def imported(self) -> set[str]:
        """Full names, ``TYPE_CHECKING`` blocks and functions included: an import is an arrow wherever it stands."""
        return self._imported

    @cached_property
    def _imported(self) -> set[str]:
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively"
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        return names

    def top_level_imported(self) -> set[str]:
        return {name.partition(".")[0] for name in self.imported()}


def modules(*packages: str) -> Iterator[Module]:
    for package in packages:
        yield from _modules_of(package)


@cache
def _modules_of(package: str) -> tuple[Module, ...]:
    """Read once for all tests: there are more than eight hundred files."""
    return tuple(
        Module(".".join(path.relative_to(ROOT).with_suffix("").parts), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted((ROOT / package).rglob("*.py"))
    )


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_arrows_point_inwards(package: str) -> None:
    """schemas <- jobs <- worker, and the sandbox stands alone: one misreading must not sit on both sides."""
    wrong = {
        module.name: found
        for module in modules(package)
        if (found := module.top_level_imported() & MAY_IMPORT.keys() - MAY_IMPORT[package])
        and not (module.name.startswith("worker.cli.") and found == {"sandbox"})
    }
    assert not wrong


@pytest.mark.parametrize("package", ROOMS)
def test_each_room_uses_those_below_it_only(package: str) -> None:
    floor = {room: n for n, room in enumerate(reversed(ROOMS[package]), start=1)}
    wrong = sorted(
        f"{importer} -> {imported}"
        for importer, imports in arrows(package).items()
        for imported in imports
        if floor.get(_room(importer), 0) < floor.get(_room(imported), 0)
    )
    assert not wrong


@pytest.mark.parametrize("package", ROOMS)
def test_the_import_contracts_have_the_same_order_of_rooms(package: str) -> None:
    """Two lists of one order (record 0046): what ROOMS leaves out stands, in the contract as here, below all of it."""
    floors = _layers_of(package)
    n_rooms = len(ROOMS[package])
    assert floors[:n_rooms] == [{room} for room in ROOMS[package]]
    left_out = {_room(module.name) for module in modules(package)} - set(ROOMS[package]) - {"__init__"}
    assert set().union(*floors[n_rooms:]) == left_out


def _layers_of(package: str) -> list[set[str]]:
    """The floors that ``lint-imports`` holds a package's rooms to, from the top down."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (found,) = [one["layers"] for one in contracts if one["type"] == "layers" and one.get("containers") == [package]]
    return [{room.strip() for room in re.split("[:|]", layer)} for layer in found]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not [sorted(circle) for circle in circles(arrows(*SERVICE, "sandbox", "tests", "benchmarks"))]


@pytest.mark.parametrize("package", [*SERVICE, "sandbox"])
def test_no_rooms_use_each_other_in_a_circle(package: str) -> None:
    """A room is a package, or a module that stands beside the packages."""
    rooms: dict[str, set[str]] = {}
    for importer, imports in arrows(package).items():
        own = rooms.setdefault(_place(importer), set())
        own |= {_place(imported) for imported in imports if imported.startswith(f"{package}.")} - {_place(importer)}
    assert not [sorted(circle) for circle in circles({room: used & rooms.keys() for room, used in rooms.items()})]


def _place(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_httpx_has_one_border() -> None:
    """It is quiet upstream: the day it must be replaced, two modules change; its engine stands in one."""
    users = {
        name: {module.name for module in modules(*SERVICE, "sandbox") if name in module.top_level_imported()}
        for name in ("httpx", "aiohttp")
    }
    assert users == {
        "httpx": {"worker.factus.client", "worker.factus.transport"},
        # What webhooks are sent to is anybody's server: their sender wants the engine's own words for what went wrong.
        "aiohttp": {"worker.factus.transport", "worker.webhooks.sender"},
    }


def test_signatures_have_one_border() -> None:
    """Libraries for tokens let more pass than a token may say: they are not asked what one says (record 0031)."""
    users = {
        name
        for name in ("jwt", "nacl")
        for module in modules(*SERVICE, "sandbox")
        if name in module.top_level_imported() and module.name != "worker.rights.signatures"
    }
    assert not users


def test_jobs_and_schemas_reach_neither_network_nor_store() -> None:
    wrong = {
        module.name: found
        for module in modules("jobs", "schemas")
        if (found := module.top_level_imported() & ADAPTERS_ONLY)
    }
    assert not wrong


def test_only_settings_reads_the_environment() -> None:
    """Whatever can be configured is refused at start when wrong, and stands in one table."""
    wrong = {module.name for module in modules(*SERVICE) if _reads_environment(module)}
    # Help asks for its language before pydantic is loaded.
    assert wrong <= {"worker.settings.environment", "worker.language"}


def test_jobs_take_the_clock_as_an_argument() -> None:
    """A decision that reads the clock cannot be tested at 23:59:59."""
    clocks = {"time.time", "time.time_ns", "time.monotonic", "datetime.now", "datetime.utcnow", "datetime.today"}
    clocks |= {"date.today", "datetime.datetime.now", "datetime.date.today"}
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules("jobs", "schemas")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in clocks
    ]
    assert not wrong


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


def test_no_package_hides_code_in_init() -> None:
    """Names are imported from the module that owns them."""
    assert not [module.name for module in modules(*SERVICE, "sandbox") if _is_init(module) and module.tree.body]


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


def arrows(*packages: str) -> dict[str, set[str]]:
    """Which modules of the packages each of them imports."""
    found = {module.name: module.imported() for module in modules(*packages)}
    return {
        name: {target for one in imported for target in (one, one.rpartition(".")[0]) if target in found} - {name}
        for name, imported in found.items()
    }


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules of which each leads back to itself."""
    reached = {name: _reached_from(name, graph) for name in graph}
    knots = {frozenset(other for other in reached[name] if name in reached[other]) for name in graph}
    return [set(knot) for knot in knots if knot]


def _reached_from(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen


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


def _room(module: str) -> str:
    return module.split(".")[1]


def _reads_environment(module: Module) -> bool:
    if module.imported() & {"os.environ", "os.environb", "os.getenv"}:
        return True
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "environb", "getenv"}
        for node in ast.walk(module.tree)
    )


def _is_init(module: Module) -> bool:
    return module.name.endswith(".__init__")
