"""
What Factus's side of a fuzzing run answers: what the real one would, and everything that it must not.

Pure: an answer follows from the request, from what would be right, and from a source of chance.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any, Final

from tests.fuzz import values
from tests.fuzz.actions import Answer
from tests.fuzz.values import Raw, mutate, write

ACCESS: Final = "planted-access-token-0f6d1c"
_MIB: Final = 1024 * 1024
_PAUSES: Final = ("0", "-1", "1", "99999999999", "1e9", "Wed, 21 Oct 2099 07:28:00 GMT", "9" * 30, "\u00b2")
_STATUSES: Final = (
    200,
    201,
    202,
    204,
    301,
    302,
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    410,
    413,
    419,
    421,
    422,
    425,
    429,
    500,
    502,
    503,
    504,
)


@dataclass(frozen=True)
class Asked:
    """One request as far as an answer depends on it."""

    method: str
    path: str
    body: bytes
    token: str = ""
    """What it came with: a server may echo what it was sent, and knows of no other."""

    @property
    def is_token(self) -> bool:
        return self.path.startswith("/oauth/token")

    @property
    def payload(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def key(self) -> str:
        """Names the request in a case: the same job asks under the same name when it is played again."""
        if self.is_token:
            return f"{self.method} {self.path} {self.body.rpartition(b'example.com.')[2].partition(b'&')[0].decode()}"
        reference = self.payload.get("reference_code") if self.method == "POST" else None
        return f"{self.method} {self.path}" + (f" {reference}" if reference else "")


def right(asked: Asked, documents: dict[str, dict[str, Any]]) -> tuple[int, Any]:
    """Status and body as the real Factus would have them; *documents* by reference is its memory."""
    if asked.is_token:
        return 200, {"token_type": "Bearer", "expires_in": 3600, "access_token": ACCESS, "refresh_token": "r" * 40}
    payload = asked.payload
    if asked.method == "POST" and "reference_code" in payload:
        reference = str(payload["reference_code"])
        document = documents.setdefault(reference, _document(reference, payload))
        return 201, {"status": "Created", "message": "Documento registrado y validado con éxito", "data": document}
    if asked.method == "GET":
        known = [
            found
            for found in documents.values()
            if found["number"] in asked.path or found["reference_code"] in asked.path
        ]
        if "/download-" in asked.path and known:
            return 200, {
                "status": "OK",
                "data": {"file_name": "f", "pdf_base_64_encoded": "JVBERg==", "xml_base_64_encoded": "PHgvPg=="},
            }
        if "filter" in asked.path or asked.path.count("/") <= 2:
            pages = {"total": len(known), "per_page": 10, "current_page": 1, "last_page": 1}
            return 200, {"status": "OK", "data": {"data": known, "pagination": pages}}
        return (
            (200, {"status": "OK", "data": known[0]})
            if known
            else (404, {"status": "Not Found", "message": "no encontrado"})
        )
    return 200, {"status": "OK", "message": "Hecho", "data": {"id": 389, "is_active": 1}}


def _document(reference: str, payload: dict[str, Any]) -> dict[str, Any]:
    # By the reference, not by the order: a case that is played again asks for the same numbers.
    n = zlib.crc32(reference.encode("utf-8", "surrogatepass")) % 9_000_000
    payments = payload.get("payment_details")
    rows = [row for row in payments if isinstance(row, dict)] if isinstance(payments, list) else []
    total = sum((Decimal(str(row.get("amount", 0))) for row in rows), Decimal(0))
    party = next((payload[key] for key in ("customer", "provider") if isinstance(payload.get(key), dict)), {})
    return {
        "id": n,
        "reference_code": reference,
        "number": f"SETP{990_000_000 + n}",
        "is_validated": True,
        "validated_at": "13-05-2026 08:21:49 AM",
        "created_at": "13-05-2026 08:21:47 AM",
        "errors": {},
        "cufe": "ab" * 48,
        "customer": {"identification": party.get("identification", "")},
        "provider": {"identification": party.get("identification", "")},
        "totals": {"total": f"{total:.2f}", "tax_amount": "0.00"},
        "links": {"qr": "https://example.com/qr", "public_url": "https://example.com/doc"},
    }


def plain(status: int, body: bytes, *headers: str, kind: str = "application/json") -> Answer:
    head = "\r\n".join(
        [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    )
    return Answer(head.encode("latin-1", "replace") + body)


def calm(asked: Asked, documents: dict[str, dict[str, Any]]) -> Answer:
    status, body = right(asked, documents)
    return plain(status, json.dumps(body).encode())


def wild(asked: Asked, documents: dict[str, dict[str, Any]], chance: random.Random, secrets: list[str]) -> Answer:
    """Any answer. *secrets* are those of the account, which a server may give back in its words."""
    if chance.random() < (0.6 if asked.is_token else 0.3):
        return calm(asked, documents)
    kinds = (_status, _status, _spoilt, _spoilt, _spoilt, _body, _body, _packed, _paced, _headers, _wire)
    answer = chance.choice(kinds)(asked, documents, chance, secrets)
    if chance.random() < 0.05:
        answer = replace(answer, chunk=chance.choice([1, 7, 100]), pause_s=chance.choice([0.001, 0.02, 0.3]))
    return answer


def _status(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    """A status, a body that fits some other one, and the secrets in its words."""
    status = chance.choice(_STATUSES) if chance.random() < 0.8 else chance.randrange(100, 1000)
    words = chance.choice(
        [
            "",
            "Bad credentials",
            " ".join(secrets),
            f"token {asked.token or ACCESS} for {secrets[-1]}",
            "x" * 5000,
            "\ud800",
            "\x1b[2J",
        ]
    )
    errors = chance.choice(
        [
            {},
            [],
            {"a": [words]},
            [words],
            [{"message": words}],
            {"": {"": [[words]]}},
            "Regla: FAK24, Rechazo: " + words,
            words,
        ]
    )
    shapes = (
        {"message": words, "errors": errors},
        {"data": {"errors": errors, "message": words}},
        {"error": words},
        [],
        words,
        None,
        1,
    )
    body = write(chance.choice(shapes)).encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        body = b"<html><body>" + body + b"</body></html>"
        return plain(status, body, kind="text/html")
    return plain(status, body)


def _spoilt(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    """The right answer with hostile values in it."""
    status, body = right(asked, documents)
    found = json.loads(json.dumps(body))
    if asked.is_token and chance.random() < 0.8:
        tokens = (
            "ñ-\u2603",
            "",
            "a\r\nX-Evil: 1",
            "a b",
            "x" * 9000,
            "x" * 300_000,
            "\x00",
            None,
            7,
            [],
            {},
            Raw('"\\ud800"'),
            "\u00ff" * 5,
        )
        lives = (
            "3600",
            0,
            -1,
            1,
            2.5,
            Raw("1e300000000"),
            Raw("1" + "0" * 99),
            Raw("9" * 5000),
            None,
            True,
            [],
            10**15,
            Raw("1e3"),
        )
        if chance.random() < 0.5:
            found["access_token"] = chance.choice(tokens)
        else:
            found["expires_in"] = chance.choice(lives)
    elif isinstance(found.get("data"), dict) and chance.random() < 0.7:
        found["data"] = mutate(found["data"], chance, chance.choice([1, 1, 2, 4]))
    else:
        found = mutate(found, chance, chance.choice([1, 2, 4]))
    return plain(status, write(found).encode("utf-8", "surrogatepass"))


def _body(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    status, body = right(asked, documents)
    text = json.dumps(body)
    inner = chance.choice(
        [
            values.deep(chance.choice([31, 100, 500, 900, 990, 5000, 100_000]), chance),
            values.hostile(chance),
            Raw(chance.choice(values.NUMBERS)),
        ]
    )
    wrapped: Any = {
        "status": "OK",
        "data": {**body["data"], "extra": inner} if isinstance(body.get("data"), dict) else inner,
    }
    wide = Raw(
        "["
        + ",".join(
            [chance.choice(['{"is_validated":false}', "1e99", "[]", '"x"', '{"a":{}}'])]
            * chance.choice([1000, 200_000])
        )
        + "]"
    )
    choices: tuple[Callable[[], bytes], ...] = (
        lambda: b"",
        lambda: b"<!DOCTYPE html><title>502</title>",
        lambda: text.encode()[: chance.randrange(len(text))],
        lambda: values.broken_bytes(text.encode(), chance),
        lambda: write(wrapped).encode("utf-8", "surrogatepass"),
        lambda: write(wrapped).encode("utf-8", "surrogatepass"),
        lambda: write(inner).encode("utf-8", "surrogatepass"),
        lambda: write({"data": {"data": wide, "errors": wide}, "errors": wide}).encode(),
        lambda: write({"data": body.get("data"), "message": "x" * chance.choice([10_000, 3 * _MIB])}).encode(),
        lambda: b"[" * chance.choice([1000, _MIB]),
        lambda: b'{"data":' + b"9" * chance.choice([4301, 100_000, 2 * _MIB]) + b"}",
    )
    return plain(status if chance.random() < 0.7 else chance.choice(_STATUSES), chance.choice(choices)())


def _packed(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    """gzip and others: bombs, cut, nested, and not what they say."""
    status, body = right(asked, documents)
    text = json.dumps(body).encode()
    packed = gzip.compress(text)
    raw, name = chance.choice(
        [
            (packed, "gzip"),
            (packed[:-9], "gzip"),
            (text, "gzip"),
            (gzip.compress(packed), "gzip, gzip"),
            (zlib.compress(text), "deflate"),
            (text, "br"),
            (text, "zstd"),
            (_bomb(64), "gzip"),
            (_bomb(600), "gzip"),
            (gzip.compress(_bomb(64)), "gzip, gzip"),
            (packed, "gzip, " * 50 + "gzip"),
        ]
    )
    return plain(status, raw, f"Content-Encoding: {name}")


@cache
def _bomb(n_mib: int) -> bytes:
    """A right beginning, then letters without an end: blocks that stand for themselves, so one is packed for all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b'{"data":{"message":"') + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"x" * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * n_mib + packer.compress(b'"}}') + packer.flush()


