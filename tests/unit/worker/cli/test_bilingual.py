"""Help, usage and errors in what was typed, in both languages: nothing is left to click's English."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from click import core, decorators, exceptions, formatting, parser, termui, types
from click.testing import CliRunner, Result

from worker.cli.bilingual import Argument, Command, Group, Option
from worker.cli.click_words import ONE_AND_MANY, SPANISH_WORDS
from worker.cli.commands import COMMANDS, help_text
from worker.cli.group import cli
from worker.language import language_of_help

SPANISH_ONLY = re.compile(r"[áéíóúñ¿¡]|\b(?:Uso|Opciones|Órdenes|Muestra|Termina|que|los|las|del)\b")
ENGLISH_ONLY = re.compile(r"\b(?:Usage|Options|Commands|Show|the|with|and|default|Exit status|this)\b")
NAMES = re.compile(r"'[^']*'|--[\w-]+|\w*\.\w+|FACTUS_\w+|Fixed|resultado")

_DEVELOPERS = frozenset(
    {
        "Name '{name}' defined twice", "deprecated", "Value must be an iterable.", "%(prog)s, version %(version)s",
        "Do you want to continue?", "Confirm the action without prompting.", "Press any key to continue...",
        "Unknown color {colour!r}", "Invalid start character for option ({option})", "Choice({choices})",
        "{value!r} is not a valid UUID.",
    }
)  # fmt: skip
"""What only a wrong declaration, or what no command here has, can bring about."""


@pytest.fixture(params=["es", "en"])
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FACTUS_LANG", request.param)
    return str(request.param)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="factus-worker", terminal_width=80)


def all_commands() -> Iterator[tuple[str, ...]]:
    context = click.Context(cli)
    for name in COMMANDS:
        if name == "sandbox":
            continue  # a program of its own
        yield (name,)
        found = cli.get_command(context, name)
        if isinstance(found, click.Group):
            yield from ((name, sub) for sub in found.commands)


ALL = list(all_commands())


def command_of(path: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for name in path:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name) or pytest.fail(name)
    return found


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_speaks_one_language_within_80_columns(path: tuple[str, ...], language: str) -> None:
    done = run(*path, "--help")
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= 80
    foreign = ENGLISH_ONLY if language == "es" else SPANISH_ONLY
    words = NAMES.sub("", done.output)
    assert not foreign.search(words), foreign.search(words)
    assert done.output.startswith("Uso: " if language == "es" else "Usage: ")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_is_told_in_both(path: tuple[str, ...]) -> None:
    found = command_of(path)
    assert isinstance(found, (Command, Group))
    assert all(found.told)
    for one in found.params:
        assert isinstance(one, (Option, Argument)), one.name
        if isinstance(one, Option):
            assert all(one.told)


def test_the_first_help_speaks_both_within_80_columns() -> None:
    es, en = help_text("es"), help_text("en")
    assert max(map(len, [*es.splitlines(), *en.splitlines()])) <= 80
    assert not ENGLISH_ONLY.search(es)
    assert not SPANISH_ONLY.search(en)


@pytest.mark.parametrize(
    ("arguments", "es", "en"),
    [
        (["nada"], "No existe la orden 'nada'.", "No such command 'nada'."),
        (["statu"], "¿Quiso decir 'status'?", "Did you mean 'status'?"),
        (["dead", "lst"], "No existe la orden 'lst'.", "No such command 'lst'."),
        (["status", "--nada"], "No existe la opción '--nada'.", "No such option '--nada'."),
        (["status", "--acount", "x"], "¿Quiso decir '--account'?", "Did you mean '--account'?"),
        (["status", "--batch"], "La opción '--batch' necesita un valor.", "Option '--batch' requires an argument."),
        (["status", "--json=1"], "La opción '--json' no lleva valor.", "Option '--json' does not take a value."),
        (["status", "a", "b"], "Sobra un argumento (b)", "Got unexpected extra argument (b)"),
        (["check"], "Falta el argumento 'ARCHIVO...'.", "Missing argument 'FILE...'."),
        (["resume"], "Falta el argumento 'CUENTA'.", "Missing argument 'ACCOUNT'."),
        (["results", "--count", "x"], "'x' no es un número entero.", "'x' is not a valid integer range."),
        (["results", "--count", "0"], "0 no está en el rango x>=1.", "0 is not in the range x>=1."),
        (["run", "--log-level", "x"], "'x' no es uno de 'debug', ", "'x' is not one of 'debug', "),
        (["submit", "--from", "v3", "x"], "'v3' no es 'v1'.", "'v3' is not 'v1'."),
        (["contract", "--schemas", __file__], "es un archivo.", "is a file."),
        (["cancel"], "Diga una REFERENCIA", "Name a REFERENCE"),
    ],
)
def test_what_was_typed_wrong_is_told(arguments: list[str], es: str, en: str, language: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert (es if language == "es" else en) in done.output
    foreign = ENGLISH_ONLY if language == "es" else SPANISH_ONLY
    assert not foreign.search(NAMES.sub("", done.output)), done.output


@pytest.mark.parametrize("module", [core, decorators, exceptions, formatting, parser, termui, types])
def test_each_word_that_click_may_say_has_a_translation(module: ModuleType) -> None:
    """A new version of click may bring words; then this fails, and the table grows."""
    unknown = [text for text in _words_of(module) if text not in SPANISH_WORDS and text not in ONE_AND_MANY]
    assert not [text for text in unknown if text not in _DEVELOPERS and not _is_for_developers(text)]


def _words_of(module: ModuleType) -> Iterator[str]:
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _is_for_developers(text: str) -> bool:
    return text.startswith(
        ("DeprecationWarning", "Could not determine name", "No options defined", "Arguments take exactly", "Boolean")
    ) or text.endswith(("the format {format}.", "the formats {formats}.", "was given.", "were given."))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("FACTUS_LANG=en\n", "en"),
        ("# x\nexport FACTUS_LANG = 'en_US.UTF-8'\r\n", "en"),
        ("FACTUS_LANG=en\nFACTUS_LANG=es\n", "es"),
        ("FACTUS_LANG=fr\n", "es"),
        ("#FACTUS_LANG=en\n", "es"),
        ("", "es"),
    ],
)
def test_help_reads_its_language_from_the_file_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, language: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACTUS_LANG", raising=False)
    Path(".env").write_text(text)
    assert language_of_help() == language
    monkeypatch.setenv("FACTUS_LANG", "en")
    assert language_of_help() == "en", "the environment wins"


def test_help_refuses_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACTUS_LANG", raising=False)
    Path(".env").mkdir()
    assert language_of_help() == "es"
