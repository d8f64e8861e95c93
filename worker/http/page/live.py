"""
Keeps an open page fresh, by Server-Sent Events: the regions that have changed, as HTML.

As the streams of the door: a number of places, an hour at most, and the login is looked at again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

from redis.exceptions import RedisError
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from schemas import strict_json
from worker.guard import pause
from worker.http.answers import Refusal, limited
from worker.http.callers import Caller
from worker.http.door import Door
from worker.http.page.eyes import Eyes
from worker.http.page.look import Looks
from worker.http.page.rendering import FRESH, fresh_of, regions_of
from worker.http.page.view import view_of

EVENT_STREAM: Final = "text/event-stream"
_RETRY: Final = b"retry: 3000\n\n"
_COMMENT: Final = b": sigue\n\n"
_AWAY: Final = "Redis no responde; la página sigue sola cuando vuelva."


class LiveStream(Response):
    """The stream of one page, for as long as it lasts, somebody listens, and his login holds."""

    def __init__(self, door: Door, looks: Looks, identify: Callable[[], Caller | None], caller: Caller) -> None:
        super().__init__()
        self._door = door
        self._looks = looks
        self._identify = identify
        self._caller = caller
        self._sent: dict[str, str] = {}
        self._seen_at = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if scope["method"] == "HEAD":
            await Response(media_type=EVENT_STREAM, headers=headers)(scope, receive, send)
            return
        # Taken here and not in the route: who has gone before the answer begins must not keep the place.
        with self._door.listening.place(self._caller.name) as is_free:
            if not is_free:
                refused = limited("Demasiadas páginas abiertas.", 10)
                await refused.answer()(scope, receive, send)
                return
            answer = StreamingResponse(self._lines(), media_type=EVENT_STREAM, headers=headers)
            await answer(scope, receive, send)

    async def _lines(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        policy, stopping = self._door.policy, self._door.stopping
        ends_at, spoken_at = clock() + policy.longest_stream_s, clock()
        yield _RETRY
        while clock() < ends_at and not stopping.is_set():
            caller = self._identify()
            if caller is None or caller.expires_at <= datetime.now(UTC):
                return
            changed = await self._changed(caller)
            if changed or clock() - spoken_at >= policy.comment_s:
                yield _told(changed) if changed else _COMMENT
                spoken_at = clock()
            await pause(stopping, policy.page_every_s)

    async def _changed(self, caller: Caller) -> dict[str, str]:
        """The regions that are not as they were sent last."""
        try:
            looked = await self._looks.newest()
        except (RedisError, OSError, TimeoutError, Refusal):
            regions = {FRESH: fresh_of(self._seen_at or "-", _AWAY)}
        else:
            view = view_of(looked, Eyes(caller, self._door.accounts.zones))
            self._seen_at = view.seen_at
            regions = regions_of(view)
        changed = {name: html for name, html in regions.items() if self._sent.get(name) != html}
        self._sent.update(changed)
        return changed


def _told(regions: dict[str, str]) -> bytes:
    # JSON has no line ends of its own: the data of an event is one line.
    return b"event: regions\ndata: " + strict_json.dump(regions).encode() + b"\n\n"
