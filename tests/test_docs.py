"""The documents keep up with the code: links lead somewhere, settings are described, examples are real."""

from __future__ import annotations

import ast
import itertools
import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Final

import click
import pytest

from jobs.registry import JOB_TYPES
from schemas.payload.validate import validate_document
from tests.test_architecture import ROOMS
from worker.cli.group import cli
from worker.settings.model import Settings

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = {".pytest_cache", ".venv", ".tools", ".git", "node_modules", "mutants"}
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not LEFT_OUT & {*path.relative_to(ROOT).parts} and "facts" not in path.parts
)


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", text)


def anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", without_code(text))
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        is_known = found.exists() and (not anchor or anchor in anchors(found.read_text(encoding="utf-8")))
        if not is_known:
            broken.append(target)
    assert not broken


def test_every_setting_stands_in_operations() -> None:
    described = set(re.findall(r"`(FACTUS_[A-Z_]+)`", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")))
    assert described == {f"FACTUS_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_named_anywhere_exists() -> None:
    known = {f"FACTUS_{name.upper()}" for name in Settings.model_fields}
    files = [*DOCUMENTS, ROOT / ".env.example", ROOT / "docker-compose.yml", ROOT / "Dockerfile"]
    named = {
        name for path in files for name in re.findall(r"\bFACTUS_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert named <= known


def test_every_decision_is_listed_and_has_its_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("0*.md"):
        text = page.read_text(encoding="utf-8")
        assert f"({page.name})" in listed
        assert re.findall(r"(?m)^## (.+)$", text) == ["Context", "Decision", "Consequences", "Status"]


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z.][\w./-]*):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    named = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"(?m)(?:^|`|&& )make ([a-z.][\w./-]*)", path.read_text(encoding="utf-8"))
    }
    assert named <= targets


def test_first_job_of_the_readme_is_valid() -> None:
    """People paste it before they read anything else."""
    (pushed,) = re.findall(r"(?ms)^cat > first.json <<'END'\n(.*?)^END$", readme())
    job = json.loads(pushed)
    assert job["type"] == "invoice.issue"
    judged = validate_document("invoice", job["payload"], today=date(2026, 11, 30))
    assert (judged.errors, judged.total) == ((), "11900.00")


_TYPED: Final = re.compile(r"(?:\.venv/bin/factus-worker|\bfactus-worker|\bfw) ([a-z][a-z-]*)((?: [^\s`|)]+)*)")


def options_of(command: click.Command) -> set[str]:
    """The options of a command, and of all those below it."""
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return known.union(*map(options_of, below))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists_with_its_options(path: Path) -> None:
    """What is typed at 23:40 has to be right the first time."""
    code = re.findall(r"(?ms)^```(?:sh|text)\n(.*?)^```|`([^`\n]+)`", path.read_text(encoding="utf-8"))
    for name, rest in _TYPED.findall("\n".join(block or inline for block, inline in code)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, f"{path.name}: factus-worker {name}"
        if name == "sandbox":
            continue
        known = options_of(command)
        wrong = set(re.findall(r"(?<!\S)(--[a-z-]+)", rest)) - known - {"--help"}
        assert not wrong, f"{path.name}: factus-worker {name} {wrong}"


def test_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"image: factus-worker:{version}" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


class TestWayOfAJob:
    """The page names files and what stands in them; a newcomer believes it."""

    PAGE = (ROOT / "docs" / "way-of-a-job.md").read_text(encoding="utf-8")
    FILE = re.compile(r"`((?:worker|jobs|schemas|sandbox)/[a-z0-9_/]+\.(?:py|lua))`(?:: ((?:`[\w.]+`(?:, )?)+))?")

    def test_every_file_is_there_and_holds_what_it_is_named_for(self) -> None:
        named = self.FILE.findall(self.PAGE)
        assert len(named) > 40
        wrong = [
            f"{path}: {name}"
            for path, names in named
            for name in [*re.findall(r"[\w.]+", names)] or [""]
            if not _defines(ROOT / path, name)
        ]
        assert not wrong

    def test_the_roads_into_a_claim_are_the_ones_that_are_told(self) -> None:
        receive = _callers("_claimer.receive(")
        assert receive == {
            f"worker/{name}.py" for name in ("intake/writer", "queue/ledger", "queue/sweep", "queue/dispatcher")
        }
        assert _callers("claimer.read(") == {"worker/queue/arq_worker.py"}

    def test_every_file_is_named_with_its_path_and_each_section_once(self) -> None:
        assert not [name for name in re.findall(r"`([\w/.-]+\.(?:py|lua))`", self.PAGE) if not (ROOT / name).is_file()]
        numbers = re.findall(r"(?m)^## (\d+)\.", self.PAGE)
        assert numbers == [str(n) for n in range(1, len(numbers) + 1)]

    def test_the_order_of_the_rooms_is_the_one_that_is_kept(self) -> None:
        told = self.PAGE[self.PAGE.index("each room uses those below it") : self.PAGE.index("; what has no\nplace")]
        order = [room for some in ROOMS["worker"] for room in ([some] if isinstance(some, str) else some)]
        assert re.findall(r"`(\w+)`", told) == [room for room in order if room != "__main__"]

    def test_no_room_of_the_way_is_left_out(self) -> None:
        rooms = {"intake", "queue", "factus", "archive", "store"}
        assert {path.split("/")[1] for path, _ in self.FILE.findall(self.PAGE) if path.startswith("worker/")} >= rooms


def _callers(call: str) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in (ROOT / "worker").rglob("*.py") if call in path.read_text("utf-8")}


def _defines(path: Path, name: str) -> bool:
    """Whether the file is there and has the class, function or method (`Class.method`)."""
    if not path.is_file() or not name:
        return path.is_file()
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = next((node for node in body if isinstance(node, kinds) and node.name == part), None)
        if found is None:
            return False
        body = found.body
    return True


def test_a_word_has_one_line_in_the_glossary() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = [line.split("|")[1].strip() for line in page.splitlines() if re.match(r"\| (?!word \|)", line)]
    assert len(words) > 100
    assert sorted(set(words)) == sorted(words)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_table_has_its_headings(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    wrong = [
        f"{path.name}:{number}"
        for number, (before, line) in enumerate(itertools.pairwise(["", *lines]), 1)
        if re.fullmatch(r"\|(?: ?:?-+:? ?\|)+", line)
        if before.count("|") != line.count("|")
    ]
    assert not wrong


CODE: Final = [
    path
    for part in ("worker", "jobs", "schemas", "sandbox")
    for path in (ROOT / part).rglob("*.*")
    if path.suffix in {".py", ".lua"}
]


LUA: Final = ROOT / "worker" / "store" / "lua"
TESTS: Final = [path for part in ("tests", "benchmarks") for path in (ROOT / part).rglob("*.py")]
PAGES: Final = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]


def _named(path: Path) -> list[str]:
    """The files of ours that a file names: in a page, in a docstring, in a comment of a script."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".lua":
        return re.findall(r"\b((?:worker|jobs|schemas|lib)/[\w/]+\w(?:\.(?:py|lua))?)", text)
    mark = "`" if path.suffix == ".md" else "``"
    return re.findall(rf"{mark}([\w/.-]+\.(?:py|lua)){mark}", text)


def test_what_is_said_of_other_files_is_there() -> None:
    """A text that names a file that was moved sends its reader nowhere."""
    known = {str(path.relative_to(ROOT)) for path in (*CODE, *TESTS)}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*CODE, *TESTS, *PAGES)
        for name in _named(path)
        if not any(f"/{one}".endswith(f"/{name}") for one in known)
        and not any((folder / f"{name}{end}").exists() for folder in (ROOT, LUA) for end in ("", ".py", ".lua"))
    ]
    assert set(wrong) == {"worker/queue/arq_worker.py: arq/worker.py", "worker/store/scripts.py: NAME.lua"}, (
        "no file of ours"
    )


def test_every_cross_reference_leads_to_something() -> None:
    wrong = []
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        for role, name in re.findall(r":(class|func|meth|data|mod|attr):`~?([\w.]+)`", text):
            if not _is_known(path, role, name):
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert not wrong


def _is_known(path: Path, role: str, name: str) -> bool:
    """Whether a name is a module with its path, something of one, or stands in the same file."""
    if name.partition(".")[0] not in {"worker", "jobs", "schemas", "sandbox"}:
        return name.partition(".")[0] in {"asyncio", "decimal", "os"} or name.split(".")[-1] in path.read_text("utf-8")
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        file = ROOT.joinpath(*parts[:n]).with_suffix(".py")
        if file.is_file():
            return n == len(parts) or parts[-1] in file.read_text(encoding="utf-8")
    return role == "mod" and ROOT.joinpath(*parts).is_dir()


def test_the_first_page_knows_how_many_job_types_there_are() -> None:
    assert re.findall(r"all (\d+) job types", readme()) == [str(len(JOB_TYPES))]


def test_what_may_change_takes_ten_lines() -> None:
    """An integrator decides by it what a program may rely on; a page of it nobody reads."""
    contract = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    section = contract.partition("## What may change\n")[2].partition("\n## ")[0]
    assert len(re.findall(r"(?m)^\d+\. ", section)) == 10


def test_first_example_of_the_job_types_names_no_account() -> None:
    """It is pasted first, and nobody has an account of our example's name."""
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    (job,) = re.findall(r"XADD factus:jobs '\*' job \\\n  '(\{.*\})'", page)
    assert "account" not in json.loads(job)


def test_what_the_first_page_quotes_of_the_programs_is_what_they_say() -> None:
    page = (ROOT / "docs" / "primeros-pasos.md").read_text(encoding="utf-8").partition("## Si algo no sale")[2]
    quoted = set(re.findall(r"(?m)^\| ((?:`[^`]+`(?: o )?)+) \|", page))
    words = {word for cell in quoted for word in re.findall("`([^`]+)`", cell)}
    said = "".join(
        path.read_text(encoding="utf-8")
        for path in [ROOT / "Makefile", *(ROOT / "worker").rglob("*.py"), *(ROOT / "sandbox").rglob("*.py")]
    )
    of_the_system = {
        "make: command not found",
        "No module named pip",
        "submit --wait",
        "cannot listen on 127.0.0.1:8400",
    }
    assert len(words) > 4
    assert {word for word in words if word not in said} <= of_the_system


def test_what_the_night_page_quotes_is_what_the_commands_say() -> None:
    """Whoever is woken up looks for the words on the screen."""
    page = (ROOT / "docs" / "son-las-23-40.md").read_text(encoding="utf-8")
    rooms = (ROOT / "worker" / "cli" / "status", ROOT / "worker" / "status")
    said = "".join(path.read_text(encoding="utf-8") for room in rooms for path in room.glob("*.py"))
    quoted = set(re.findall("«([^»]+)»", page)) - {"80 de 80"}
    assert len(quoted) > 20
    assert {words for words in quoted if words not in said} == {"volver a intentar"}
