"""``factus-worker dead`` on a real server, as an operator types it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis
from click.testing import CliRunner, Result

from tests.builders import a_bill
from worker.cli.group import cli

Run = Callable[..., Result]


@pytest.fixture
def run(valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FACTUS_REDIS_URL", valkey_url)
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)
    monkeypatch.setenv("FACTUS_LANG", "en")
    return lambda *arguments, typed="": CliRunner().invoke(cli, ["dead", *arguments], input=typed)


@pytest.fixture
def letters(client: redis.Redis, namespace: str) -> list[str]:
    """A refused bill, bytes that are no text, and a job that failed."""

    def add(reason: str, raw: bytes, type_: str, message: str, account: str = "acme") -> str:
        event = {"type": type_, "reference_code": None, "errors": [{"code": reason, "message": message}]}
        fields = {"reason": reason, "errors": json.dumps(event), "raw": raw, "stream": f"{namespace}:jobs"}
        fields |= {"entry": "1-0", "account": account, "job_id": f"job-{message}"}
        return client.xadd(f"{namespace}:dead", fields).decode()

    bill = json.dumps({"type": "invoice.issue", "payload": a_bill()}).encode()
    return [
        add("payload.invalid", bill, "job.refused", "uno"),
        add("envelope.invalid", b"\xff\x1b[2J", "job.refused", "dos", account=""),
        add("factus.unavailable", bill, "invoice.failed", "tres"),
    ]


def test_list_shows_each_on_a_line_and_filters(run: Run, letters: list[str]) -> None:
    shown = run("list")
    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.output.splitlines()] == letters
    assert "uno" in run("list", "--account", "acme", "--count", "1").stdout
    assert run("list", "--reason", "factus.*").stdout.split()[0] == letters[2]
    assert run("list", "--since", letters[1]).stdout.count("\n") == 2
    found = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [one["job_id"] for one in found] == ["job-uno", "job-dos", "job-tres"]


def test_none_is_no_failure(run: Run) -> None:
    done = run("list")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "No dead letters.\n")


def test_show_prints_text_and_never_what_a_terminal_obeys(run: Run, letters: list[str]) -> None:
    shown = run("show", letters[0])
    assert shown.exit_code == 0
    assert '"reference_code": "ERP-2026-000123"' in shown.output
    hexed = run("show", letters[1]).output
    assert "ff 1b 5b 32 4a" in hexed
    assert "\x1b" not in hexed
    assert run("show", "--raw", letters[1]).stdout_bytes == b"\xff\x1b[2J"


@pytest.mark.parametrize("arguments", [("show",), ("show", "--raw"), ("retry",), ("drop",)])
def test_a_letter_that_is_not_there_is_1(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "1-0")
    assert done.exit_code == 1
    assert "1-0  is not there" in done.stderr


def test_retry_pushes_what_it_can_and_says_what_it_could_not(
    run: Run, letters: list[str], client: redis.Redis, namespace: str
) -> None:
    done = run("retry", *letters)
    assert done.exit_code == 1
    assert f"{letters[0]}  pushed as job-uno.r1 to {namespace}:retry" in done.stdout
    assert f"{letters[1]}  kept: its bytes are no JSON object" in done.stderr
    assert "goes without priority, not_before" in done.stdout.splitlines()[1]
    assert "Pushed 2 of 3." in done.stdout
    jobs = [json.loads(fields[b"job"]) for _, fields in client.xrange(f"{namespace}:retry")]
    assert [(job["id"], job["account"]) for job in jobs] == [("job-uno.r1", "acme"), ("job-tres.r1", "acme")]
    assert jobs[0]["payload"] == a_bill()
    assert run("list").stdout.split()[0] == letters[1]


def test_all_asks_with_what_it_is_about_and_takes_no(
    run: Run, letters: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.cli.dead.command._can_ask", lambda: True)
    done = run("drop", "--all", "--account", "acme", typed="n\n")
    assert done.exit_code == 1
    assert "Drop 2 dead letters (1 payload.invalid, 1 factus.unavailable)?" in done.stdout
    assert len(run("list").stdout.splitlines()) == 3


def test_all_can_be_narrowed_by_reason(run: Run, letters: list[str]) -> None:
    assert run("retry", "--all", "--reason", "factus.*", "--yes").exit_code == 0
    dropped = run("drop", "--all", "--reason", "payload.*", "--yes")
    assert dropped.exit_code == 0
    assert f"dropped  {letters[0]}" in dropped.stdout
    assert [line.split()[0] for line in run("list").stdout.splitlines()] == [letters[1]]


def test_what_was_denied_is_pushed_again_only_when_it_is_meant(run: Run, client: redis.Redis, namespace: str) -> None:
    """Without a token a job that somebody forged would be issued by the operator's hand."""
    raw = json.dumps({"type": "invoice.issue", "payload": a_bill()})
    fields = {"reason": "auth.denied", "raw": raw, "stream": f"{namespace}:jobs", "account": "acme", "job_id": "x"}
    letters = [client.xadd(f"{namespace}:dead", fields).decode() for _ in range(2)]
    done = run("retry", "--all", "--yes")
    assert done.exit_code == 1
    assert f"{letters[0]}  kept: it was denied to whoever pushed it" in done.stderr
    assert not client.exists(f"{namespace}:retry")
    assert run("retry", letters[0]).exit_code == 0
    assert run("retry", "--all", "--reason", "auth.*", "--yes").exit_code == 0
    assert client.xlen(f"{namespace}:retry") == 2


@pytest.fixture
def email(client: redis.Redis, namespace: str) -> str:
    """An e-mail of which nobody knows whether it went out."""
    event = {"type": "invoice.email.failed", "reference_code": None, "errors": [{"code": "factus.unavailable"}]}
    raw = json.dumps({"type": "invoice.email", "payload": {"number": "SETP1", "email": "a@b.co"}})
    fields = {"reason": "factus.unavailable", "errors": json.dumps(event), "raw": raw, "stream": f"{namespace}:jobs"}
    fields |= {"entry": "1-0", "account": "acme", "job_id": "mail"}
    return client.xadd(f"{namespace}:dead", fields).decode()


def test_what_may_be_done_already_is_pushed_again_only_by_name(
    run: Run, email: str, client: redis.Redis, namespace: str
) -> None:
    for arguments in ((email,), ("--all", "--yes")):
        done = run("retry", *arguments)
        assert done.exit_code == 1
        assert f"{email}  kept: the e-mail may have been sent already. Look at Factus" in done.stderr
    assert not client.exists(f"{namespace}:retry")
    done = run("retry", email, "--yes")
    assert (done.exit_code, "pushed as mail.r1" in done.stdout) == (0, True)


def test_a_terminal_asks_before_it_is_done_twice(run: Run, email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.cli.dead.command._can_ask", lambda: True)
    kept = run("retry", email, typed="n\n")
    assert "mail: the e-mail may have been sent already. Push it again?" in kept.stdout
    assert kept.exit_code == 1
    assert run("retry", email, typed="y\n").exit_code == 0
