"""
Pushing a ``day.close`` and waiting for its certificate, with how far it is meanwhile.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from jobs.families import FAMILIES
from schemas import strict_json
from worker.cli.close.sections import family_name
from worker.cli.own_events import event_of, job_of
from worker.cli.producers_token import entry_of
from worker.cli.progress import Bar
from worker.store.connection import command
from worker.store.keys import Keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from worker.settings.model import Settings
    from worker.speech import Speech

TYPE: Final = "day.close"
_BLOCK_MS: Final = 300


async def close_day(
    settings: Settings,
    redis: Redis,
    account: str,
    payload: Mapping[str, Any],
    timeout_s: float,
    speech: Speech,
    *,
    token: str = "",
) -> tuple[str, dict[str, Any] | None]:
    """
    The id of the job, and its final event; None when there has been no news for *timeout_s*.

    Args:
        token: That of a producer, where jobs are signed; it goes beside the job.

    Raises what Redis raises.
    """
    keys = Keys(settings.namespace)
    known = settings.accounts().get(account)
    own = account if known is not None and known.own_streams else None
    results = keys.results(own)
    newest = await redis.xrevrange(results, count=1)
    last = newest[0][0].decode() if newest else "0-0"
    job_id = f"close-{secrets.token_hex(6)}"
    job = {"id": job_id, "type": TYPE, "account": account, "payload": payload}
    await redis.xadd(keys.jobs(own), entry_of(strict_json.dump(job), token))
    seen, heard_at = "", monotonic()
    with Bar(len(FAMILIES), speech, stream=sys.stderr, quiet_s=1.0) as bar:
        while monotonic() - heard_at < timeout_s:
            for _, entries in await redis.xread({results: last}, count=500, block=_BLOCK_MS) or ():
                for entry_id, fields in entries:
                    last = entry_id.decode()
                    if job_of(fields) == job_id and (found := event_of(fields.get(b"event"))) is not None:
                        return job_id, found
            stored = await command(redis, "HMGET", keys.job(account, job_id), "progress", "state")
            progress = (stored[0] or b"").decode(errors="replace")
            if progress != seen:
                seen, heard_at = progress, monotonic()
            _show(bar, progress, (stored[1] or b"").decode(), taken=stored[1] is not None, speech=speech)
    return job_id, None


def _show(bar: Bar, progress: str, state: str, *, taken: bool, speech: Speech) -> None:
    say = speech.say
    what = say("listas de Factus leídas", "lists of Factus read")
    if not progress:
        note = say("espera su turno, detrás de lo que se emite", "waits its turn, behind what is issued")
        bar.show(0, what, note if taken else say("sin trabajador que lo reciba", "no worker has taken it in"))
        return
    told = strict_json.parse_written(progress)
    names = [*FAMILIES]
    at = min(int(told.get("at", 0)), len(names))
    if at < len(names):
        note = say(f"{family_name(names[at], speech)}, página {told.get('page')}",
                   f"{family_name(names[at], speech)}, page {told.get('page')}")  # fmt: skip
    elif told.get("unpriced"):
        n = len(told["unpriced"])
        note = say(f"faltan los valores de {n} ajenos", f"the amounts of {n} foreign ones are missing")
    else:
        note = say("se arma el certificado", "the certificate is made")
    bar.show(at, what, note)
