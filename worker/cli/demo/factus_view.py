"""
The other side of the demo: what the local Factus saw, and RADIAN events that a buyer would send.

Its control routes need no token and count in no limit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

from jobs.errors import ServiceError
from jobs.families import FAMILIES, Family
from worker.cli.demo.stage import ACCOUNTS, user_of

Key: TypeAlias = tuple[str, str, str]
"""Account, family, reference."""

Seen: TypeAlias = tuple[str, Decimal | None]
"""Number, and total where the family has one."""

_NONE_OF: Final = ("duplicate_references", "refused", "conflicts", "rate_limited", "forbidden_deletes")


@dataclass(frozen=True, slots=True)
class FactusSaw:
    """The sandbox's own record, over both accounts."""

    totals: Mapping[str, int]
    documents: Mapping[Key, Seen]
    """Every validated document."""
    n_calls: Mapping[str, int]
    """Requests of each account, tokens included."""


async def what_factus_saw(base_url: str) -> FactusSaw:
    """Ask the sandbox for its report and its documents."""
    return await asyncio.to_thread(_what_factus_saw, base_url)


async def send_radian_event(base_url: str, account: str, reference: str, code: str) -> None:
    """What the buyer of a bill does: acknowledge, receive, accept."""
    body = {"account": user_of(account), "reference": reference, "event_code": code}
    await asyncio.to_thread(_ask, base_url, "POST", "/_sandbox/events", body)


def _what_factus_saw(base_url: str) -> FactusSaw:
    report = _ask(base_url, "GET", "/_sandbox/report")
    documents: dict[Key, Seen] = {}
    for account in ACCOUNTS:
        for family in FAMILIES.values():
            path = f"/_sandbox/documents?account={quote(user_of(account))}&family={_name(family)}&state=validated"
            for found in _ask(base_url, "GET", path):
                total = Decimal(found["total"]) if family.total else None
                documents[account, family.name, found["reference_code"]] = (found["number"], total)
    n_calls = {account: sum(report["accounts"][user_of(account)]["requests"].values()) for account in ACCOUNTS}
    return FactusSaw(report["totals"], documents, n_calls)


def _name(family: Family) -> str:
    """What the sandbox calls a family: the last part of its path."""
    return family.collection.rpartition("/")[2]


def differences(told: Mapping[Key, Seen], saw: FactusSaw) -> list[str]:
    """Where Factus saw something else than the service has told, and what it should never have seen."""
    found = []
    for key in sorted(told.keys() | saw.documents.keys()):
        ours, theirs = told.get(key), saw.documents.get(key)
        if ours != theirs:
            found.append(f"{'/'.join(key)}: we say {_words(ours)}, Factus has {_words(theirs)}")
    found += [f"Factus counts {saw.totals[name]} {name}" for name in _NONE_OF if saw.totals[name]]
    if saw.totals["stored"] != len(told):
        found.append(f"Factus stored {saw.totals['stored']} documents, we say {len(told)}")
    return found


def _words(seen: Seen | None) -> str:
    return "nothing" if seen is None else f"{seen[0]} of {seen[1]}" if seen[1] is not None else seen[0]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One family: what was told, and what Factus has. Totals are None for a family without."""

    family: str
    n_told: int
    n_seen: int
    told_total: Decimal | None
    seen_total: Decimal | None
    agrees: bool


def agreements(told: Mapping[Key, Seen], saw: FactusSaw) -> list[Agreement]:
    """Every family, in the order of the contract."""
    return [_agreement(family, told, saw.documents) for family in FAMILIES]


def _agreement(family: str, told: Mapping[Key, Seen], seen: Mapping[Key, Seen]) -> Agreement:
    ours = {key: value for key, value in told.items() if key[1] == family}
    theirs = {key: value for key, value in seen.items() if key[1] == family}
    return Agreement(family, len(ours), len(theirs), _total(ours.values()), _total(theirs.values()), ours == theirs)


def _total(seen: Iterable[Seen]) -> Decimal | None:
    totals = [total for _, total in seen if total is not None]
    return sum(totals, Decimal(0)) if totals else None


def _ask(base_url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise ServiceError(f"The sandbox answered {answer.status} to {path}")
        return json.loads(told)
    except (OSError, HTTPException) as exc:
        raise ServiceError(f"The sandbox does not answer: {exc}") from exc
    finally:
        connection.close()
