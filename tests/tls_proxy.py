"""
TLS before a server that does not speak it: the bundled Valkey is built without. As a stunnel before a Redis does.

The certificate is that of tests/vendor/tls: for ``localhost``, signed by ``ca.crt``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TLS: Final = Path(__file__).parent / "vendor" / "tls"
CA: Final = TLS / "ca.crt"
OTHER_CA: Final = TLS / "other-ca.crt"


@dataclass
class TlsProxy:
    """One that listens."""

    port: int
    n_connections: int = 0

    def url(self, ca: Path = CA) -> str:
        """Redis behind it, for a client that trusts *ca* alone."""
        return f"rediss://localhost:{self.port}/0?ssl_ca_certs={ca}"


@asynccontextmanager
async def tls_before(unix_socket: str) -> AsyncIterator[TlsProxy]:
    """TLS on a port of this machine, before a server on a Unix socket, while the block lasts."""
    found, writers = TlsProxy(0), set[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.n_connections += 1
        behind_reader, behind_writer = await asyncio.open_unix_connection(unix_socket)
        both = {writer, behind_writer}
        writers.update(both)
        # Each way ends the other one: what one side has closed is closed on both.
        await asyncio.gather(_pass(reader, behind_writer), _pass(behind_reader, writer))
        writers.difference_update(both)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in writers:
            writer.close()
        while writers:
            await asyncio.sleep(0.01)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    except OSError:
        pass  # one of the two has left
    finally:
        writer.close()
