"""The consumer groups of the result streams, as a scrape reads them. What the user may not read is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from worker.metrics.questions import Questions, about, into, text, whole
from worker.metrics.snapshot import GroupState
from worker.queue.consumer_lag import STALE_MS, GroupLag, group_seen
from worker.store.keys import Keys


class Groups:
    """Asks in two rounds: what there is, and of groups that have something in hand how long they have had it."""

    def __init__(self, questions: Questions, keys: Keys, own: Sequence[str], maxlen: int) -> None:
        self._prefix = f"{keys.namespace}:"
        self._maxlen = maxlen
        self._groups: dict[str, Any] = {}
        self._streams: dict[str, Any] = {}
        self._gone: dict[tuple[str, str], Any] = {}
        self._stale: dict[tuple[str, str], Any] = {}
        for stream in keys.outcomes(own):
            questions.ask(into(self._groups, stream), "XINFO", "GROUPS", stream)
            questions.ask(into(self._streams, stream), "XINFO", "STREAM", stream)

    def ask_of_pending(self, questions: Questions) -> None:
        """One entry is enough to know: that it is gone, or that it was given out long ago."""
        for stream, info, group in self._seen():
            if info is None or not whole(group.get("pending")):
                continue
            place = (stream, text(group["name"]))
            first = info["first-entry"]
            before = f"({text(first[0])}" if info["length"] and first else "+"
            asked = ("XPENDING", stream, place[1])
            questions.ask(into(self._gone, place), *asked, "-", before, 1, parse_detail=True)
            questions.ask(into(self._stale, place), *asked, "IDLE", STALE_MS, "-", "+", 1, parse_detail=True)

    def lags(self) -> tuple[GroupLag, ...]:
        """As ``status`` has them; of those whose stream may not be looked into nothing is known."""
        found: list[GroupLag] = []
        for stream, info, group in self._seen():
            if info is None:
                continue
            seen = group_seen(stream, info, group, self._maxlen)
            place = (stream, seen.name)
            if self._gone.get(place) and seen.n_trimmed is not None:
                seen = replace(seen, n_trimmed=seen.n_trimmed + 1)
            found.append(replace(seen, n_pending=whole(group.get("pending")), n_stale=len(self._stale.get(place, ()))))
        return tuple(found)

    def found(self) -> tuple[GroupState, ...]:
        """How far each is behind."""
        found: list[GroupState] = []
        for stream, info, group in self._seen():
            # Who may not look into the stream has what Redis 7 counts by itself.
            n_unread = group.get("lag") if info is None else group_seen(stream, info, group, self._maxlen).n_unread
            if n_unread is not None:
                found.append(GroupState(stream.removeprefix(self._prefix), text(group["name"]), n_unread))
        return tuple(found)

    def _seen(self) -> list[tuple[str, Mapping[str, Any] | None, dict[str, Any]]]:
        """Stream, what is known of it, and one of its groups."""
        return [
            (stream, about(self._streams[stream]) if stream in self._streams else None, about(group))
            for stream, groups in self._groups.items()
            for group in groups
        ]
