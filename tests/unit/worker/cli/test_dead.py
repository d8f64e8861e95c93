"""Dead letters on a terminal: ids, words, and bytes that may be anything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.contract.envelope import JOB_ID_PATTERN
from tests.records import a_job
from tests.unit.worker.cli.test_commands import _LOADED
from worker.cli.dead.letters import History, Kept, Letter, Pushed, lost_fields, repeat_of
from worker.cli.dead.rendering import (
    error_line,
    head_fields,
    history_lines,
    json_line,
    line_of,
    printable,
    pushed_line,
    raw_lines,
)
from worker.cli.group import cli
from worker.retry_ids import parted, retry_id
from worker.speech import ENGLISH, SPANISH
from worker.store.keys import Keys

KEYS = Keys("t")
ENTRY = b"1795622401234-0"
REFUSED = {
    "type": "job.refused",
    "job_type": "invoice.issue",
    "reference_code": "FV-1",
    "message": "Trabajo no aceptado",
    "errors": [
        {"code": "payload.invalid", "message": "Falta el precio.", "field": "items.0.price", "rule": "ITM-1"},
        {"code": "payload.invalid", "message": "Otra.", "field": None, "rule": None},
    ],
}


def a_letter(event: Mapping[str, Any] = REFUSED, **fields: Any) -> Letter:
    given = {
        "reason": "payload.invalid",
        "errors": json.dumps(event),
        "raw": b'{"type":"invoice.issue","payload":{"reference_code":"FV-1"}}',
        "stream": "t:jobs",
        "entry": "1795622401000-0",
        "account": "acme",
        "job_id": "job-1",
        **fields,
    }
    return Letter.of(
        ENTRY, {name.encode(): text if isinstance(text, bytes) else text.encode() for name, text in given.items()}
    )


DOWNLOAD = b'{"id":"job-1.archive","type":"invoice.download","payload":{"number":"SETP1","kinds":["pdf"]}}'
FAILED = a_letter({**REFUSED, "type": "invoice.failed"}, stream="")


# -- ids ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("job_id", "parts"),
    [
        ("x", ("x", 0)),
        ("x.r1", ("x", 1)),
        ("x.r10", ("x", 10)),
        ("x.r0", ("x.r0", 0)),
        ("x.r1.r2", ("x.r1", 2)),
        (".r1", (".r1", 0)),
        ("1795622401234-0", ("1795622401234-0", 0)),
    ],
)
def test_an_id_tells_how_often_it_was_pushed_again(job_id: str, parts: tuple[str, int]) -> None:
    assert parted(job_id) == parts


@pytest.mark.parametrize("base", ["x", "x" * 120, "x" * 121, "x" * 128])
@pytest.mark.parametrize("n", [1, 9, 10, 99_999])
def test_new_ids_stay_within_the_rules_and_keep_their_base(base: str, n: int) -> None:
    job_id = retry_id(base, n)
    assert re.fullmatch(JOB_ID_PATTERN, job_id)
    again, counted = parted(job_id)
    assert (counted, retry_id(again, n)) == (n, job_id)


def test_long_ids_that_begin_alike_stay_apart() -> None:
    assert retry_id("x" * 127 + "1", 1) != retry_id("x" * 127 + "2", 1)


# -- what is pushed again ----------------------------------------------------------------------------------------------
def test_the_letter_s_account_is_named_where_the_producer_named_none() -> None:
    repeat = repeat_of(a_letter(), KEYS)
    assert not isinstance(repeat, Kept)
    assert repeat.envelope["account"] == "acme"
    assert (repeat.owner, repeat.document) == ("", KEYS.document("acme", "invoice", "FV-1"))


@pytest.mark.parametrize("stream", ["own", "t:jobs:own"])
def test_an_own_stream_is_known_by_its_key_and_by_its_account(stream: str) -> None:
    """Letters of refused jobs hold the one, those of failed jobs the other."""
    letter = a_letter(stream=stream, account="own")
    repeat = repeat_of(letter, KEYS)
    assert not isinstance(repeat, Kept)
    assert repeat.owner == "own"


def test_a_job_that_is_too_large_would_only_come_back() -> None:
    kept = repeat_of(a_letter(raw=b'{"a":"' + b"x" * 1024 * 1024 + b'"}'), KEYS)
    assert isinstance(kept, Kept)
    assert ("más de los que admite" in kept.why, "more than a job may" in kept.why_en) == (True, True)


def test_what_the_letter_of_a_failed_job_does_not_carry_is_named() -> None:
    assert lost_fields(a_letter(), None) == ()
    assert lost_fields(FAILED, a_job()) == ()
    assert lost_fields(FAILED, a_job(issue_on="2026-11-30", start_at=1)) == ("issue_on 2026-11-30",)
    assert lost_fields(FAILED, a_job(start_at=1, expires_at=2)) == ("not_before", "expires_at")
    assert lost_fields(FAILED, None) == ("priority, not_before, expires_at, issue_on (?)",)


def test_a_failed_archive_is_pushed_again_as_the_download_that_its_letter_holds() -> None:
    """No id that can be pushed has the tilde of the service's own jobs."""
    assert retry_id("job-1~archive", 1) == "job-1.archive.r1"
    archived = a_letter({**REFUSED, "type": "invoice.archived"}, job_id="job-1~archive", raw=DOWNLOAD)
    assert archived.is_of_accepted_job
    assert lost_fields(archived, a_job(priority="low")) == ()
    repeat = repeat_of(archived, KEYS)
    assert not isinstance(repeat, Kept)
    assert (repeat.envelope["type"], repeat.document) == ("invoice.download", "")


