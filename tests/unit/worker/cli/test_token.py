"""``token key new``, ``token issue``, ``token show``: what they write, print and refuse."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jobs.rights.keys import key_set_of
from tests.tokens import PRIVATE, PUBLIC, claims, header, token
from worker.cli.group import cli
from worker.cli.token.keys import KeyFileError, written_key
from worker.rights.trust import FixedTrust, Trust
from worker.rights.verifier import TokenVerifier


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(cli, ["token", *arguments], input=stdin)


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519", "HS256"])
def test_a_key_signs_tokens_that_its_public_part_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alg: str
) -> None:
    monkeypatch.setenv("FACTUS_NAMESPACE", "shop")
    path = tmp_path / "private.json"
    made = run("key", "new", "--kid", "erp-1", "--alg", alg, "--out", str(path))
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = json.loads(made.stdout)
    assert (public["kid"], public["alg"], "d" in public) == ("erp-1", alg, False)
    assert ("secreto" in made.stderr) is (alg == "HS256")
    issued = run(
        "issue", "--key", str(path), "--producer", "ERP de Ácme", "--accounts", "acme, north-*", "--types", "invoice.*",
        "--days", "2",
    )  # fmt: skip
    assert issued.exit_code == 0, issued.output
    assert issued.stdout.count("\n") == 1, "the JWT alone"
    trust = Trust(key_set_of(json.dumps({"keys": [public]}).encode()))
    grant = TokenVerifier(FixedTrust(trust), "shop").verify(issued.stdout.strip(), job=None)
    assert (grant.producer, grant.accounts, grant.types) == ("ERP de Ácme", ("acme", "north-*"), ("invoice.*",))
    assert abs(grant.expires_at.timestamp() - time.time() - 2 * 86_400) < 60


def test_a_key_can_be_bounded(tmp_path: Path) -> None:
    made = run(
        "key", "new", "--kid", "k", "--out", str(tmp_path / "k"), "--producer", "erp", "--accounts", "acme",
        "--types", "invoice.*,credit_note.issue",
    )  # fmt: skip
    public = json.loads(made.stdout)
    assert public["factus_iss"] == "erp"
    assert public["factus_accounts"] == ["acme"]
    assert public["factus_types"] == ["invoice.*", "credit_note.issue"]
    assert key_set_of(json.dumps({"keys": [public]}).encode())["k"].bounds.is_whole


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text("another")
    made = run("key", "new", "--kid", "k", "--out", str(path))
    assert (made.exit_code, made.stdout) == (1, "")
    assert "ya existe" in made.stderr
    assert path.read_text() == "another"


def test_the_mode_holds_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run("key", "new", "--kid", "k", "--out", str(tmp_path / "k"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "arguments",
    [
        ["key", "new", "--kid", "a b", "--out", "x"],
        ["key", "new", "--kid", "k" * 65, "--out", "x"],
        ["key", "new", "--kid", "k"],
        ["key", "new", "--kid", "k", "--out", "x", "--alg", "none"],
        ["issue", "--key", "x", "--producer", "", "--accounts", "a", "--types", "b"],
        ["issue", "--key", "x", "--producer", "e", "--accounts", "", "--types", "b"],
        ["issue", "--key", "x", "--producer", "e", "--accounts", "A", "--types", "b"],
        ["issue", "--key", "x", "--producer", "e", "--accounts", "a", "--types", "invoice.[a-z]"],
        ["issue", "--key", "x", "--producer", "e", "--accounts", "a", "--types", "b", "--days", "367"],
        ["issue", "--key", "x", "--producer", "e", "--accounts", "a", "--types", "b", "--days", "0"],
    ],
)
def test_what_is_typed_wrong(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no existe"),
        (b"{", "not JSON"),
        (json.dumps(PUBLIC).encode(), "is public"),
        (json.dumps({**PRIVATE, "d": PRIVATE["x"]}).encode(), "no es la de su privada"),
        (json.dumps({"keys": [PRIVATE]}).encode(), "kid"),
    ],
)
def test_a_file_that_holds_no_private_key(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "k"
    if content is not None:
        path.write_bytes(content)
    done = run("issue", "--key", str(path), "--producer", "e", "--accounts", "a", "--types", "b")
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert PRIVATE["d"] not in done.output


def test_show_explains_and_judges_nothing() -> None:
    now_s = int(time.time())
    good = token(of=claims(exp=now_s - 7200, iat=now_s - 10_000, factor="x"), head=header(PRIVATE, alg="none"))
    shown = run("show", stdin=f"Bearer {good}\n")
    assert shown.exit_code == 0, shown.output
    for told in ("erp", "acme", "invoice.*", "hace 2 h", "none", "ed-1", "factor"):
        assert told in shown.stdout
    assert good.rpartition(".")[2] not in shown.output
    found = json.loads(run("show", "--json", stdin=good).stdout)
    assert found["header"]["alg"] == "none"
    assert found["claims"]["iss"] == "erp"


def test_show_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTUS_LANG", "en")
    assert "producer:" in run("show", stdin=token()).stdout


@pytest.mark.parametrize(
    "typed", [b"", b"x", b"a.b", b"a.b.c", b"\xff\xfe", b"a b c", token().encode() * 2, b"x" * 100_000, b"[].[].x"]
)
def test_what_is_no_token(typed: bytes) -> None:
    done = run("show", stdin=typed)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no es un token" in done.stderr


@pytest.mark.parametrize("of", ["[]", "7", '{"exp": 1e30}', '{"exp": "x", "accounts": {"a": 1}, "iat": -5}', "{}"])
def test_show_takes_whatever_stands_there(of: str) -> None:
    assert run("show", stdin=token(of=of)).exit_code == 0


def test_a_name_that_no_file_can_have_is_told_in_each_language() -> None:
    with pytest.raises(KeyFileError) as refused:
        written_key("erp-1", "EdDSA", "a\0b", {})
    assert str(refused.value) == "it cannot be written: its name cannot be used"
    assert refused.value.es == "no se puede escribir: ese nombre no se puede usar"
