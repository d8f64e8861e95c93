"""The jobs of a simulation that issue nothing. Each that changes something at Factus has a target of its own."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation.bodies import AT_FACTUS, KINDS
from tests.simulation.radian_times import PERSON
from tests.simulation.workload import Push, Workload

_MAILED: Final = ("invoice", "invoice", "credit_note", "debit_note")
_STOCKED: Final = ("invoice", "invoice", "support_document", "payroll")
_DIGITS: Final = string.digits + string.ascii_uppercase

ALWAYS_COMPLETED: Final = frozenset({"get", "list", "download", "events", "set_status", "search", "accept"})
MAY_BE_UNSURE: Final = frozenset({"email", "emit_event"})
"""Verbs whose job ends as failed when nobody knows whether it was done."""


@dataclass(frozen=True)
class Call:
    """What a job asks for; ``target`` as :class:`~tests.simulation.workload.Push` has it."""

    type: str
    payload: Mapping[str, Any]
    target: str = ""
    reference: str = ""
    archives: frozenset[str] = frozenset()


def a_call(cargo: Workload, at_s: float) -> Push:
    """A call of any kind, about what stood at Factus before or about what this run pushes."""
    make = cargo.chance.choice(_MAKERS)
    account = cargo.account()
    return as_push(cargo, at_s, account, make(cargo, account))


def as_push(cargo: Workload, at_s: float, account: str, call: Call) -> Push:
    envelope: dict[str, Any] = {
        "id": f"{cargo.prefix}call-{cargo.next_n()}",
        "type": call.type,
        "account": account,
        "payload": call.payload,
    }
    if cargo.chance.random() < 0.4:
        envelope["priority"] = cargo.chance.choice(["high", "low", "low"])
    return Push(
        raw=json.dumps(envelope).encode(),
        at_s=at_s,
        what="call",
        account=account,
        id=envelope["id"],
        reference=call.reference,
        content=json.dumps(envelope, sort_keys=True),
        type=call.type,
        owner=cargo.owner_of(account),
        archives=call.archives,
        target=call.target,
    )


def delete(family: str, reference: str) -> Call:
    return Call(f"{family}.delete", {"reference_code": reference}, reference=reference)


def _get(cargo: Workload, account: str) -> Call:
    family = cargo.chance.choice(_STOCKED)
    return Call(f"{family}.get", {"number": cargo.known(account, family).number})


def _get_pushed(cargo: Workload, account: str) -> Call:
    pushed = _pushed(cargo, account)
    if pushed is None:
        return _get(cargo, account)
    return Call(f"{pushed.family}.get", {"reference_code": pushed.reference}, reference=pushed.reference)


def _list(cargo: Workload, account: str) -> Call:
    family = cargo.chance.choice(list(AT_FACTUS))
    payload: dict[str, Any] = {"all": cargo.chance.random() < 0.7}
    if not family.startswith("payroll"):
        payload["filters"] = {"per_page": cargo.chance.choice([1, 3, 50])}
    return Call(f"{family}.list", payload)


def _email(cargo: Workload, account: str) -> Call:
    family = cargo.chance.choice(_MAILED)
    known = cargo.known(account, family)
    named = {"number": known.number} if cargo.chance.random() < 0.6 else {"reference_code": known.reference}
    return Call(f"{family}.email", {**named, "email": "compras@empresa.example"}, target=known.number)


def _download(cargo: Workload, account: str) -> Call:
    family = cargo.chance.choice(_STOCKED)
    known = cargo.known(account, family)
    kinds = cargo.chance.sample(sorted(KINDS[family]), cargo.chance.randint(1, 2))
    return Call(
        f"{family}.download", {"number": known.number, "kinds": kinds}, target=known.number, archives=frozenset(kinds)
    )


def _delete(cargo: Workload, account: str) -> Call:
    """Of a valid document, or of one that is under way: neither may go by it."""
    pushed = _pushed(cargo, account)
    if pushed is not None and cargo.chance.random() < 0.7:
        return delete(pushed.family, pushed.reference)
    return delete("invoice", cargo.known(account, "invoice").reference)


def _accept(cargo: Workload, account: str) -> Call:
    known = cargo.known(account, "invoice", on_credit=True)
    cargo.side.event(account, known.reference, "030")
    cargo.side.event(account, known.reference, "032")
    return Call("invoice.accept", {"number": known.number, **PERSON}, target=f"{known.number}/034")


def _emit(cargo: Workload, account: str) -> Call:
    cufe = random.Random(cargo.next_n()).randbytes(48).hex()
    bill = cargo.side.receive(account, cufe)
    return Call("reception.emit_event", {"bill_id": str(bill), "event_type": "030", **PERSON}, target=f"{bill}/030")


def _set_status(cargo: Workload, account: str) -> Call:
    found = cargo.side.add_range(account, _prefix(cargo.next_n()))
    return Call("numbering_range.set_status", {"numbering_range_id": str(found), "is_active": True}, target=str(found))


def _prefix(n: int) -> str:
    """Three digits of base 36 behind a letter: all that a prefix has room for."""
    return "Z" + "".join(_DIGITS[n // 36**place % 36] for place in (2, 1, 0))


def _search(cargo: Workload, account: str) -> Call:
    return Call("catalog.search", {"catalog": "municipalities", "query": "bogota"})


def _pushed(cargo: Workload, account: str) -> Push | None:
    mine = [push for push in cargo.made[-50:] if push.what == "document" and push.account == account]
    return cargo.chance.choice(mine) if mine else None


_MAKERS: Final[tuple[Callable[[Workload, str], Call], ...]] = (
    *(_get, _get_pushed, _list, _list, _email, _email, _email, _download, _download),
    *(_delete, _accept, _accept, _emit, _emit, _set_status, _set_status, _search),
)
