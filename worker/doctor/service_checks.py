"""
What Redis tells of the service: accounts, workers, streams, signed jobs, webhooks. Pure.

The words are those of the one list of problems (``worker/status/problems.py``): ``status`` says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.names import account_of
from worker.doctor.checks import Check, skipped
from worker.settings.account import Account
from worker.speech import Speech, span
from worker.status.facts import Overview
from worker.status.problems import Problem

_OF_PROBLEM: Final = {
    "account": "accounts", "lane": "accounts", "type": "accounts", "workers": "workers", "worker": "workers",
    "intake": "intake", "group": "intake", "redis": "intake", "webhooks": "webhooks", "webhook": "webhooks",
    "jobs": "jobs.keys",
}  # fmt: skip
"""Which check tells of a problem, by what stands before its id's dot. Dead letters are the matter of ``status``."""

OF_SERVICE: Final = ("workers", "intake")


@dataclass(frozen=True, slots=True)
class Signing:
    """Whether jobs are signed, and by whose keys. ``fault`` says why the files cannot be used."""

    is_on: bool = False
    n_keys: int = 0
    private: tuple[str, ...] = ()
    """Keys that stand there with what signs."""
    unbounded: tuple[str, ...] = ()
    """Keys of HS256, which sign as well as check, that do not say who signs with them, and for what."""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class WebhookFile:
    """The operator's file of endpoints. ``is_set``: there is one; ``fault`` says why it cannot be used."""

    is_set: bool = False
    n_endpoints: int = 0
    fault: str = ""


def of_problems(found: Iterable[Problem], account: str | None) -> dict[str, list[Check]]:
    """
    Problems as checks, by the check's id.

    Args:
        account: Only what concerns this one, where a problem is one account's.
    """
    checks: dict[str, list[Check]] = {}
    for one in found:
        id_ = "jobs.keys" if one.id == "workers.signing" else _OF_PROBLEM.get(one.id.partition(".")[0], "")
        if one.id == "redis.writes":
            continue  # told by the checks of Redis itself
        is_anothers = id_ == "accounts" and account is not None and account_of(one.subject) != account
        if id_ and not is_anothers:
            told = f"{one.what} [{one.holder}]" if one.holder else one.what
            checks.setdefault(id_, []).append(Check(id_, one.severity, one.subject, told, one.mend))
    return checks


def account_checks(
    accounts: Mapping[str, Account] | None, fault: str, problems: Sequence[Check], why_unseen: str, speech: Speech
) -> list[Check]:
    """
    Each account, or what holds it.

    Args:
        accounts: None where they cannot be read; *fault* says why.
        problems: Those of accounts and their lanes.
        why_unseen: Why Redis could not be asked whether something holds them; empty when it was.
    """
    say = speech.say
    if accounts is None:
        mend = say("corrija ese valor o archivo", "mend that value or file")
        return [Check("accounts", "failure", "FACTUS_ACCOUNTS_FILE", fault, mend)]
    if not accounts:
        return [
            Check(
                "accounts", "failure", "-", say("no hay credenciales de Factus", "no credentials of Factus"),
                say("ponga FACTUS_CLIENT_ID, FACTUS_CLIENT_SECRET, FACTUS_USERNAME y FACTUS_PASSWORD, o "
                    "FACTUS_ACCOUNTS_FILE",
                    "set FACTUS_CLIENT_ID, FACTUS_CLIENT_SECRET, FACTUS_USERNAME and FACTUS_PASSWORD, or "
                    "FACTUS_ACCOUNTS_FILE"),
            ), *problems,
        ]  # fmt: skip
    troubled = {account_of(one.subject) for one in problems}
    found = list(problems)
    for name, account in accounts.items():
        if name in troubled:
            continue
        window = span(account.rate_window)
        told = f"{account.environment} ({account.base_url}), " + say(
            f"{account.rate_limit} solicitudes en {window}", f"{account.rate_limit} calls in {window}"
        )
        if why_unseen:
            told += say(f"; no se pudo ver si algo la detiene: {why_unseen}",
                        f"; whether something holds it could not be seen: {why_unseen}")  # fmt: skip
        found.append(Check("accounts", "ok", name, told))
    return found


def worker_checks(
    seen: Overview, accounts: Mapping[str, Account], problems: Sequence[Check], speech: Speech
) -> list[Check]:
    """The running workers."""
    say, found = speech.say, list(problems)
    versions = sorted({worker.version for worker in seen.workers})
    if len(versions) > 1:
        names = ", ".join(versions)
        what = say(f"versiones distintas: {names}", f"different versions: {names}")
        mend = say("termine la actualización: reinicie los que faltan", "finish the upgrade: restart what is left")
        found.append(Check("workers", "warning", "workers", what, mend))
    served = {name for worker in seen.workers for name in worker.accounts}
    unserved = say(
        "ningún trabajador en marcha la atiende, y está configurada aquí",
        "no running worker serves it, and it is configured here",
    )
    restart = say("reinicie los trabajadores con esta configuración", "restart the workers with this configuration")
    left = sorted(accounts.keys() - served) if seen.workers else []
    found += [Check("workers", "warning", name, unserved, restart) for name in left]
    if found:
        return found
    if not seen.workers:
        return skipped(["workers"], "workers", _silence(speech))
    n = speech.of(len(seen.workers), ("trabajador", "worker"), ("trabajadores", "workers"))
    names = ", ".join(f"{worker.id} ({worker.version})" for worker in seen.workers)
    return [Check("workers", "ok", "workers", f"{n}: {names}")]


