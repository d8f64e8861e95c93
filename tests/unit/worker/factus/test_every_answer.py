"""
The closed set of answers: every status with every shape of body on every route, from the bytes to what follows.

Whatever is answered, the token route ends no job, and a verdict about a document follows a readable word of Factus.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from jobs import answers
from jobs.answer_policy import ROUTES, SPOKEN, TABLE, Route, Voice, meaning
from jobs.backoff import BackoffPolicy
from jobs.calls import CallPolicy
from jobs.issue_policy import Delete, IssuePolicy, LookUp, Remove, Send
from jobs.outcomes import AccountState, Finished, Retry
from tests.records import NOW_MS, a_job
from worker.factus import http_answers
from worker.factus.http_answers import HttpAnswer
from worker.factus.token_cache import Issued

LIFECYCLE = Path(__file__).parents[4] / "docs" / "lifecycle.md"

RULES = {
    "message": "El documento contiene errores de validación",
    "data": {"errors": {"FAK24": "Regla: FAK24, Rechazo: sin DV"}},
}
FIELDS = {
    "status": "Validation error",
    "message": "Error de validación",
    "data": {"errors": {"customer.dv": ["El DV es malo"]}},
}
BODIES: dict[str, tuple[bytes, str, Voice]] = {
    "rules": (json.dumps(RULES).encode(), "application/json", "rules"),
    "rules without their text": (b'{"message":"El documento contiene errores de validacion"}', "", "rules"),
    "fields": (json.dumps(FIELDS).encode(), "application/json", "fields"),
    "errors as a list": (b'{"errors":[{"code":409,"message":"Hay una factura pendiente"}]}', "", "fields"),
    "message": ('{"message":"No se encontró el documento"}'.encode(), "application/json", "message"),
    "message with broken letters": (b'{"status":"x","message":"No se encontr\xf3 \\ud800"}', "", "message"),
    "route": (b'{"message":"The route v2/bills/validate could not be found."}', "application/json", "route"),
    "method": (b'{"message":"The POST method is not supported for route v2/x. Supported methods: GET."}', "", "route"),
    "a gateway's": (b'{"message":"Not Found"}', "application/json", "stranger"),
    "a gateway's other": (b'{"message":"no Route matched with those values"}', "application/json", "route"),
    "problem": (b'{"type":"about:blank","title":"Not Found","status":404,"detail":"nope"}', "", "stranger"),
    "detail": (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "application/json", "stranger"),
    "empty object": (b"{}", "application/json", "stranger"),
    "empty message": (b'{"message":"","errors":{}}', "application/json", "stranger"),
    "list": (b"[]", "application/json", "stranger"),
    "number": (b"17", "application/json", "stranger"),
    "text as json": (b'"hola"', "application/json", "stranger"),
    "null": (b"null", "application/json", "stranger"),
    "page": (b"<html><h1>404</h1><hr>nginx</html>", "text/html", "page"),
    "page without a type": (b"<!doctype html><p>", "", "page"),
    "text": (b"404 page not found", "text/plain", "page"),
    "nothing": (b"", "", "empty"),
    "blanks": (b" \r\n", "text/html", "empty"),
    "cut": (json.dumps(FIELDS).encode()[:-9], "application/json", "cut"),
    "deep": (b"[" * 900 + b"]" * 900, "application/json", "cut"),
    "no json that says so": (b"upstream error", "application/json", "cut"),
}  # fmt: skip
STATUSES = range(100, 1000)
VERDICT = '[{"code":"dian.rejected","message":"x"}]'


@cache
def parsed(shape: str) -> tuple[object, http_answers.Form]:
    raw, content_type, _ = BODIES[shape]
    return http_answers.read_body(raw, content_type, is_whole=True)


def read(route: Route, status: int, shape: str) -> Issued | answers.Answer:
    answer = HttpAnswer(status, *parsed(shape))
    match route:
        case "token":
            return http_answers.read_token(answer)
        case "create":
            return http_answers.read_create(answer)
        case "look":
            return http_answers.read_show(answer)
        case "delete":
            return http_answers.read_delete(answer)
        case _:
            return http_answers.read_reply(answer)


def policy(**changes):
    return IssuePolicy(a_job(**changes), BackoffPolicy(5.0, 300.0), lambda: 1.0, AccountState(now_ms=NOW_MS))


def calls(**changes):
    return CallPolicy(a_job(**changes), BackoffPolicy(5.0, 300.0), lambda: 1.0, AccountState(now_ms=NOW_MS))


def spoke(shape: str) -> bool:
    return BODIES[shape][2] in SPOKEN


@pytest.mark.parametrize("shape", BODIES)
def test_each_shape_has_its_voice(shape):
    raw, content_type, voice = BODIES[shape]
    body, form = http_answers.read_body(raw, content_type, is_whole=True)
    assert http_answers.voice_of(HttpAnswer(422, body, form), "create") == voice


@pytest.mark.parametrize("shape", BODIES)
def test_the_token_route_ends_no_job_costs_no_attempt_and_holds_the_account(shape):
    for status in STATUSES:
        seen = read("token", status, shape)
        if status == 429:
            continue  # the client has held the account by then
        assert not isinstance(seen, Issued), (status, shape)
        assert isinstance(
            seen,
            (answers.CredentialsRefused, answers.Misrouted, answers.NoToken, answers.PaymentRequired, answers.Denied),
        ), status
        assert not answers.counts_as_attempt(seen) or status in (402, 403)
        for step in (policy().after_create(seen), policy(sent="unknown").after_look_up(seen, "unknown", has_sent=False),
                     policy(sent="deleting", verdict="[]").after_delete(seen, (), has_sent=True),
                     calls().after_call(seen)):  # fmt: skip
            assert isinstance(step, Retry), (status, shape)
        step = policy().after_create(seen)
        assert step.waits == "account" or (status == 403 and spoke(shape)), (status, shape)
        if status in (404, 405, 410):
            assert step.block is not None
            assert "FACTUS_BASE_URL" in step.block.mend


@pytest.mark.parametrize("shape", BODIES)
def test_no_verdict_about_a_document_without_a_word_of_factus(shape):
    for status in STATUSES:
        seen = read("create", status, shape)
        if status in (401, 429):
            continue
        step = policy().after_create(seen)
        if isinstance(step, (Finished, Delete)):
            assert spoke(shape), (status, shape, step)
            assert 400 <= status < 500
            assert status not in (408, 421, 425)
        if isinstance(step, Finished) and step.state == "rejected":
            assert status == 422
        if isinstance(step, Delete):
            assert (status, BODIES[shape][2]) == (422, "rules")
        if isinstance(step, Finished) and step.state == "failed":
            assert str(status) in step.message
        if status in (408, 421, 425) or status >= 500 or status < 400:
            assert isinstance(step, LookUp), (status, shape)
        if status in (404, 405, 410) and BODIES[shape][2] in ("page", "route", "stranger", "empty"):
            assert step.waits == "account"
            assert step.block is not None
            assert str(status) in step.block.error.message


@pytest.mark.parametrize("shape", BODIES)
def test_only_factus_s_own_404_says_that_something_is_not_there(shape):
    for status in STATUSES:
        found = read("look", status, shape)
        deleted = read("delete", status, shape)
        is_told = status == 404 and spoke(shape)
        assert isinstance(found, answers.NotFound) == is_told, (status, shape)
        assert isinstance(deleted, answers.Absent) == is_told, (status, shape)
        is_success = status < 300 and status >= 200 and BODIES[shape][0][:1] == b"{" and BODIES[shape][2] != "cut"
        assert isinstance(deleted, answers.Done) == (is_success or status == 204), (status, shape)
        if status in (401, 429):
            continue
        for reason in ("unknown", "unnamed", "deleting", "processed_before", "conflict"):
            step = policy(sent="unknown", verdict=VERDICT).after_look_up(found, reason, has_sent=False)
            assert not isinstance(step, (Delete, Remove))
            if isinstance(step, (Finished, Send)):
                assert is_told, (status, shape, reason, step)
        step = policy(sent="deleting", verdict="[]").after_delete(
            deleted, (), has_sent=False
        ) if not isinstance(deleted, (answers.Done, answers.Absent)) else None  # fmt: skip
        assert step is None or (isinstance(step, Retry) and step.sent == "deleting"), (status, shape)


@pytest.mark.parametrize("shape", BODIES)
def test_a_call_ends_by_a_word_of_factus_or_a_success_only(shape):
    for status in STATUSES:
        seen = read("call", status, shape)
        if isinstance(seen, answers.Replied) or status in (401, 429):
            continue
        step = calls(type="invoice.get", lane="acme/calls").after_call(seen)
        if isinstance(step, Finished):
            assert spoke(shape), (status, shape)
            assert str(status) in step.message
        if 200 <= status < 300:
            assert isinstance(step, Retry), "a proxy's page with a 200 is no success"


def test_the_table_is_closed_and_its_rows_are_all_used():
    used = set()
    for status in range(1000):
        for voice in ("rules", "fields", "message", "route", "stranger", "oauth", "page", "empty", "cut"):
            row = next(row for row in TABLE if row.holds_for(status, voice))
            used.add(row)
            for route in ROUTES:
                assert meaning(route, status, voice) == (row.token if route == "token" else row.other)
    assert used == set(TABLE)
    assert meaning("create", -1, "page") == meaning("create", 1000, "page") == "lost"


def test_the_document_shows_the_same_table():
    text = LIFECYCLE.read_text(encoding="utf-8")
    shown = re.findall(r"(?m)^\| ([0-9 ,-]+) \| ([a-z, ]+) \| `(\w+)` \| `(\w+)` \|", text)
    assert shown == [
        (
            ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in row.statuses),
            ", ".join(voice for voice in VOICES if voice in row.voices) if len(row.voices) < len(VOICES) else "any",
            row.token,
            row.other,
        )
        for row in TABLE
    ]


VOICES = ("rules", "fields", "message", "oauth", "route", "stranger", "page", "empty", "cut")
