"""rediss:// and Sentinel over TLS against a listener with a real certificate: by its name, or not at all."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as NotConnected

from worker.store import connection

TLS = Path(__file__).parents[1] / "vendor" / "tls"
CA = TLS / "ca.crt"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As much of a server, and of a sentinel that says that itself is the master, as a client needs to be content."""
    port = writer.get_extra_info("sockname")[1]
    facts = ["name", "main", "ip", "localhost", "port", str(port), "flags", "master", "num-other-sentinels", "0"]
    try:
        while head := await reader.readline():
            parts = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2].upper())
            if parts[0] == b"SENTINEL":
                writer.write(f"*1\r\n*{len(facts)}\r\n".encode())
                writer.write(b"".join(f"${len(fact)}\r\n{fact}\r\n".encode() for fact in facts))
            else:
                writer.write(b"+PONG\r\n" if parts[0] == b"PING" else b"+OK\r\n")
    except (OSError, asyncio.IncompleteReadError, ValueError):
        pass  # the client has left
    finally:
        writer.close()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def _ping(url: str) -> bool:
    client = connection.connect(url, blocking=True)  # tries once
    try:
        return bool(await client.ping())
    finally:
        await connection.close(client)


FORMS = ["rediss://{host}:{port}/0?ssl_ca_certs={ca}", "sentinel://{host}:{port}/main?ssl=true&ssl_ca_certs={ca}"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_certificate_of_that_name_is_taken(form: str, port: int) -> None:
    assert await _ping(form.format(host="localhost", port=port, ca=CA))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("host", "ca"), [("127.0.0.1", CA), ("localhost", TLS / "other-ca.crt")])
async def test_another_name_or_another_signer_is_refused(form: str, port: int, host: str, ca: Path) -> None:
    with pytest.raises(NotConnected):
        await _ping(form.format(host=host, port=port, ca=ca))


async def test_a_certificate_that_the_system_does_not_know_is_refused(port: int) -> None:
    with pytest.raises(NotConnected):
        await _ping(f"rediss://localhost:{port}/0")


async def test_what_the_system_trusts_is_read_once_and_a_changed_file_again(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection would else stop the whole process for the 30 ms that this takes."""
    ca, made, make = tmp_path / "ca.crt", [], ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda *given, **named: made.append(1) or make(*given, **named))
    ca.write_bytes(CA.read_bytes())
    url = f"rediss://localhost:{port}/0?ssl_ca_certs={ca}"
    for _ in range(3):
        assert await _ping(url)
    assert len(made) == 1
    ca.write_bytes((TLS / "other-ca.crt").read_bytes())
    os.utime(ca, ns=(1, 1))
    with pytest.raises(NotConnected):
        await _ping(url)
    assert len(made) == 2
