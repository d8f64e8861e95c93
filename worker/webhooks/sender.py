"""
One attempt of a delivery over HTTP: resolve, check, connect to what was checked, send, read a bounded answer.

Whoever answers may be hostile, and whoever chose the URL too. So the name is resolved once, every address of it is
checked, and the engine is given an address in place of the name: it resolves nothing itself, and what a name server
says a moment later is not asked. TLS and ``Host`` have the name. Nothing is redirected, remembered, or sent twice.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

import aiohttp
from yarl import URL

from jobs.webhooks.addresses import refused_as
from jobs.webhooks.endpoint import Endpoint
from jobs.webhooks.verdict import Answer, Fault
from worker.addresses import EndpointAddress, endpoint_address
from worker.factus.client import USER_AGENT
from worker.factus.transport import hardened_session, tls_context
from worker.webhooks import signer
from worker.webhooks.resolver import Resolve, Resolver

_KEEP_ALIVE_S: Final = 4.0
"""Less than what servers keep (5 s and more): a connection that they have ended is not tried."""

_MOST_ADDRESSES: Final = 4
"""Of one name that are tried in an attempt, where no connection comes about."""

_KEPT_BYTES: Final = 1024
_READ_BYTES: Final = 64 * 1024
_READ_S: Final = 2.0
"""How much of an answer, and for how long, is read so that its connection serves again. The status counts before."""


_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)
"""The whole attempt has one of its own."""


class Sender:
    """The attempts of one process."""

    def __init__(self, *, resolve: Resolve | None = None, verify: ssl.SSLContext | None = None) -> None:
        """
        Args:
            resolve: In place of the system's resolver.
            verify: In place of the certificates that the system trusts.
        """
        self._resolve = resolve or Resolver()
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None

    async def attempt(self, endpoint: Endpoint, secrets: tuple[str, ...], message: str, body: bytes) -> Answer:
        """
        Send one message; whatever happens is an answer.

        Args:
            secrets: Those that sign, newest first.
            message: Its ``webhook-id``.
        """
        began = time.perf_counter()
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                found = await self._attempt(endpoint, secrets, message, body)
        except TimeoutError:
            found = Answer(fault="timeout", detail=f"{endpoint.timeout_s:g} s")
        except Exception as exc:  # noqa: BLE001 - what a peer's bytes trip in a library is an answer that was lost
            found = Answer(fault="lost", detail=type(exc).__name__)
        duration_ms = round((time.perf_counter() - began) * 1000, 1)
        if isinstance(found, Answer):
            return replace(found, duration_ms=duration_ms)
        return await _read(found, duration_ms)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _attempt(
        self, endpoint: Endpoint, secrets: tuple[str, ...], message: str, body: bytes
    ) -> Answer | aiohttp.ClientResponse:
        place = _place_of(endpoint.url)
        try:
            addresses = await self._addresses(endpoint.name, place)
        except OSError as exc:
            return Answer(fault="name", detail=exc.strerror or type(exc).__name__)
        for address in addresses:
            if kind := refused_as(address, endpoint.allow_networks):
                return Answer(fault="address", detail=f"{address} ({kind})")
        answer: Answer | aiohttp.ClientResponse = Answer(fault="name")
        for address in addresses[:_MOST_ADDRESSES]:
            headers = {
                "Host": place.authority,
                "User-Agent": USER_AGENT,
                "Content-Type": "application/json",
                "Accept": "*/*",
                **signer.headers(secrets, message, int(time.time()), body),
            }
            answer = await self._post(place, address, headers, body)
            if not isinstance(answer, Answer) or answer.fault != "connection":
                break  # only what never had a connection goes to the next address: nothing was sent
        return answer

    async def _addresses(self, endpoint: str, place: EndpointAddress) -> list[str]:
        if literal := _literal(place.host):
            return [literal]
        found = await self._resolve(endpoint, place.host, place.port)
        if not found:
            raise OSError("no address")
        return found

    async def _post(
        self, place: EndpointAddress, address: str, headers: dict[str, str], body: bytes
    ) -> Answer | aiohttp.ClientResponse:
        try:
            return await self._of_this_loop().post(
                _url_at(place, address),
                headers=headers,
                data=body,
                allow_redirects=False,
                server_hostname=_tls_name(place),
                timeout=_NO_TIMEOUT,
            )
        except (aiohttp.ClientError, OSError) as exc:
            return Answer(fault=_fault_of(exc), detail=type(exc).__name__)

    def _of_this_loop(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = hardened_session(0, self._verify or tls_context(), keep_alive_s=_KEEP_ALIVE_S)
        return self._session


@lru_cache(maxsize=1024)
def _place_of(url: str) -> EndpointAddress:
    """The file has said whether it may be http; here it stands."""
    return endpoint_address(url, may_be_http=True)


@lru_cache(maxsize=1024)
def _literal(host: str) -> str:
    """The address that a host is; empty for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _url_at(place: EndpointAddress, address: str) -> URL:
    return URL(place.at(address), encoded=True)


def _tls_name(place: EndpointAddress) -> str | None:
    """The name that the certificate must have; connections under other names are never shared."""
    return place.host.rstrip(".") if place.scheme == "https" else None


def _fault_of(error: Exception) -> Fault:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "tls"
        case aiohttp.ClientConnectorError():
            return "connection"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "lost"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "protocol"
        case _:
            return "lost"


async def _read(response: aiohttp.ClientResponse, duration_ms: float) -> Answer:
    """The answer of which the head is there: its status counts, whatever becomes of the rest."""
    try:
        kept = await _beginning(response)
    finally:
        response.close()  # one that was read to its end has given its connection back already
    asked_s = _retry_after_s(response.headers.get("Retry-After"))
    return Answer(response.status, retry_after_s=asked_s, body=kept, duration_ms=duration_ms)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first KiB of a body. What more there is, or comes slowly, is left; the status has been said."""
    kept, n_read = b"", 0
    try:
        if response.content.is_eof():  # it came with the head: nothing is waited for
            return response.content.read_nowait(_KEPT_BYTES)
        async with asyncio.timeout(_READ_S):
            async for part in response.content.iter_any():
                kept += part[: _KEPT_BYTES - len(kept)]
                n_read += len(part)
                if n_read > _READ_BYTES:
                    break
    except (aiohttp.ClientError, OSError):  # TimeoutError is one
        pass
    return kept


def _retry_after_s(text: str | None) -> float | None:
    """Seconds, from seconds or a date; None for what is neither."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 12:
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
