"""Whatever is typed, and whatever a file is: a message, an exit status, and nothing that a terminal would obey."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from worker import __main__, uncaught
from worker.cli.console import clean, escaped
from worker.cli.files.all_files import read_all
from worker.cli.files.limits import FileRefused

EVIL = "x\x1b[2J\x9b31m\u202e\u200b\x7f\u2066\ufeffy"

Run = Callable[..., tuple[int, str]]


def shows_nothing_hidden(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, valkey_url: str) -> Run:
    monkeypatch.chdir(tmp_path)
    # A server that refuses every command: one that is away, or knows no such user, is asked again for seconds.
    with redis.Redis.from_url(valkey_url) as admin:
        admin.execute_command("ACL", "SETUSER", "barred", "on", ">s3cr3t")
    refusing = valkey_url.replace("unix://", "unix://barred:s3cr3t@", 1)
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def call(*arguments: str, **variables: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["factus-worker", *arguments])
        for name, value in {"FACTUS_REDIS_URL": refusing, **variables}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        seen = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, seen.out + seen.err

    return call


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def dev_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nothing(_path: Path) -> None:
    pass


def too_large(path: Path) -> None:
    path.touch()
    os.truncate(path, 301 * 1024 * 1024)


def one_long_line(path: Path) -> None:
    path.write_bytes(b'{"a": "' + b"x" * 5_000_000 + b'"}\n')


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def surrogates(path: Path) -> None:
    path.write_text('{"a": "\\ud800"}')


@pytest.mark.parametrize("command", ["check", "submit"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (a_folder, "es una carpeta"),
        (a_pipe, "es una tubería"),
        (dev_zero, "es un dispositivo"),
        (nothing, "no existe"),
        (too_large, "tiene más de 300 MiB"),
        (one_long_line, ""),
        (deep, "niveles"),
        (no_text, ""),
        (surrogates, ""),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(
    run: Run, command: str, suffix: str, make: Callable[[Path], None], told: str
) -> None:
    make(Path(EVIL + suffix))
    code, shown = run(command, EVIL + suffix)
    assert code in (1, 2)
    assert told in shown
    assert clean(EVIL) in shown
    assert shows_nothing_hidden(shown)


def test_files_that_hold_too_much_together_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        file.write_text("{}\n" * 12)
    rows = read_all([str(file) for file in files], io.BytesIO(), most=20)
    assert len([next(rows) for _ in range(20)]) == 20
    with pytest.raises(FileRefused, match=r"b\.jsonl: más de 20 trabajos a la vez"):
        next(rows)


@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL],
        [f"--{EVIL}"],
        ["status", EVIL],
        ["status", EVIL, "--account", EVIL, "--family", EVIL],
        ["status", f"--{EVIL}"],
        ["results", "--since", EVIL],
        ["results", "--type", EVIL, "--account", EVIL],
        ["results", "--group", EVIL],
        ["results", "--since", "0001-01-01T00:00:00+12:00"],
        ["results", "--since", "9999-12-31T23:59:59-12:00"],
        ["results", "--since", "999999999999999d"],
        ["results", "--count", "9" * 40],
        ["dead", EVIL],
        ["dead", "show", EVIL],
        ["dead", "list", "--since", "999999999999999d", "--reason", EVIL],
        ["dead", "retry", EVIL],
        ["submit", "x.json", "--type", EVIL],
        ["submit", "x.json", "--batch", EVIL * 100],
        ["submit", "x.json", "--issue-on", EVIL],
        ["submit", "x.json", "--timeout", EVIL],
        ["submit", "x.json", "--account", EVIL],
        ["submit", "x.json", "--priority", EVIL],
        ["contract", "--schemas", f"/proc/{EVIL}"],
        ["demo", "--folder", f"/proc/{EVIL}"],
        ["demo", "--seed", EVIL],
        ["run", "--log-level", EVIL],
        ["run"],
        ["run", "--burst", EVIL],
    ],
    ids=lambda arguments: " ".join(arguments).encode("ascii", "backslashreplace").decode()[:60],
)
def test_arguments_of_any_kind_end_with_a_message(run: Run, arguments: list[str]) -> None:
    code, shown = run(*arguments)
    assert code in (1, 2)
    assert shown
    assert shows_nothing_hidden(shown)
    assert "Traceback" not in shown
    assert uncaught._DEFECT not in shown
    assert "s3cr3t" not in shown


def test_an_error_of_the_settings_is_one_line(run: Run) -> None:
    code, shown = run("status", FACTUS_ACCOUNTS_FILE=f"/{EVIL}", FACTUS_REDIS_URL="redis://127.0.0.1:1")
    assert code == 1
    assert shown.count("\n") == 1
    assert shows_nothing_hidden(shown)


def test_a_misspelt_name_is_told_by_every_command_that_reads_settings(run: Run) -> None:
    assert "did you mean FACTUS_REDIS_URL?" in run("status", FACTUS_REDIS_ULR="x")[1]


@pytest.mark.parametrize("value", [EVIL, "\ud800", "\U000e0001", "ñ 🙂", '"\\'])
def test_json_for_a_terminal_means_the_same(value: str) -> None:
    text = json.dumps({value: [value]}, ensure_ascii=False, indent=2)
    assert json.loads(escaped(text)) == {value: [value]}
    assert shows_nothing_hidden(escaped(text))


def test_check_as_json_holds_nothing_hidden(run: Run) -> None:
    Path(EVIL + ".json").write_text(json.dumps({"reference_code": EVIL, EVIL: 1}, ensure_ascii=False))
    code, shown = run("check", "--json", EVIL + ".json")
    assert code == 1
    assert shows_nothing_hidden(shown)
    assert json.loads(shown)["errors"][0]["source"] == EVIL + ".json"


# -- what nobody caught ------------------------------------------------------------------------------------------------
_PROGRAM = """
import asyncio, gc, sys, threading
from worker import uncaught
uncaught.install()
def fail(): raise ValueError("Nombre Muy Personal")
class Dying:
    def __del__(self): fail()