@pytest.mark.parametrize(
    ("type_", "reason", "careful"),
    [
        ("invoice.email", "factus.unavailable", True),
        ("reception.emit_event", "factus.unavailable", True),
        ("invoice.email", "factus.validation", False),
        ("invoice.accept", "factus.unavailable", False),
        ("invoice.issue", "factus.unavailable", False),
    ],
)
def test_only_what_may_be_done_and_cannot_be_looked_up_asks_for_care(type_: str, reason: str, careful: bool) -> None:
    raw = json.dumps({"type": type_, "payload": {}}).encode()
    letter = a_letter({**REFUSED, "type": f"{type_}.failed"}, reason=reason, raw=raw)
    assert bool(letter.may_be_done) is careful
    assert bool(dict(head_fields(letter, ENGLISH))["careful"]) is careful


# -- words -------------------------------------------------------------------------------------------------------------
def test_a_letter_is_one_line_whatever_stands_in_it() -> None:
    line = line_of(a_letter({**REFUSED, "errors": [{"message": "a\nb\x1b[2J"}]}))
    assert line.startswith("1795622401234-0   2026-11-25 ")
    assert all(word in line for word in ("payload.invalid", "acme", "FV-1", "job-1"))
    assert line.endswith("a b [2J")
    found = json.loads(json_line(a_letter()))
    assert (found["id"], found["message"], len(found["errors"])) == (ENTRY.decode(), "Falta el precio.", 2)
    assert "raw" not in found


def test_every_error_is_shown_with_its_field_and_rule() -> None:
    shown = [error_line(error, ENGLISH) for error in a_letter().errors]
    assert shown == [
        "payload.invalid: Falta el precio. (field items.0.price, rule ITM-1)",
        "payload.invalid: Otra.",
    ]
    assert "(campo items.0.price, regla ITM-1)" in error_line(a_letter().errors[0], SPANISH)
    assert "refused before any call" in dict(head_fields(a_letter(), ENGLISH))["reason"]
    assert "falló después de aceptado" in dict(head_fields(FAILED, SPANISH))["motivo"]


def test_the_history_says_what_became_of_the_job() -> None:
    error = '{"code":"factus.unavailable","message":"m"}'
    record = a_job(state="final", final_type="invoice.failed", attempts=3, final_at=1_800_000_001_000, last_error=error)
    (line,) = [line for line in history_lines(History((record,), ()), ENGLISH) if "job-1" in line]
    assert all(word in line for word in ("invoice.failed", "3 attempts", "ended 2027-", "factus.unavailable: m"))
    assert "  the ledger has no record of the job" in history_lines(History((), ()), ENGLISH)
    assert any("FV-1" in line for line in history_lines(History((), (FAILED,)), ENGLISH))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"a": "\xc3\xb1"}\n\t', '{"a": "ñ"}\n\t'),
        (b"\xff", None),
        (b"\x1b[2J", None),
        ("‮".encode(), None),
        (b"", ""),
    ],
)
def test_only_text_that_no_terminal_obeys_is_printed_as_it_is(raw: bytes, text: str | None) -> None:
    assert printable(raw) == text


def test_other_bytes_are_shown_as_hex_with_the_way_to_save_them() -> None:
    shown = raw_lines(a_letter(raw=b"\xff\x00" * 400), ENGLISH)
    assert "  ff 00 ff 00" in shown[1]
    assert "and 288 bytes more" in shown[-2]
    assert f"dead show --raw {ENTRY.decode()} > FILE" in shown[-1]


def test_a_push_says_what_the_job_goes_without() -> None:
    pushed = Pushed("x.r1", "t:jobs", "2-0", ("issue_on 2026-11-30",))
    assert (
        pushed_line("1-0", pushed, ENGLISH)
        == "1-0  pushed as x.r1 to t:jobs, entry 2-0; goes without issue_on 2026-11-30"
    )


# -- usage -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["show"], "Falta el argumento 'ID'"),
        (["show", "FV-1"], "no es el id de un trabajo apartado"),
        (["list", "--since", "yesterday"], "un tiempo (10m)"),
        (["list", "--since", "١"], "un tiempo (10m)"),
        (["list", "--since", "18446744073709551616-0"], "un tiempo (10m)"),
        (["show", "18446744073709551616-0"], "no es el id de un trabajo apartado"),
        (["show", "١-٠"], "no es el id de un trabajo apartado"),
        (["retry", "18446744073709551616-1", "--yes"], "no es el id de un trabajo apartado"),
        (["retry", "1-0", "1-18446744073709551616", "--yes"], "no es el id de un trabajo apartado"),
        (["drop", "99999999999999999999-0", "--yes"], "no es el id de un trabajo apartado"),
        (["retry"], "Diga cuáles, por su id, o --all"),
        (["retry", "1-0", "--all"], "Diga cuáles, por su id, o --all"),
        (["retry", "1-0", "--reason", "x"], "van con --all"),
        (["retry", "--all"], "necesita --yes"),
        (["drop", "--all", "--reason", "x"], "necesita --yes"),
        (["drop", "1"], "no es el id de un trabajo apartado"),
    ],
)
def test_wrong_usage_is_2_and_names_what_is_wrong(arguments: list[str], word: str) -> None:
    done = CliRunner().invoke(cli, ["dead", *arguments])
    assert done.exit_code == 2
    assert word in done.output


@pytest.mark.parametrize("arguments", [["dead"], ["dead", "list"], ["dead", "retry"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    command = [sys.executable, "-c", _LOADED, *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Uso: factus-worker dead" in done.stdout
    assert done.stderr.strip() == "loaded:"