def _silence(speech: Speech) -> str:
    return speech.say(
        "Redis no acepta escrituras, y nadie puede dar señal de vida",
        "Redis takes no writes, and nobody can give a sign of life",
    )


def intake_checks(seen: Overview, problems: Sequence[Check], speech: Speech) -> list[Check]:
    """The streams of jobs, and the groups that read the results."""
    if problems:
        return list(problems)
    n_pushed = sum(one.n_pushed for one in seen.intakes)
    pushed = speech.say(f"{speech.count(n_pushed)} por recibir", f"{speech.count(n_pushed)} not taken in")
    groups = speech.of(len(seen.groups), ("grupo al día", "group up to date"), ("grupos al día", "groups up to date"))
    if seen.workers and not seen.intake_leader:
        told = speech.say(f"{pushed}; nadie recibe ahora", f"{pushed}; nobody takes in just now")
        mend = speech.say("si sigue así, reinicie los trabajadores", "if it stays so, restart the workers")
        return [Check("intake", "warning", "intake", told, mend)]
    by = (
        speech.say(f"; recibe {seen.intake_leader}", f"; taken in by {seen.intake_leader}")
        if seen.intake_leader
        else ""
    )
    return [Check("intake", "ok", "intake", f"{pushed}{by}; {groups}")]


def signing_checks(signing: Signing, problems: Sequence[Check], speech: Speech) -> list[Check]:
    """Whether jobs are signed, by which keys, and whether all workers agree."""
    say, found = speech.say, list(problems)
    if signing.fault:
        mend = say("corrija el archivo; hasta entonces ningún trabajador arranca",
                   "mend the file; until then no worker starts")  # fmt: skip
        return [Check("jobs.keys", "failure", "FACTUS_JOBS_KEYS", signing.fault, mend), *found]
    if signing.private:
        names = ", ".join(signing.private)
        found.append(Check("jobs.keys", "warning", "FACTUS_JOBS_KEYS",
                           say(f"llaves con su parte privada: {names}; quien lea el archivo puede firmar",
                               f"keys with their private part: {names}; whoever reads the file can sign"),
                           say("deje en él solo las públicas (lo que imprime token key new)",
                               "keep the public ones in it only (what token key new prints)")))  # fmt: skip
    if signing.unbounded:
        names = ", ".join(signing.unbounded)
        found.append(Check("jobs.keys", "warning", "FACTUS_JOBS_KEYS",
                           say(f"llaves HS256 sin límites: {names}; quien tenga una puede firmar lo de cualquiera",
                               f"HS256 keys without bounds: {names}; whoever has one can sign what is anybody's"),
                           say("dé a cada una factus_iss, factus_accounts y factus_types, o use EdDSA",
                               "give each factus_iss, factus_accounts and factus_types, or use EdDSA")))  # fmt: skip
    if found:
        return found
    if not signing.is_on:
        why = say("los trabajos no van firmados (FACTUS_JOBS_SIGNED)", "jobs are not signed (FACTUS_JOBS_SIGNED)")
        return skipped(["jobs.keys"], "FACTUS_JOBS_SIGNED", why)
    return [
        Check("jobs.keys", "ok", "FACTUS_JOBS_KEYS", speech.of(signing.n_keys, ("llave", "key"), ("llaves", "keys")))
    ]


def webhook_checks(file: WebhookFile, seen: Overview | None, problems: Sequence[Check], speech: Speech) -> list[Check]:
    """The file of endpoints, who delivers, and how the endpoints are."""
    say, found = speech.say, list(problems)
    if file.fault:
        mend = say("corrija el archivo; hasta entonces no se toma", "mend the file; until then it is not taken")
        return [Check("webhooks", "failure", "FACTUS_WEBHOOKS_FILE", file.fault, mend), *found]
    if found:
        return found
    n_seen = len(seen.endpoints) if seen else 0
    if not file.is_set and not n_seen:
        why = say("no se usan (FACTUS_WEBHOOKS_FILE)", "not used (FACTUS_WEBHOOKS_FILE)")
        return skipped(["webhooks"], "FACTUS_WEBHOOKS_FILE", why)
    n = speech.of(file.n_endpoints or n_seen, ("dirección", "endpoint"), ("direcciones", "endpoints"))
    if seen is None or seen.n_delivering is None:
        told = say(
            f"{n}; este usuario de Redis no puede ver cómo van", f"{n}; this user of Redis may not see how they are"
        )
        return [Check("webhooks", "ok", "webhooks", told)]
    if not seen.n_delivering and seen.writes_refused is not None:
        return skipped(["webhooks"], "webhooks", _silence(speech))
    if not seen.n_delivering:
        told = say(f"{n}, y ningún proceso entrega", f"{n}, and no process delivers")
        mend = say("inicie uno: factus-worker webhooks", "start one: factus-worker webhooks")
        return [Check("webhooks", "failure", "webhooks", told, mend)]
    processes = speech.of(seen.n_delivering, ("proceso", "process"), ("procesos", "processes"))
    return [Check("webhooks", "ok", "webhooks", say(f"{n}, {processes} que entrega", f"{n}, {processes} delivering"))]
