"""
The arrows between the packages, read from the imports themselves.

``lint-imports`` says the same in ``make check``; here it also covers imports inside functions and access to the
environment, and it fails in ``make test``, which everybody runs.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

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


def test_no_package_hides_code_in_init() -> None:
    """Names are imported from the module that owns them."""
    assert not [module.name for module in modules(*SERVICE, "sandbox") if _is_init(module) and module.tree.body]


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
