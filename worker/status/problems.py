"""
What an operator has to mend, or has to know, in the order of what needs a person: the one list that ``status``, the
page, ``doctor`` and alerts tell from. Pure. The kinds stand in ``problem.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from typing import Final

from schemas.names import account_of, in_account
from worker.queue.consumer_lag import GroupLag
from worker.speech import Speech
from worker.status.causes import NEEDS_A_PERSON, cause, holder, mend, redis_mend
from worker.status.facts import AccountSeen, Hold, IntakeSeen, LaneSeen, Overview, WorkerSeen
from worker.status.problem import KINDS, Problem, problem_lines
from worker.status.range_problems import range_problem
from worker.status.webhook_problems import of_webhooks

__all__ = ["KINDS", "PATIENCE_MS", "Problem", "problem_lines", "problems"]

PATIENCE_MS: Final = 300_000
"""How long something may be held before an operator has to know."""

_REMEMBERED_MS: Final = 7 * 86_400_000
"""How long ``status`` speaks of what was lost or removed: whoever comes back from a holiday shall still see it."""


def problems(seen: Overview, speech: Speech) -> list[Problem]:
    """All of them, what needs a person first; empty when all is well."""
    found = [
        *_of_server(seen, speech),
        *_of_workers(seen, speech),
        *(one for account in seen.accounts for one in _of_account(account, seen, speech)),
        *(one for lane in seen.lanes for one in _of_lane(lane, seen, speech)),
        *(one for intake in seen.intakes for one in _of_intake(intake, seen.now_ms, speech)),
        *(one for group in seen.groups for one in _of_group(group, speech)),
        *of_webhooks(seen, PATIENCE_MS, _REMEMBERED_MS, speech),
        *(one for row in seen.ranges if (one := range_problem(row, speech))),
        *_of_letters(seen, speech),
    ]
    return sorted(found, key=lambda one: one.rank)


def _of_server(seen: Overview, speech: Speech) -> Iterator[Problem]:
    if seen.writes_refused is not None:
        what = speech.say("Redis no acepta escrituras", "Redis takes no writes")
        yield Problem("redis.writes", "redis", f"{what}: {seen.writes_refused}", redis_mend(seen.writes_word, speech))
    for key in seen.damaged:
        what = speech.say(
            f"la clave {key} contiene otra cosa que la que guarda el servicio",
            f"the key {key} holds something else than the service keeps there",
        )
        mends = speech.say("mírela (TYPE) y muévala a otro nombre", "look at it (TYPE), and move it away")
        yield Problem("redis.key", key, what, mends)


# -- workers -----------------------------------------------------------------------------------------------------------
def _of_workers(seen: Overview, speech: Speech) -> Iterator[Problem]:
    if not seen.workers and seen.writes_refused is not None:
        return  # nobody can give a sign of life: who is there is not known
    if not seen.workers:
        n_open = sum(lane.n_open for lane in seen.lanes) + sum(one.n_pushed for one in seen.intakes)
        waits = speech.of(n_open, ("trabajo abierto", "open job"), ("trabajos abiertos", "open jobs"))
        what = speech.say("ningún trabajador está en marcha", "no worker is running") + (
            f" ({waits})" if n_open else ""
        )
        mends = speech.say("inicie uno: factus-worker run", "start one: factus-worker run")
        yield Problem("workers.none", "workers", what, mends)
        return
    told_own = {worker.own_streams for worker in seen.workers if worker.own_streams is not None}
    if len({worker.accounts for worker in seen.workers}) > 1 or len(told_own) > 1:
        what = speech.say(
            "los trabajadores en marcha conocen cuentas distintas, o canales propios distintos (own_streams)",
            "the running workers know different accounts, or different streams of their own (own_streams)",
        )
        mends = speech.say(
            "dé a todos el mismo FACTUS_ACCOUNTS_FILE y reinícielos",
            "give all the same FACTUS_ACCOUNTS_FILE and restart",
        )
        told = "; ".join(f"{worker.id}: {', '.join(_accounts_of(worker))}" for worker in seen.workers)
        yield Problem("workers.accounts", "workers", f"{what} ({told})", mends)
    if len({worker.is_signed for worker in seen.workers}) > 1:
        what = speech.say(
            "unos trabajadores exigen trabajos firmados y otros no",
            "some workers ask for signed jobs and others do not",
        )
        mends = speech.say(
            "dé a todos el mismo FACTUS_JOBS_SIGNED y reinícielos", "give all the same FACTUS_JOBS_SIGNED and restart"
        )
        told = ", ".join(worker.id for worker in seen.workers if not worker.is_signed)
        yield Problem("workers.signing", "workers", f"{what} ({told})", mends)
    served = {name for worker in seen.workers for name in worker.accounts}
    yield from _unserved(seen, served, speech)
    for stream, n in seen.unread_streams:
        entries = speech.of(n, ("entrada", "entry"), ("entradas", "entries"))
        what = speech.say(
            f"ningún trabajador lee {stream}, donde hay {entries}", f"no worker reads {stream}, which has {entries}"
        )
        mends = speech.say(
            "configure la cuenta con own_streams = true y reinicie, o envíe por el canal común",
            "configure the account with own_streams = true and restart, or push to the common stream",
        )
        yield Problem("account.unserved", stream, what, mends)
    for worker in seen.workers:
        yield from _of_worker(worker, speech)


def _accounts_of(worker: WorkerSeen) -> list[str]:
    own = worker.own_streams or ()
    return [f"{name} (own_streams)" if name in own else name for name in worker.accounts]


def _unserved(seen: Overview, served: Set[str], speech: Speech) -> Iterator[Problem]:
    """Accounts with open jobs, or with batches that are complete and that only a worker of theirs closes."""
    n_batches = Counter(account_of(member) for member in seen.complete_batches)
    has_jobs = {lane.account for lane in seen.lanes if lane.n_open}
    for name in sorted((has_jobs | n_batches.keys()) - served):
        held = [speech.say("trabajos abiertos", "open jobs")] if name in has_jobs else []
        following = ""
        if n_batches[name]:
            held.append(
                speech.of(
                    n_batches[name],
                    ("lote completo sin cerrar", "complete batch that is not closed"),
                    ("lotes completos sin cerrar", "complete batches that are not closed"),
                )
            )
            following = speech.say(
                "tras un día sin quien la atienda, cualquiera cierra sus lotes (batch.completed)",
                "after a day without one that serves it, any worker closes its batches (batch.completed)",
            )
        told = speech.say(" y ", " and ").join(held)
        what = speech.say(
            f"ningún trabajador en marcha tiene las credenciales de la cuenta {name}, que tiene {told}",
            f"no running worker has the credentials of account {name}, which has {told}",
        )
        mends = speech.say("configúrela y reinicie", "configure it and restart")
        yield Problem("account.unserved", name, what, mends, next=following)


def _of_worker(worker: WorkerSeen, speech: Speech) -> Iterator[Problem]:
    if worker.keys_fault:
        what = speech.say(
            f"trabajador {worker.id}: el archivo nuevo no sirve y sigue valiendo el anterior ({worker.keys_fault})",
            f"worker {worker.id}: the new file cannot be used, and the one before still counts ({worker.keys_fault})",
        )
        mends = speech.say("corrija el archivo; se lee solo", "mend the file; it is read by itself")
        yield Problem("jobs.keys", worker.id, what, mends)
    if worker.failed_lately:
        what = speech.say(
            f"trabajador {worker.id}: fallas en sus tareas en los últimos 10 minutos ({worker.failed_lately}; "
            f"desde que inició {worker.failed})",
            f"worker {worker.id}: failures in its loops in the last 10 minutes ({worker.failed_lately}; since it "
            f"started {worker.failed})",
        )
        mends = speech.say(
            "vea loop.member_failed, loop.turn_failed y redis.unavailable en su registro",
            "see loop.member_failed, loop.turn_failed and redis.unavailable in its log",
        )
        following = speech.say(
            "se deja de decir diez minutos después de la última", "it is told until ten minutes after the last one"
        )
        yield Problem("worker.failures", worker.id, what, mends, worker.failing_since_ms, next=following)


# -- holds -------------------------------------------------------------------------------------------------------------
def _of_account(account: AccountSeen, seen: Overview, speech: Speech) -> Iterator[Problem]:
    told = {block.scope: block.since_ms for block in account.blocks}
    lanes = [lane for lane in seen.lanes if lane.account == account.name]
    n_open = sum(lane.n_open for lane in lanes)
    hold = account.hold
    if hold and (hold.until_ms > seen.now_ms or n_open) and _is_news(hold, told.get("*", 0), seen.now_ms):
        what = speech.say(f"cuenta {account.name} detenida", f"account {account.name} is held")
        yield _held("account.held", account.name, what, hold, account.name, seen, speech, n_open, is_told="*" in told)
    elif not hold and "*" in told and n_open:
        # Told to the operator, and asked again just now: until a call has come through it is not over.
        what = speech.say(f"cuenta {account.name} bloqueada", f"account {account.name} is blocked")
        following = speech.say("se está preguntando otra vez", "it is being asked again")
        yield Problem("account.blocked", account.name, what, since_ms=told["*"], next=following)
    for scope, since_ms in told.items():
        if "." in scope:
            what = speech.say(
                f"cuenta {account.name}: Factus niega los trabajos {scope} (403); los demás siguen",
                f"account {account.name}: Factus denies the jobs {scope} (403); all others go on",
            )
            mends = mend(Hold("factus.denied", 0), account.name, speech)
            yield Problem("type.blocked", in_account(account.name, scope), what, mends, since_ms)


def _of_lane(lane: LaneSeen, seen: Overview, speech: Speech) -> Iterator[Problem]:
    account = next((one for one in seen.accounts if one.name == lane.account), None)
    blocks = account.blocks if account else ()
    told_ms = next((one.since_ms for one in blocks if lane.name == in_account(lane.account, one.scope)), 0)
    if lane.hold and _is_news(lane.hold, told_ms, seen.now_ms):
        what = speech.say(f"carril {lane.name} detenido", f"lane {lane.name} is held")
        yield _held(
            "lane.held", lane.name, what, lane.hold, lane.account, seen, speech, lane.n_open, is_told=bool(told_ms)
        )


def _is_news(hold: Hold, told_ms: int, now_ms: int) -> bool:
    """Whether an operator has to know: only a person can mend it, or it has lasted."""
    is_long = bool(hold.since_ms) and now_ms - hold.since_ms >= PATIENCE_MS
    return hold.reason in NEEDS_A_PERSON or bool(told_ms) or is_long


def _held(
    id_: str,
    subject: str,
    what: str,
    hold: Hold,
    account: str,
    seen: Overview,
    speech: Speech,
    n_open: int,
    *,
    is_told: bool,
) -> Problem:
    """A hold. One that was told to the operator (``account.blocked``) stands until a person acts, whatever it is."""
    waiting = speech.of(n_open, ("trabajo espera", "job waits"), ("trabajos esperan", "jobs wait"))
    is_later = hold.until_ms > seen.now_ms
    following = (
        speech.say("se vuelve a preguntar solo", "it is asked again by itself")
        if is_later
        else speech.say("se está preguntando ahora", "it is being asked now")
    )
    return Problem(
        id_,
        subject,
        f"{what}: {cause(hold, speech)}" + (f" ({waiting})" if n_open else ""),
        mend(hold, account, speech),
        hold.since_ms,
        holder(hold),
        following,
        hold.until_ms if is_later else 0,
        is_passing=hold.reason not in NEEDS_A_PERSON and not is_told,
    )


# -- streams -----------------------------------------------------------------------------------------------------------
def _of_intake(one: IntakeSeen, now_ms: int, speech: Speech) -> Iterator[Problem]:
    """What became of pushed jobs that nobody else would tell."""

    def is_fresh(at_ms: int) -> bool:
        return bool(at_ms) and now_ms - at_ms < _REMEMBERED_MS

    if one.n_gone and is_fresh(one.gone_at_ms):
        n = speech.of(one.n_gone, ("entrada", "entry"), ("entradas", "entries"))
        what = speech.say(
            f"{one.stream}: se quitaron {n} antes de leerlas, y esos trabajos no tienen resultado",
            f"{one.stream}: {n} removed before they were read, and those jobs have no event",
        )
        mends = speech.say(
            "ningún productor debe recortarla (MAXLEN) ni quitar entradas; envíe otra vez lo que no tenga resultado",
            "no producer may trim it (MAXLEN) or take entries out; push again what has no event",
        )
        yield Problem("intake.entries_gone", one.stream, what, mends, one.gone_at_ms)
    if one.last_id_ahead:
        what = speech.say(
            f"{one.stream}: su último id {one.last_id_ahead} está en el futuro y no acepta ids de hoy; se hace de "
            "nuevo cuando quede vacía",
            f"{one.stream}: its last id {one.last_id_ahead} lies in the future, so it takes no ids of today; it is "
            "made anew as soon as it is empty",
        )
        mends = speech.say(
            "los productores dejan el id a Redis (XADD ... *)", "producers leave the id to Redis (XADD ... *)"
        )
        yield Problem("intake.id_ahead", one.stream, what, mends)
    if is_fresh(one.renewed_at_ms):
        what = speech.say(
            f"{one.stream}: su último id estaba en el futuro y se hizo de nuevo; no se perdió nada",
            f"{one.stream}: its last id lay in the future, and it was made anew; nothing was lost",
        )
        yield Problem("intake.stream_renewed", one.stream, what, since_ms=one.renewed_at_ms)


def _of_group(group: GroupLag, speech: Speech) -> Iterator[Problem]:
    place = speech.say(f"grupo {group.name} de {group.stream}", f"consumer group {group.name} of {group.stream}")
    subject = f"{group.stream}/{group.name}"
    mends = speech.say(
        "inicie el consumidor, o suba FACTUS_RESULTS_MAXLEN; un grupo que nadie usa: XGROUP DESTROY",
        "start the consumer, or raise FACTUS_RESULTS_MAXLEN; a group that nobody uses: XGROUP DESTROY",
    )
    unread = speech.count(group.n_unread)
    if group.has_lost:
        n = "" if group.n_trimmed is None else f"{speech.count(group.n_trimmed)} "
        what = speech.say(
            f"{place}: se recortaron {n}entradas que no había leído, y esperan {unread} más",
            f"{place}: {n}entries were trimmed that it had not read, {unread} more wait for it",
        )
        yield Problem("group.lost", subject, what, mends)
    elif group.is_lagging:
        most = speech.count(group.maxlen)
        what = speech.say(
            f"{place}: esperan {unread} entradas; en {most} (FACTUS_RESULTS_MAXLEN) se recortan las más viejas",
            f"{place}: {unread} entries wait for it; at {most} (FACTUS_RESULTS_MAXLEN) the oldest are trimmed",
        )
        yield Problem("group.lagging", subject, what, mends)
    if group.n_stale:
        n = speech.count(group.n_stale) + ("+" if group.n_stale < group.n_pending and group.n_stale == 100 else "")
        of = speech.count(group.n_pending)
        what = speech.say(
            f"{place}: {n} entradas entregadas hace más de una hora y sin confirmar (de {of})",
            f"{place}: {n} entries given out more than an hour ago and not acknowledged (of {of})",
        )
        mends = speech.say(
            "su consumidor murió con ellas o no confirma: que lea desde 0, o XAUTOCLAIM",
            "its consumer has died with them or does not acknowledge: have it read from 0, or XAUTOCLAIM",
        )
        yield Problem("group.stale", subject, what, mends)


# -- letters -----------------------------------------------------------------------------------------------------------
def _of_letters(seen: Overview, speech: Speech) -> Iterator[Problem]:
    if seen.n_letters_gone and seen.now_ms - seen.letters_gone_at_ms < _REMEMBERED_MS:
        n = speech.of(seen.n_letters_gone, ("trabajo apartado", "dead letter"), ("trabajos apartados", "dead letters"))
        what = speech.say(f"salieron {n} porque había demasiados", f"{n} went because there were too many")
        yield Problem("letters.trimmed", "dead", what, "factus-worker dead list", seen.letters_gone_at_ms)
    letters = seen.letters
    n_ours = letters.n_operator + letters.n_developers
    if n_ours:
        n = speech.of(n_ours, ("trabajo apartado", "dead letter"), ("trabajos apartados", "dead letters"))
        codes = ", ".join(f"{speech.count(count)} {code or '-'}" for code, count in letters.codes)
        what = speech.say(f"{n} que un operador debe mirar: {codes}", f"{n} that an operator has to look at: {codes}")
        mends = speech.say(
            "factus-worker dead list; corrija la causa y luego dead retry, o dead drop",
            "factus-worker dead list; mend the cause, then dead retry, or dead drop",
        )
        yield Problem("letters.operator", "dead", what, mends)
