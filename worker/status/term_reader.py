"""How many watched bills are due, by the day in Bogotá. The dates stand in one set: no record is read."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.factus import BOGOTA
from worker.status.facts import RadianSeen
from worker.status.stored import Asker
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys


def terms_seen(asker: Asker, keys: Keys, now_ms: int) -> Inquiry[RadianSeen]:
    """Those whose term is over today, tomorrow, or was before."""
    midnight = datetime.fromtimestamp(now_ms / 1000, BOGOTA).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [round((midnight + timedelta(days=n)).timestamp() * 1000) for n in range(3)]
    before, today, tomorrow = yield from asker.ask(
        ("ZCOUNT", keys.terms(), "-inf", f"({days[0]}"),
        ("ZCOUNT", keys.terms(), days[0], f"({days[1]}"),
        ("ZCOUNT", keys.terms(), days[1], f"({days[2]}"),
    )
    return RadianSeen(today or 0, tomorrow or 0, before or 0)
