"""
Batches that are complete and wait for a worker that serves their account: it closes them (``worker/queue/batches.py``).
"""

from __future__ import annotations

from schemas.names import account_of
from worker.status.stored import Asker, texts
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys


def complete_batches_seen(asker: Asker, keys: Keys) -> Inquiry[tuple[str, ...]]:
    """
    ``account/batch`` of each; one whose account is served is there for a second at most.

    Without those whose account nobody has served for a day: any worker closes them.
    """
    members, served = yield from asker.ask(("SMEMBERS", keys.batches_due()), ("ZRANGE", keys.served_accounts(), 0, -1))
    known = set(texts(served))
    return tuple(sorted(member for member in texts(tuple(members or ())) if account_of(member) in known))
