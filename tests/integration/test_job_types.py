"""
Every job type is whole: what a new one needs is done in six steps, and whoever forgets one is told its place.

CONTRIBUTING names the steps and their files. What follows from them is generated: docs/jobs.md, asyncapi.json, the
schemas, --help.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from inspect import getclosurevars
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.routing import Match, Route

from jobs import answers
from jobs.calls import CallContext
from jobs.example_payloads import example
from jobs.factus_requests import Request, get
from jobs.families import FAMILIES
from jobs.job_type import Description, JobType
from jobs.outcomes import Ending
from jobs.registry import JOB_TYPES
from sandbox.app import create_app
from sandbox.state.config import SandboxConfig
from schemas.contract.event_data import CatalogRows, Shown
from schemas.names import CONTROL
from schemas.payload.fields import Part
from schemas.payload.spec import checked
from schemas.payload.validate import validate
from tests.integration.call_cases import CALLS
from tests.integration.families import FAMILY_CASES
from worker.cli.contract import example_events

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = "docs/contract.md"
MODELS = "schemas/payload/calls/payloads.py"
SANDBOX = "sandbox/app.py"
CASES = "tests/integration/call_cases.py"
DATA = "schemas/contract/event_data.py"
ROOMS = "sandbox/routes/"
STEPS: tuple[set[str], ...] = (
    {CONTRACT},
    {MODELS, "schemas/payload/rules/calls.py"},
    {"jobs/document_verbs.py", "jobs/account_verbs.py", "jobs/control_verbs.py"},
    {"jobs/document_types.py", "jobs/account_types.py", DATA, "jobs/example_data.py"},
    {SANDBOX, ROOMS},
    {CASES},
)
"""The files of each step: of the verbs and of the rows one each, by what the call is about."""

ROUTES = [route for route in create_app(SandboxConfig()).routes if isinstance(route, Route)]
CALL_NAMES = [name for name, row in JOB_TYPES.items() if not row.issues]


def promised() -> set[str]:
    """The words of section 3 of the contract: its code, and the heads of its tables."""
    section = (ROOT / CONTRACT).read_text(encoding="utf-8").partition("\n## 3. ")[2].partition("\n## ")[0]
    heads = re.findall(r"^\|.*\|\n(?=\|--)", section, re.MULTILINE)
    return set(re.findall(r"[a-z_]+", " ".join([*re.findall(r"`([^`]+)`", section), *heads])))


def module_of(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def verbs_of(row: JobType) -> str:
    if row.family in FAMILIES:
        return "jobs/document_verbs.py"
    return "jobs/control_verbs.py" if row.family == CONTROL else "jobs/account_verbs.py"


def rows_of(row: JobType) -> str:
    return "jobs/document_types.py" if row.family in FAMILIES else "jobs/account_types.py"


def lacking(name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a call lacks: the place, a colon, and what is not there."""
    row = JOB_TYPES[name]
    found = [*_of_the_row(row)]
    if not {row.family, row.verb} <= promised():
        found.append(f"{CONTRACT}: section 3 does not name {name}")
    if row.payload.shape.model.__module__ != module_of(MODELS):
        found.append(f"{MODELS}: the model of {name} stands elsewhere")
    if row.data.__module__ != module_of(DATA):
        found.append(f"{DATA}: the data of {name} stands elsewhere")
    if name not in CALLS:
        found.append(f"{CASES}: {name} has no case")
    if row.work is None:
        return [*found, f"{verbs_of(row)}: nothing is done for {name}"]
    if any(problem.startswith(rows_of(row)) for problem in found):
        return found  # its example cannot be played
    return [*found, *_of_its_example(row, monkeypatch)]


def _of_the_row(row: JobType) -> Iterator[str]:
    where = f"{rows_of(row)}: {row.name}"
    if not row.description.does.endswith("."):
        yield f"{where} has no description"
    if row.example is None:
        yield f"{where} has no example"
        return
    checked_ = validate(row.payload, example(row.name), today=date(2026, 11, 30))
    yield from (f"{where}, example: {fault.field}: {fault.message}" for fault in (*checked_.errors, *checked_.warnings))


