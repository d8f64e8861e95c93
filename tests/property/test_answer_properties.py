"""Answers of any bytes: reading them never raises and gives one of the closed set; what is told on can be written."""

from __future__ import annotations

import asyncio
import json
import typing
import zlib
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import answers
from jobs.backoff import BackoffPolicy
from jobs.calls import CallPolicy
from jobs.events import final_event
from jobs.issue_policy import IssuePolicy
from jobs.outcomes import AccountState, Finished
from schemas import strict_json
from schemas.contract.bounded import bounded
from tests.records import NOW_MS, a_job
from worker.factus import http_answers
from worker.factus.bounded_body import Room, read_bounded
from worker.factus.http_answers import HttpAnswer
from worker.factus.token_cache import Issued

_NOW = datetime.fromisoformat("2026-11-29T07:00:00-05:00")
SEEN = typing.get_args(answers.Answer)
KEYS = st.sampled_from(
    ["data", "errors", "message", "status", "is_validated", "number", "reference_code", "totals", "total", "customer",
     "identification", "pagination", "last_page", "access_token", "expires_in", "error", "links", "qr", "cufe", "code",
     "created_at", "detail", "FAK24"]
) | st.text(max_size=8)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["Regla: FAK24, Rechazo: x", "Regla: 90, Rechazo: Documento procesado anteriormente.", "Accepted",
                       "1e300000000", "-0", "NaN", "\ud800", "\0", "The route x could not be found.", "9" * 5000])
)  # fmt: skip
BODIES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5))
RAW = st.binary(max_size=200) | BODIES.map(lambda body: json.dumps(body).encode("utf-8", "surrogatepass"))
STATUSES = st.integers(0, 1100) | st.sampled_from([200, 201, 202, 400, 401, 404, 409, 422])


def readers(answer: HttpAnswer):
    yield http_answers.read_create(answer)
    yield http_answers.read_show(answer)
    yield http_answers.read_list(answer, "FV-1")
    yield http_answers.read_list(answer, "FV-1", must_be_whole=True)
    yield http_answers.read_unvalidated(answer)
    yield http_answers.read_delete(answer)
    yield http_answers.read_reply(answer)
    yield http_answers.read_token(answer)


@given(RAW, STATUSES, st.text(max_size=20), st.booleans())
def test_whatever_comes_is_one_of_the_closed_set(raw, status, content_type, is_whole):
    body, form = http_answers.read_body(raw, content_type, is_whole=is_whole)
    for seen in readers(HttpAnswer(status, body, form)):
        assert isinstance(seen, (*SEEN, Issued))


@given(BODIES, STATUSES)
def test_what_ends_a_job_can_be_written_and_read_again(body, status):
    read, form = http_answers.read_body(json.dumps(body).encode(), "", is_whole=True)
    answer = HttpAnswer(status, read, form)
    policy = IssuePolicy(a_job(total=""), BackoffPolicy(5.0, 300.0), lambda: 0.0, AccountState(now_ms=NOW_MS))
    calls = CallPolicy(a_job(type="invoice.get"), BackoffPolicy(5.0, 300.0), lambda: 0.0, AccountState(now_ms=NOW_MS))
    created, replied = http_answers.read_create(answer), http_answers.read_reply(answer)
    for ending in (policy.after_create(created), calls.after_call(replied)):
        if isinstance(ending, Finished):
            event = final_event(a_job(), ending, attempts=1, now=_NOW)
            assert json.loads(event.to_json().encode("utf-8"))["type"] == event.type


@given(BODIES, st.integers(64, 3000))
def test_what_is_cut_fits_and_what_fits_is_whole(body, room):
    raw = json.dumps(body).encode()
    value, places = bounded(strict_json.parse_lenient(raw), room)
    written = len(strict_json.dump(value).encode())
    assert written <= room
    if not places:
        assert value == strict_json.parse_lenient(raw)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=5), st.sampled_from(["", "gzip", "deflate", "br", "x-gzip", "ñ"]),
       st.none() | st.integers(0, 300), st.integers(0, 200), st.booleans())  # fmt: skip
def test_a_body_of_any_bytes_stays_within_its_bound(chunks, encoding, length, limit, is_packed):
    if is_packed:
        pack = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
        chunks = [*(pack.compress(chunk * 100) for chunk in chunks), pack.flush()]

    async def stream():
        for chunk in chunks:
            yield chunk

    async def read():
        return await read_bounded(stream(), encoding=encoding, length=length, limit=limit, room=Room())

    raw, is_whole = asyncio.run(read())
    assert len(raw) <= limit
    if is_whole and encoding == "":
        assert raw == b"".join(chunks)
