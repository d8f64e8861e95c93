"""What files, settings and calendar mean to ``doctor``."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.radian.calendar import Calendar
from worker.doctor.host_checks import archive_check, calendar_checks, secrets_checks, settings_check
from worker.doctor.host_facts import ArchiveSeen, SecretFile
from worker.doctor.host_reader import read_archive, read_secret_files
from worker.doctor.patience import in_thread
from worker.settings.model import Settings
from worker.speech import ENGLISH, SPANISH

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("mode", "status"),
    [(0o600, "ok"), (0o400, "ok"), (0o640, "warning"), (0o604, "failure"), (0o620, "failure"), (0o602, "failure")],
)
def test_who_may_read_a_file_with_secrets(mode: int, status: str) -> None:
    (one,) = secrets_checks([SecretFile("FACTUS_ACCOUNTS_FILE", "/etc/a.toml", mode)], SPANISH)
    assert one.status == status
    assert one.mend == ("" if status == "ok" else "chmod 600 /etc/a.toml")


def test_secrets_that_a_container_mounts_have_modes_of_its_own() -> None:
    (one,) = secrets_checks([SecretFile("FACTUS_PASSWORD_FILE", "/run/secrets/p", 0o444)], SPANISH)
    assert one.status == "ok"


async def test_every_file_with_secrets_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pw", "hooks.toml", "users.toml"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o644)
    (tmp_path / ".env").write_text("FACTUS_PASSWORD=geheim\n")
    (tmp_path / ".env").chmod(0o604)
    settings = Settings(
        password_file=tmp_path / "pw", webhooks_file=tmp_path / "hooks.toml", users_file=tmp_path / "users.toml",
        http_key=tmp_path / "nothing",
    )  # fmt: skip
    found = secrets_checks(await read_secret_files(settings, private_keys=False), ENGLISH)
    assert [(one.subject.partition(":")[0], one.status) for one in found] == [
        ("FACTUS_PASSWORD_FILE", "failure"), ("FACTUS_WEBHOOKS_FILE", "failure"), ("FACTUS_HTTP_KEY", "warning"),
        ("FACTUS_USERS_FILE", "failure"), (".env", "failure"),
    ]  # fmt: skip
    (tmp_path / ".env").write_text("FACTUS_NAMESPACE=x\n")
    assert len(await read_secret_files(settings, private_keys=False)) == 4


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (
            ArchiveSeen("/a", is_there=True, is_writable=True, n_free=9000 * MIB, n_whole=10_000 * MIB),
            "ok",
            "9.000 MiB",
        ),
        (ArchiveSeen("/a", is_writable=True, n_free=9000 * MIB, n_whole=10_000 * MIB), "ok", "con el primer archivo"),
        (ArchiveSeen("/a", is_there=True, n_free=9000 * MIB, n_whole=10_000 * MIB), "failure", "chown"),
        (
            ArchiveSeen("/a", is_there=True, is_writable=True, n_free=9 * MIB, n_whole=10_000 * MIB),
            "warning",
            "libere espacio",
        ),
        (
            ArchiveSeen("/a", is_there=True, is_writable=True, n_free=0, n_whole=10_000 * MIB),
            "failure",
            "libere espacio",
        ),
        (ArchiveSeen("s3://b/p", is_remote=True), "skipped", "--calls"),
        (ArchiveSeen("s3://b/p", is_remote=True, was_asked=True), "ok", "responde"),
        (ArchiveSeen("s3://b/p", is_remote=True, was_asked=True, fault="HTTP 403"), "failure", "FACTUS_ARCHIVE_URL"),
    ],
)
def test_an_archive_that_could_not_take_a_file_is_told(seen: ArchiveSeen, status: str, words: str) -> None:
    one = archive_check(seen, SPANISH)
    assert (one.status, words in f"{one.found} {one.mend}") == (status, True)


async def test_an_archive_is_looked_at_and_not_made(tmp_path: Path) -> None:
    seen = await read_archive(f"file:{tmp_path}/new/archive", may_call=False)
    assert (seen.is_there, seen.is_writable, seen.fault) == (False, True, "")
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").write_text("x")
    assert archive_check(await read_archive(f"file:{tmp_path}/file", may_call=False), SPANISH).status == "failure"
    assert (await read_archive("ftp://user:geheim@x", may_call=False)).fault.count("geheim") == 0


async def test_a_disk_that_hangs_is_left_alone() -> None:
    import threading

    gate = threading.Event()
    with pytest.raises(TimeoutError):
        await in_thread(gate.wait, timeout_s=0.01)
    gate.set()
    assert await in_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


def test_settings_are_told_with_what_they_mean() -> None:
    (bad,) = settings_check(None, "FACTUS_RATE_LIMIT: a whole number", {}, SPANISH)
    assert (bad.status, "FACTUS_RATE_LIMIT" in bad.found) == ("failure", True)
    unknown = settings_check(Settings(), "", {"FACTUS_RATE": "FACTUS_RATE_LIMIT", "FACTUS_ZZZ": ""}, SPANISH)
    assert [(one.status, one.subject, one.found) for one in unknown] == [
        ("warning", "FACTUS_RATE", "no es un ajuste; ¿quiso decir FACTUS_RATE_LIMIT?"),
        ("warning", "FACTUS_ZZZ", "no es un ajuste"),
    ]
    (english, _) = settings_check(Settings(), "", {"FACTUS_RATE": "FACTUS_RATE_LIMIT", "FACTUS_ZZZ": ""}, ENGLISH)
    assert english.found == "is no setting; did you mean FACTUS_RATE_LIMIT?"
    (unasked,) = settings_check(Settings(jobs_keys=Path("k")), "", {}, SPANISH)
    assert (unasked.status, "FACTUS_JOBS_SIGNED=true" in unasked.mend) == ("warning", True)
    assert settings_check(Settings(), "", {}, SPANISH)[0].status == "ok"


@pytest.mark.parametrize(
    ("calendar", "today", "words"),
    [
        ({}, date(2026, 12, 1), ""),
        ({}, date(2028, 12, 1), "actualice factus-worker"),
        ({"removed": frozenset({date(2026, 12, 2)})}, date(2026, 12, 1), "2026-12-02 no es festivo"),
        ({"removed": frozenset({date(2026, 12, 25)})}, date(2026, 12, 1), ""),
        (
            {"added": frozenset({date(2026, 12, 25)}), "removed": frozenset({date(2026, 12, 25)})},
            date(2026, 12, 1),
            "se agrega y se quita",
        ),
    ],
)
def test_corrections_of_the_calendar_that_correct_nothing_are_told(
    calendar: dict[str, Any], today: date, words: str
) -> None:
    (one,) = calendar_checks(Calendar(**calendar), today, SPANISH)
    assert (one.status, words in f"{one.found} {one.mend}") == ("warning" if words else "ok", True)