def _paced(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    """Late, in drops, cut at any byte, or without an end."""
    answer = calm(asked, documents)
    match chance.randrange(6):
        case 0:
            return replace(answer, wait_s=chance.choice([0.5, 1.5, 4.0]))
        case 1:
            return replace(answer, chunk=1, pause_s=chance.choice([0.001, 0.05, 0.5]))
        case 2 | 3:
            return replace(answer, raw=answer.raw[: chance.randrange(len(answer.raw))])
        case 4:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1600000000\r\n\r\n"
            return Answer(head, b" " * _MIB, chance.choice([5, 40, 1500]))
        case _:
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            return Answer(head, b"10000\r\n" + b"[" * 65536 + b"\r\n", chance.choice([1, 50, 20_000]))


def _headers(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    status, body = right(asked, documents)
    text = json.dumps(body).encode()
    flood = [f"X-{n}: y" for n in range(chance.choice([50, 90, 200, 20_000]))]
    lines = chance.choice(
        [
            flood,
            [f"X-Long: {'y' * chance.choice([8000, 100_000, 2_000_000])}"],
            [f"Retry-After: {chance.choice(_PAUSES)}"],
            [
                f"X-RateLimit-Limit: {chance.choice(['80', '0', '-1', 'x', '9' * 11])}",
                f"X-RateLimit-Remaining: {chance.choice(['0', '-1', '1', 'x'])}",
                f"X-RateLimit-Reset: {chance.choice(['0', '99999999999', '253402300800', 'x'])}",
            ],
            ["Location: http://127.0.0.1:1/", "Set-Cookie: a=b"],
            ["Content-Length: 5"],
            ["Transfer-Encoding: chunked"],
            ["X-\xff: \xff\xfe", "\x00: 1", ": empty", "no colon"],
            ["Connection: close"],
            ["Content-Type: text/html; charset=\xff"],
        ]
    )
    return plain(chance.choice([status, 429, 503, 302, 200]), text, *lines)


def _wire(asked: Asked, documents: dict[str, Any], chance: random.Random, secrets: list[str]) -> Answer:
    """Bytes that are no HTTP, or only nearly."""
    return Answer(
        chance.choice(
            [
                b"",
                b"\x00" * 100,
                b"HTTP/0.9 200\r\n\r\n{}",
                b"HTTP/1.1 99 X\r\n\r\n",
                b"HTTP/1.1 1000 X\r\n\r\n",
                b"HTTP/1.1 -200 X\r\n\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
                b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
                b"HTTP/1.1 200 " + b"x" * 200_000,
                b"x" * 300_000,
                bytes(chance.randrange(256) for _ in range(200)),
            ]
        )
    )
