"""What a person sees: tables and blocks, whole words, colour on a terminal only, a bar that tells the truth."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import WaitReason
from worker.cli.console import column_widths, emit, show_fields, show_table, wrapped
from worker.cli.files.job_files import Job
from worker.cli.progress import Bar, watched
from worker.cli.submit.course import Course, interrupted, outcome_words
from worker.cli.submit.pause import LaneFacts, left_words, note_of
from worker.cli.submit.push import Outcome, Pushed
from worker.settings.environment import environment_for_child
from worker.speech import ENGLISH, SPANISH

ROOT = Path(__file__).resolve().parents[4]
NOW = 1_795_938_190_000
LONG = "El dígito de verificación del NIT 900100200 es 0, no 1; corríjalo en customer.dv y envíelo otra vez"
ROWS = [["errores.jsonl:12", "FV-2026-0001", "items.0.taxes.0.rate", LONG]]
HEADERS = ["archivo:línea", "referencia", "campo", "mensaje"]
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Screen = Callable[..., str]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What an act writes on a terminal of so many columns, as it is or without colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def written(act: Callable[[], object], columns: int = 80, *, raw: bool = False) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        out = Terminal()
        with redirect_stdout(out):
            act()
        return out.getvalue() if raw else ANSI.sub("", out.getvalue())

    return written


@pytest.mark.parametrize("columns", [40, 80, 99, 100, 120])
def test_no_word_is_broken_and_no_line_is_too_long(screen: Screen, columns: int) -> None:
    text = screen(lambda: show_table(HEADERS, ROWS, styles=["red"]), columns)
    assert all(len(line) <= columns for line in text.splitlines())
    assert set(" ".join(ROWS[0]).split()) <= set(text.split())


def test_a_narrow_terminal_has_blocks_and_a_wide_one_a_table(screen: Screen) -> None:
    assert "  campo:" in screen(lambda: show_table(HEADERS, ROWS), 80)
    assert re.search(r"archivo:línea +referencia +campo +mensaje", screen(lambda: show_table(HEADERS, ROWS), 120))


def test_a_table_that_fits_is_a_table_everywhere() -> None:
    assert column_widths([["a", "b"], ["1", "2"]], 20) == [1, 1]
    assert not column_widths([HEADERS, *ROWS], 99)
    assert column_widths([HEADERS, *ROWS], 120) == [16, 12, 20, 66]


def test_no_word_of_a_wide_table_is_lost(screen: Screen) -> None:
    """rich made such a table wider than the terminal, and cut "no se sabe" to "no se"."""
    headers = ["carril", "esperan", "más tarde", "en curso", "por qué espera", "se mira", "falta"]
    why = "el cupo está usado (80 de 80 solicitudes en 60 s), sigue 2026-11-30 00:14:47 -05:00"
    names = ("beta/invoice", "ferreteria-el-tornillo/invoice")
    rows = [[name, "4", "0", "0", why, "2026-11-30 00:14:47 -05:00", "no se sabe"] for name in names]
    for shown in (rows[:1], rows):
        text = screen(lambda shown=shown: show_table(headers, shown), 120)
        assert max(map(len, text.splitlines())) <= 120
        assert set(" ".join(" ".join(row) for row in shown).split()) <= set(text.split())


def test_colour_is_for_terminals(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[31m" in screen(lambda: emit("falla", "red"), raw=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in screen(lambda: emit("falla", "red"), raw=True)


def test_a_pipe_has_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_fields([("referencia", "A"), ("número", ""), ("por qué", LONG)])
    out = capsys.readouterr().out
    assert out == f"referencia: A\npor qué:    {LONG}\n"


def test_a_word_that_is_too_long_stands_alone() -> None:
    cufe = "a" * 96
    assert wrapped(f"CUFE {cufe} fin", 40) == ["CUFE", cufe, "fin"]


# -- the bar -----------------------------------------------------------------------------------------------------------
def test_the_last_count_is_always_told() -> None:
    """Thirteen of eighteen came in one burst, and the bar showed one."""
    out = io.StringIO()
    with Bar(18, SPANISH, stream=out) as bar:
        for n in range(14):
            bar.show(n, "terminados")
        bar.show(18, "terminados")
    assert out.getvalue().splitlines() == ["0 de 18 terminados", "18 de 18 terminados"]


def test_a_terminal_sees_the_count_and_why_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    with Bar(300, SPANISH, stream=out, draw_every_s=0.0) as bar:
        bar.show(78, "terminados", "pausa por el límite de Factus (80 por minuto), sigue 02:43:10 · faltan unos 3 min")
    text = " ".join(ANSI.sub("", out.getvalue()).split())
    assert "78 de 300 terminados · pausa por el límite de Factus" in text
    assert "faltan unos 3 min" in text


def test_what_is_quick_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(watched(range(3), 3, ("revisados", "checked"), SPANISH)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_what_takes_long_tells_that_it_lives(capsys: pytest.CaptureFixture[str]) -> None:
    list(watched(range(3), 3, ("revisados", "checked"), SPANISH, quiet_s=0.0))
    assert "3 de 3 revisados" in capsys.readouterr().err


# -- why it stands -----------------------------------------------------------------------------------------------------
FULL = LaneFacts(222, WaitReason.ALLOWANCE, "", 0, NOW + 55_000, 80, 60.0)


def note(*lanes: LaneFacts, n_workers: int = 1, speech=SPANISH) -> str:
    return note_of(lanes, n_workers, NOW, console_zone(), speech)


def console_zone():
    from schemas.factus import BOGOTA

    return BOGOTA


def test_a_used_up_allowance_says_until_when_and_how_long_it_will_take() -> None:
    assert note(FULL) == "pausa por el límite de Factus (80 por minuto), sigue 02:44:05 · faltan unos 3 min"
    assert note(FULL, speech=ENGLISH) == "Factus's limit (80 in a minute), goes on 02:44:05 · about 3 min left"


@pytest.mark.parametrize(
    ("n_waiting", "looks_in_ms", "told"),
    [(222, 55_000, "3 min"), (221, 750, "3 min"), (21, 55_000, "55 s"), (3, 750, "")],
)
def test_the_time_left_counts_bursts_and_an_even_pace(n_waiting: int, looks_in_ms: int, told: str) -> None:
    """Used up at once, 80 places come back at once; used evenly, one every 750 ms."""
    lane = replace(FULL, n_waiting=n_waiting, next_look_ms=NOW + looks_in_ms)
    assert left_words([lane], NOW, SPANISH) == (f"faltan unos {told}" if told else "")


@pytest.mark.parametrize(
    ("lane", "words"),
    [
        (replace(FULL, hold_reason="factus.credentials", hold_until_ms=NOW + 1), "rechaza las credenciales"),
        (replace(FULL, hold_reason="dian.pending", hold_until_ms=NOW + 1), "la DIAN no ha respondido"),
        (replace(FULL, hold_reason="factus.unavailable", hold_until_ms=NOW + 1), "Factus no responde"),
        (replace(FULL, n_waiting=0, wait_reason=WaitReason.NOTHING, is_later=True), "esperan su hora"),
        (replace(FULL, n_waiting=2, wait_reason=WaitReason.WIDTH), ""),
    ],
)
def test_a_pause_has_its_reason(lane: LaneFacts, words: str) -> None:
    assert words in note(lane) if words else note(lane) == ""


def test_no_worker_is_said_first() -> None:
    assert note(FULL, n_workers=0) == "ningún trabajador está en marcha"


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------
def pushed(n_final: int, n: int) -> list[Pushed]:
    job = Job("f:1", "{}", "j", "acme", "R", True, "invoice.issue")
    done = Outcome("invoice.validated", True)
    return [Pushed(job, f"{k}-0", done if k < n_final else None) for k in range(n)]


def test_an_interruption_says_what_goes_on_and_how_to_look_and_cancel() -> None:
    lines = interrupted(Course(300, "cierre-29", 300, pushed(80, 300)), SPANISH)
    assert lines[0] == "Dejó de esperar. 80 terminados; 220 siguen en cola y SE VAN A EMITIR."
    assert "factus-worker status --batch cierre-29" in lines[1]
    assert "factus-worker cancel --batch cierre-29" in lines[2]


def test_an_interruption_before_and_while_pushing() -> None:
    assert interrupted(Course(300), SPANISH) == ["Interrumpido: no se envió nada."]
    first, second, *_ = interrupted(Course(300, None, 100), SPANISH)
    assert "200 trabajos no se enviaron" in first
    assert "100 siguen en cola y SE VAN A EMITIR" in second
    done = interrupted(Course(2, None, 2, pushed(2, 2)), SPANISH)
    assert "ya habían terminado todos" in done[0]
    assert not any("cancel" in line for line in done)


def test_every_end_has_a_word() -> None:
    for ending in ("validated", "rejected", "failed", "refused", "completed"):
        assert outcome_words(f"x.{ending}")[0] != f"x.{ending}"


# -- outputs that take nothing -----------------------------------------------------------------------------------------
@pytest.mark.skipif(sys.platform != "linux", reason="has /dev/full")
@pytest.mark.parametrize(("redirection", "words"), [("> /dev/full", "no se puede escribir la salida"), (">&-", "")])
def test_an_output_that_takes_nothing_is_no_defect(tmp_path: Path, redirection: str, words: str) -> None:
    file = tmp_path / "f.json"
    file.write_text("{}")
    command = f"{shlex.quote(sys.executable)} -m worker check {shlex.quote(str(file))} {redirection}"
    env = environment_for_child(PYTHONPATH=str(ROOT))
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
