"""What a dead letter keeps of a job's bytes."""

from __future__ import annotations

import json
import time

import pytest

from jobs.rights.traces import without_token
from tests.tokens import PRIVATE, claims, header, token

JWT = token()
OTHER_SPELLINGS = [
    token(head=json.dumps(header(PRIVATE), indent=2)),  # begins with ew
    token(head=" " + json.dumps(header(PRIVATE))),  # begins with IH
    token(of="  " + json.dumps(claims())),
]


@pytest.mark.parametrize("jwt", [JWT, *OTHER_SPELLINGS])
@pytest.mark.parametrize("form", ["{", '"', "x{}x", "\n{}", "a={};b", '{{"token":"{}"', "\\n{}", "{} "])
def test_bytes_that_cannot_be_read_lose_what_looks_like_one(jwt: str, form: str) -> None:
    text = form.replace("{}", jwt) if "{}" in form else form + jwt
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-16"):
        kept = without_token(text.encode(encoding)).replace(b"\0", b"")
        assert jwt.split(".")[2].encode() not in kept, encoding
        assert jwt.split(".")[1].encode() not in kept, encoding


@pytest.mark.parametrize("n", [30, 90, 150, 250])
def test_so_does_one_that_is_cut_off(n: int) -> None:
    kept = without_token(b'{"token": "' + JWT.encode()[:n])
    assert JWT.split(".")[1].encode()[:20] not in kept


def test_a_job_that_can_be_read_loses_its_token_and_what_surely_is_one() -> None:
    job = {"token": JWT, "payload": {"token": JWT, "note": "v1.2.3"}, "a": [JWT]}
    kept = json.loads(without_token(json.dumps(job).encode()))
    assert kept == {"payload": {"token": "***", "note": "v1.2.3"}, "a": ["***"]}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"payload": {"note": "aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccccccc"}}',
        b'{"payload": {"site": "eyewitness.example.com", "n": 1.50}}',
        b'{"a": 1',
        b"",
    ],
)
def test_all_else_stays_to_the_byte(raw: bytes) -> None:
    assert without_token(raw) == raw


@pytest.mark.parametrize("piece", [b"a", b"eyJ", b"a.", b"eyJaaaaaaaa.", b"e\0y\0J\0", b"aaaaaaaaaaaaaaaaaaaa.", b"{"])
def test_nothing_takes_long(piece: bytes) -> None:
    raw = (piece * (1024 * 1024 // len(piece)))[: 1024 * 1024]
    began_at = time.perf_counter()
    without_token(raw)
    assert time.perf_counter() - began_at < 2
