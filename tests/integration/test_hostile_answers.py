"""
The client on a real socket against a server that sends anything at any speed: every answer ends in time and in a value,
and nothing that was sent takes more memory or time than its bound.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib

import pytest
from pydantic import SecretStr

from jobs import answers
from jobs.factus_requests import get
from tests.hostile import Hostile, Reply, hang_up, hostile, silence, stream, whole
from tests.patience import LATE_S, PATIENCE_S
from tests.records import a_job
from tests.service_in_process import an_account
from worker.factus.bounded_body import LARGEST_ANSWER
from worker.factus.client import FactusClient
from worker.factus.rate_limit import RateLimit
from worker.factus.token_cache import TokenCache
from worker.settings.model import ApiLimits
from worker.store.keys import Keys
from worker.store.scripts import Scripts

TIMEOUT_S = 1.0
MIB = 1024 * 1024
CREATE = "POST /v2/bills/validate"
HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
CUSTOMER = {"identification": "222222222222"}
DATA = {"reference_code": "FV-1", "number": "SETP1", "is_validated": True, "customer": CUSTOMER}
DOCUMENT = {"data": DATA}


def packed(raw: bytes, encoding: str = "gzip") -> bytes:
    pack = gzip.compress(raw) if encoding == "gzip" else zlib.compress(raw)
    return whole(201, pack, f"Content-Encoding: {encoding}")


def bomb(n_mib: int) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    part = b"0" * MIB
    return b"".join([*(pack.compress(part) for _ in range(n_mib)), pack.flush()])


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, Reply] = {
    "a gigabyte in a megabyte of gzip": whole(201, bomb(1024), "Content-Encoding: gzip"),
    "gzip in gzip": whole(201, gzip.compress(gzip.compress(b"{}")), "Content-Encoding: gzip, gzip"),
    "many members of gzip": whole(201, gzip.compress(b"0" * 1000) * 20_000, "Content-Encoding: gzip"),
    "broken gzip": whole(201, gzip.compress(json.dumps(DOCUMENT).encode())[:-5], "Content-Encoding: gzip"),
    "no gzip": whole(201, DOCUMENT, "Content-Encoding: gzip"),
    "no deflate": whole(201, DOCUMENT, "Content-Encoding: deflate"),
    "brotli": whole(201, b"\x1b\x00", "Content-Encoding: br"),
    "zstd": whole(201, b"\x28\xb5\x2f\xfd", "Content-Encoding: zstd"),
    "a length of 1.5 GB": stream(head=HEAD + b"Content-Length: 1600000000\r\n\r\n", part=b"0" * MIB, n=1600),
    "1.5 GB until the end": stream(head=HEAD + b"Connection: close\r\n\r\n", part=b"0" * MIB, n=1600),
    "chunks for ever": stream(head=CHUNKED, part=b"10000\r\n" + b"0" * 65536 + b"\r\n", n=1_000_000),
    "chunks of two bytes": stream(head=CHUNKED, part=b"2\r\n00\r\n" * 1000, n=1_000_000),
    "chunk sizes that are none": whole(201, b"")[:0] + CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a longer length than body": HEAD + b"Content-Length: 50\r\n\r\n{}",
    "a length that is none": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "headers for ever": stream(head=HEAD, part=b"X-A: " + b"a" * 1000 + b"\r\n", n=100_000),
    "many headers": HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n{}",
    "one long header": HEAD + b"X: " + b"a" * 2 * MIB + b"\r\n\r\n{}",
    "trailers for ever": stream(head=CHUNKED + b"2\r\n{}\r\n0\r\n", part=b"X-A: " + b"a" * 1000 + b"\r\n", n=100_000),
    "a byte at a time": stream(head=HEAD + b"Content-Length: 1000\r\n\r\n", part=b" ", n=1000, pause_s=0.05),
    "a header a byte at a time": stream(head=b"HTTP/1.1 20", part=b"1", n=1000, pause_s=0.05),
    "silence": silence,
    "hang up": hang_up,
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a status line of zeros": b"\0" * 1000 + b"\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 X\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "100 for ever": stream(head=b"", part=b"HTTP/1.1 100 Continue\r\n\r\n", n=1_000_000),
    "headers that are no ASCII": HEAD + b"X: \xff\xfe\r\nContent-Type: \xe9\r\nContent-Length: 2\r\n\r\n{}",
    "deep": whole(201, b"[" * 100_000 + b"]" * 100_000),
    "900 levels": whole(201, b'{"data":' * 900 + b"1" + b"}" * 900),
    "a million numbers": whole(201, b"[" + b"1e0," * 900_000 + b"1]"),
    "a million objects": whole(201, b"[" + b"{}," * 900_000 + b"1]"),
    "zeros": whole(201, b"\0" * 100),
    "utf-16": whole(201, json.dumps(DOCUMENT).encode("utf-16")),
}  # fmt: skip


@pytest.fixture
async def server():
    async with hostile() as found:
        yield found


@pytest.fixture
async def client_of(fake_redis, namespace):
    clients = []

    async def make(server: Hostile, *, timeout_s: float = TIMEOUT_S, **account) -> FactusClient:
        keys, scripts = Keys(namespace), Scripts(fake_redis)
        owner = an_account(base_url=server.url, **account)
        limits = ApiLimits(create_timeout_s=timeout_s, read_timeout_s=timeout_s)
        limit, tokens = RateLimit(scripts, keys, owner), TokenCache(scripts, keys, owner.name, "w1")
        clients.append(FactusClient(owner, limits, limit, tokens, keys))
        return clients[-1]

    job = a_job()
    await fake_redis.hset(Keys(namespace).job(job.account, job.id), mapping=job.to_hash())
    yield make
    for client in clients:
        await client.close()


@pytest.mark.parametrize("name", ANSWERS)
async def test_whatever_comes_is_an_answer_that_was_lost_in_time_and_in_little_room(server, client_of, name):
    server.replies = {CREATE: ANSWERS[name]}
    client = await client_of(server)
    tracemalloc.start()
    began = time.monotonic()
    seen = await client.create(a_job(), latest_ms=0)
    took_s = time.monotonic() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(seen, answers.Unknown), seen
    assert took_s < TIMEOUT_S + LATE_S
    assert peak < 64 * MIB


@pytest.mark.parametrize("body", [
    packed(json.dumps(DOCUMENT).encode()),
    packed(json.dumps(DOCUMENT).encode(), "deflate"),
    whole(201, zlib.compress(json.dumps(DOCUMENT).encode())[2:-4], "Content-Encoding: deflate"),
    whole(201, gzip.compress(b'{"data":') + gzip.compress(json.dumps(DATA).encode() + b"}"), "Content-Encoding: gzip"),
    whole(201, DOCUMENT, "Content-Encoding: identity"),
    whole(201, b"\xef\xbb\xbf" + json.dumps(DOCUMENT).encode()),
    CHUNKED + b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(json.dumps(DOCUMENT)), json.dumps(DOCUMENT).encode()),
    whole(201, json.dumps({**DOCUMENT, "x": "\ud800\x00"}).encode()),
    whole(201, json.dumps(DOCUMENT).encode()[:-1] + b',"message":"validaci\xf3n \x01\n"}'),
    whole(201, json.dumps(DOCUMENT).encode()[:-1] + b',"n":1e300000000,"k":NaN,"m":' + b"9" * 5000 + b"}"),
    whole(201, json.dumps({**DOCUMENT, "filler": "á" * (LARGEST_ANSWER // 8)}).encode()),
])  # fmt: skip
async def test_a_document_that_can_be_read_is_read_however_odd_what_stands_beside_it(server, client_of, body):
    server.replies = {CREATE: body}
    seen = await (await client_of(server)).create(a_job(), latest_ms=0)
    assert isinstance(seen, answers.DocumentSeen)
    assert seen.document.is_validated


@pytest.mark.parametrize("token", [
    {"access_token": "ñandú-token", "expires_in": 3600},
    {"access_token": "a b", "expires_in": 3600},
    {"access_token": "a\r\nX-Evil: 1", "expires_in": 3600},
    {"access_token": "\ud800", "expires_in": 3600},
    {"access_token": "", "expires_in": 3600},
    {"access_token": "a" * 1_000_000, "expires_in": 3600},
    {"access_token": ["a"], "expires_in": 3600},
    {"access_token": "a", "expires_in": -1},
    {"access_token": "a", "expires_in": 0},
    {"access_token": "a", "expires_in": None},
    {"access_token": "a", "expires_in": True},
    {"access_token": "a", "expires_in": "una hora"},
    {"access_token": "a", "expires_in": {}},
    {"access_token": "a"},
    {}, [], "token", None, 17,
])  # fmt: skip
async def test_what_is_no_token_is_never_sent(server, client_of, token):
    server.replies = {"POST /oauth/token": whole(200, token)}
    seen = await (await client_of(server)).create(a_job(), latest_ms=0)
    assert isinstance(seen, answers.NoToken)
    assert server.asked[CREATE] == 0


@pytest.mark.parametrize("life", [b"1e300000000", b"9" * 4000, b"1e30", b"3600.5", b'"3600"', b'"' + b"9" * 18 + b'"'])
async def test_the_life_of_a_token_is_bounded(server, client_of, fake_redis, namespace, life):
    body = b'{"access_token":"abc","expires_in":' + life + b"}"
    server.replies = {"POST /oauth/token": whole(200, body), CREATE: whole(201, DOCUMENT)}
    seen = await (await client_of(server, timeout_s=PATIENCE_S)).create(a_job(), latest_ms=0)
    left_ms = await fake_redis.pttl(Keys(namespace).token("acme"))
    assert isinstance(seen, (answers.DocumentSeen, answers.NoToken)), seen
    assert left_ms <= 86_400_000


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in ("a header a byte at a time",)])
async def test_a_token_route_like_that_ends_nothing(server, client_of, name):
    server.replies = {"POST /oauth/token": ANSWERS[name]}
    seen = await (await client_of(server)).create(a_job(), latest_ms=0)
    assert isinstance(seen, (answers.NoToken, answers.NotSent))
    assert server.asked[CREATE] == 0


async def test_what_servers_give_back_of_the_secrets_is_blotted(server, client_of):
    secrets = {"client_secret": 'se"cre/to ñ+&', "password": "clave-muy-secreta", "username": "yo@example.com"}
    client = await client_of(server, **{name: SecretStr(value) for name, value in secrets.items()})
    echo = {"message": f"Acceso negado a {secrets['username']} con {secrets['password']}",
            "data": {"errors": {"x": [{"message": secrets["client_secret"], "y": ["B a-token-of-ours"]}]}}}  # fmt: skip
    server.replies = {CREATE: whole(403, echo), "GET /v2/companies": whole(200, {"data": echo})}
    refused = await client.create(a_job(), latest_ms=0)
    read = await client.call(get("/v2/companies"))
    told = repr(refused) + repr(read)
    assert isinstance(read, answers.Replied)
    assert "[oculto]" in told
    assert not [secret for secret in (*secrets.values(), "a-token-of-ours") if secret in told]


async def test_large_answers_of_all_accounts_share_one_room(server, client_of):
    """Eight downloads of 30 MiB at once: they come one after the other, and all of them come."""
    body = json.dumps({"data": {"pdf_base_64_encoded": "A" * 30 * MIB}}).encode()
    server.replies = {"GET /v2/bills/X/download-pdf": whole(200, body)}
    client = await client_of(server)
    client._limits = ApiLimits(create_timeout_s=PATIENCE_S, read_timeout_s=PATIENCE_S)
    held: list[int] = []

    async def fetch() -> int:
        seen = await client.call(get("/v2/bills/X/download-pdf"))
        assert isinstance(seen, answers.Replied)
        held.append(len(seen.body["data"]["pdf_base_64_encoded"]))
        return held[-1]

    await client.call(get("/v2/companies"))  # the token is there
    tracemalloc.start()
    assert await asyncio.gather(*(fetch() for _ in range(8))) == [30 * MIB] * 8
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 * MIB
