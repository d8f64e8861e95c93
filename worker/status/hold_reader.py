"""What holds an account or a lane, with the job that met it."""

from __future__ import annotations

from collections.abc import Mapping

from schemas import strict_json
from worker.status.facts import Hold
from worker.status.stored import Asker, texts, whole
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys


def hold_of(asker: Asker, keys: Keys, account: str, stored: Mapping[str, str], now_ms: int) -> Inquiry[Hold | None]:
    """
    What holds it: until an instant that is to come, or since one and nothing has come through.

    Args:
        stored: The hash of the account, or of one of its lanes.
    """
    until_ms, since_ms = whole(stored.get("hold_until")), whole(stored.get("held_since"))
    if until_ms <= now_ms and not since_ms:
        return None
    reason = stored.get("hold_reason", "") if until_ms > now_ms else stored.get("held_for", "")
    if reason != stored.get("held_for"):
        return Hold(reason, until_ms)  # Factus has asked to slow down, which no job has met
    job_id = stored.get("held_by", "")
    (met,) = yield from asker.ask(("HMGET", keys.job(account, job_id), "reference_code", "number", "last_error"))
    reference_code, number, error = texts(met) or ("", "", "")
    return Hold(
        reason, until_ms, since_ms, job_id, reference_code, number, _message(error), stored.get("held_mend", "")
    )


def _message(error: str) -> str:
    """The words of a stored error; empty where there is none that can be read."""
    try:
        found = strict_json.parse(error) if error else {}
    except strict_json.JsonRefused:
        return ""
    return str(found.get("message", "")) if isinstance(found, dict) else ""