def _of_its_example(row: JobType, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its verb is played with the example, against the answers of the row; each request must have a route."""
    asked: list[Request] = []
    play = example_events._Scripted.call

    async def listen(self: Any, request: Request, *, marks: Any = None) -> answers.Answer:
        asked.append(request)
        return await play(self, request, marks=marks)

    monkeypatch.setattr(example_events._Scripted, "call", listen)
    try:
        events = example_events.events_of_call(row.name)
    except (LookupError, AttributeError) as exc:
        yield f"{rows_of(row)}: {row.name}, factus_answers: its verb does not come to its end with them ({exc!r})"
        return
    data, (error, *_) = events[f"{row.name}.completed"].data or {}, events[f"{row.name}.failed"].errors or ()
    if error.message.startswith("No se sabe si") is not bool(row.description.may_be_done):
        yield f"{rows_of(row)}: {row.name}, may_be_done: what is not repeated says what it may have done, no other"
    # What stands only where there is something to say has a default.
    fields = {field.alias or key for key, field in row.data.model_fields.items() if field.is_required()}
    if fields != data.keys():
        yield f"{rows_of(row)}: {row.name}, data: {row.data.__name__} has other fields than {sorted(data)}"
    for request in asked:
        if not any(_answers(route, request) for route in ROUTES):
            yield f"{SANDBOX}: no route answers {request.method} {request.path}, which {row.name} asks for"


def _answers(route: Route, request: Request) -> bool:
    asked = {"type": "http", "method": request.method, "path": unquote(request.path), "root_path": ""}
    return route.matches(asked)[0] is Match.FULL


@pytest.mark.parametrize("name", CALL_NAMES)
def test_a_call_is_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(name, monkeypatch) == []


def test_what_is_issued_is_a_family_everywhere() -> None:
    issued = {row.family for row in JOB_TYPES.values() if row.issues}
    assert issued == FAMILIES.keys() == FAMILY_CASES.keys()
    assert all(example(f"{family}.issue") for family in issued)


# -- each gap is seen --------------------------------------------------------------------------------------------------
async def _asks_nowhere(context: CallContext) -> Ending:
    body = await context.read(get("/v2/companies/taxes"))
    return context.completed("Leído.", {"factus": body["data"]})


class Elsewhere(Part):
    """A model in a module of its own."""


class DataElsewhere(Shown):
    """The data of its row, in a module of its own."""


def whole() -> JobType:
    return JOB_TYPES["company.get"]


def mailing() -> JobType:
    return JOB_TYPES["invoice.email"]


GAPS = {
    CONTRACT: lambda: replace(whole(), name="company.taxes"),
    MODELS: lambda: replace(whole(), payload=checked("company.get", Elsewhere)),
    DATA: lambda: replace(whole(), data=DataElsewhere),
    "jobs/account_verbs.py": lambda: replace(whole(), work=None),
    "jobs/account_types.py: company.get has no description": lambda: replace(whole(), description=Description("")),
    "jobs/account_types.py: company.get has no example": lambda: replace(whole(), example=None),
    "jobs/account_types.py: company.get, example": lambda: replace(whole(), example={"nit": "1"}),
    "jobs/account_types.py: company.get, factus_answers": lambda: replace(whole(), factus_answers=()),
    "jobs/account_types.py: company.get, data": lambda: replace(whole(), data=CatalogRows),
    "jobs/document_types.py: invoice.email, may_be_done": lambda: replace(mailing(), description=whole().description),
    SANDBOX: lambda: replace(whole(), work=_asks_nowhere),
    CASES: lambda: replace(whole(), name="company.taxes"),
}


@pytest.mark.parametrize("place", GAPS)
def test_what_is_not_there_is_named_with_its_place(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = GAPS[place]()
    monkeypatch.setitem(JOB_TYPES, row.name, row)
    assert any(problem.startswith(place) for problem in lacking(row.name, monkeypatch))


def test_a_row_without_one_of_its_parts_is_none() -> None:
    parts = {name: getattr(whole(), name) for name in JobType.__dataclass_fields__}
    for name in ("name", "payload", "work", "data", "description", "example", "factus_answers"):
        with pytest.raises(TypeError, match=name):
            JobType(**{key: value for key, value in parts.items() if key != name})


def test_what_answers_a_call_in_the_sandbox_stands_in_a_module_of_its_routes() -> None:
    of_calls = [route for route in ROUTES if route.path.startswith("/v2/")]
    handlers = [getclosurevars(route.endpoint).nonlocals["handler"] for route in of_calls]
    assert handlers
    assert [one for one in handlers if not one.__module__.startswith(ROOMS.replace("/", "."))] == []


def test_contributing_names_the_files_of_each_step() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    steps = re.findall(
        r"^\d\. .+(?:\n   .+)*", text.partition("## Add a call\n")[2].partition("\n## ")[0], re.MULTILINE
    )
    named = [set(re.findall(r"`((?:docs|schemas|jobs|sandbox|tests)/[\w/.]+)`", step)) for step in steps]
    assert named == [*STEPS]
    files = set().union(*STEPS)
    assert {place.partition(":")[0] for place in GAPS} <= files
    assert [path for path in files if not (ROOT / path).exists()] == []
