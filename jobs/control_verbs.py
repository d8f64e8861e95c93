"""
Jobs that act on the ledger alone: no call to Factus is made, and nothing that holds an account holds them.
"""

from __future__ import annotations

from jobs.calls import CallContext
from jobs.outcomes import Ending


async def cancel(context: CallContext) -> Ending:
    """
    Ends what is open and has sent nothing. What Factus may have, and what is final, stays as it is.

    A job pushed before this one is in the ledger by now, whatever it is doing.
    """
    assert context.canceller is not None
    found = await context.canceller.cancel(context.policy.job, context.payload)
    if found is None:
        return context.more({}, "Quedan trabajos por cancelar")
    kept = [{"job_id": one.job_id, "why": one.why} for one in found.kept]
    data = {"cancelled": list(found.job_ids), "kept": kept}
    return context.completed(_told(found.n_cancelled, len(kept)), data)


def _told(n_cancelled: int, n_kept: int) -> str:
    if not (n_cancelled or n_kept):
        return "No hay nada abierto que cancelar."
    done = "1 trabajo cancelado" if n_cancelled == 1 else f"{n_cancelled} trabajos cancelados"
    if not n_kept:
        return f"{done}."
    left = "1 sigue como está" if n_kept == 1 else f"{n_kept} siguen como están"
    return f"{done}; {left}."
