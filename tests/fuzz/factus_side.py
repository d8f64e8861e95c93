"""
A raw server on loopback that sends any bytes, on a thread of its own: Factus as it is, and as it must never be.

Which answer a request gets follows from the seed, the request and how often it has come: neither the order of other
requests nor their number changes it. What was sent is kept, so that a case can be played again without the seed.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fuzz.actions import Answer
from tests.fuzz.answers import Asked, calm, wild

_LARGEST_KEPT: Final = 8 * 1024 * 1024
_MOST_KEPT: Final = 256 * 1024 * 1024


@dataclass
class FactusSide:
    """
    Two addresses: ``calm_url`` answers rightly, ``wild_url`` anyhow.

    Attributes:
        seed: Decides the wild answers; None for those of ``script`` only, and right ones beyond.
        script: By the key of a request its answers, in order; the last one again and again.
        sent: The wild answers that were given, by the same key.
    """

    seed: str | None
    secrets: list[str]
    script: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    sent: dict[str, list[Answer]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    """The keys of ``sent`` as they were asked for, a key for each answer."""
    n_requests: Counter[str] = field(default_factory=Counter)
    calm_url: str = ""
    wild_url: str = ""
    _documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    _n_kept: int = 0
    _times: Counter[str] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _ready: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="factus-side", daemon=True)
        self._thread.start()
        self._ready.wait(40)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda _loop, _context: None)  # connections end as they please here
        servers = [self._loop.run_until_complete(self._listen(is_wild)) for is_wild in (False, True)]
        self.calm_url, self.wild_url = (f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in servers)
        self._ready.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _listen(self, is_wild: bool) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await self._one(reader, writer, is_wild):
                    pass
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                pass  # the client has had enough, which is its right
            finally:
                writer.close()

        return await asyncio.start_server(connected, "127.0.0.1", 0, limit=1024 * 1024)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_wild: bool) -> bool:
        """One request and its answer; False when the connection is spent."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.split("\r\n")
        method, path, _ = line.split(" ", 2)
        length = next((int(row.partition(":")[2]) for row in rest if row.lower().startswith("content-length:")), 0)
        token = next((row.rpartition(" ")[2] for row in rest if row.lower().startswith("authorization:")), "")
        asked = Asked(method, path, await reader.readexactly(length), token)
        self.n_requests["wild" if is_wild else "calm"] += 1
        if not is_wild:
            writer.write(calm(asked, self._documents).raw)
            await writer.drain()
            return True
        # Beside the loop: what takes long to make must not make the honest account wait.
        await _send(writer, await asyncio.to_thread(self._wild, asked))
        return False  # who knows where such an answer ends

    def _wild(self, asked: Asked) -> Answer:
        key = asked.key
        n = self._times[key]
        self._times[key] += 1
        if key in self.script:
            found = self.script[key]
            return found[min(n, len(found) - 1)]
        if self.seed is None:
            return calm(asked, self._documents)
        answer = wild(asked, self._documents, random.Random(f"{self.seed}:{key}:{n}"), self.secrets)
        if len(answer.raw) <= _LARGEST_KEPT and self._n_kept < _MOST_KEPT:
            self._n_kept += len(answer.raw)
            self.sent.setdefault(key, []).append(answer)
            self.order.append(key)
        return answer


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    await asyncio.sleep(answer.wait_s)
    raw, chunk = answer.raw, answer.chunk or len(answer.raw) or 1
    for at in range(0, len(raw), chunk):
        writer.write(raw[at : at + chunk])
        await writer.drain()
        if answer.chunk:
            await asyncio.sleep(answer.pause_s)
    for _ in range(answer.times):
        writer.write(answer.filler)
        await writer.drain()