async def forgotten():
    async def failing(): fail()
    task = asyncio.create_task(failing(), name="t")
    await asyncio.sleep(0)
    del task
    gc.collect()
async def chained():
    try: fail()
    except ValueError as exc: raise RuntimeError("Nombre Muy Personal") from exc
{body}
"""


@pytest.mark.parametrize(
    ("body", "told", "status"),
    [
        ("fail()", "ValueError", 1),
        ("asyncio.run(chained())", "RuntimeError", 1),
        ("asyncio.run(forgotten())", "Task exception was never retrieved", 0),
        ("thread = threading.Thread(target=fail); thread.start(); thread.join()", "(in a thread)", 0),
        ("x = Dying(); del x", "(while cleaning up)", 0),
        ("raise ExceptionGroup('Nombre Muy Personal', [ValueError('Nombre Muy Personal')])", "ExceptionGroup", 1),
        ("import logging; logging.getLogger('x').warning('no personal words')", "x: no personal words", 0),
        ("raise KeyboardInterrupt('Nombre Muy Personal')", "interrupted", 130),
    ],
)
def test_what_nobody_caught_is_told_by_class_and_place(body: str, told: str, status: int) -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM.format(body=body)], capture_output=True, text=True)
    assert done.returncode in (status, -2 if status == 130 else status)
    assert told in done.stderr
    assert "Nombre Muy Personal" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_of_a_command_shows_places_and_no_words(tmp_path: Path) -> None:
    program = (
        "import sys; from worker import __main__\n"
        "import worker.cli.check.validation as it\n"
        "def broken(*a, **k): raise KeyError('Nombre Muy Personal')\n"
        "it.check_rows = broken\n"
        "__main__.main()\n"
    )
    (tmp_path / "x.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "x.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "KeyError" in done.stderr
    assert "check/command.py:" in done.stderr
    assert "Personal" not in done.stderr + done.stdout


def test_a_forgotten_task_is_logged_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    """asyncio's own line below the first shows the exception of the task."""
    uncaught.install()

    async def failing() -> None:
        raise ValueError("Nombre Muy Personal")

    async def forgetting() -> None:
        task = asyncio.create_task(failing())
        await asyncio.sleep(0)
        del task
        gc.collect()

    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # a list is all that is needed of a handler
    logging.getLogger("asyncio").addHandler(handler)
    try:
        asyncio.run(forgetting())
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
    assert [record.getMessage() for record in records] == ["Task exception was never retrieved"]
