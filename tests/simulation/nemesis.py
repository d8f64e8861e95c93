"""What goes wrong while a seed runs, and the people around it: who operates, who buys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from sandbox.families.families import FAMILIES
from sandbox.state.accounts import Account
from sandbox.state.store import Document
from tests.simulation import calls
from tests.simulation.bodies import AT_FACTUS
from tests.simulation.history import is_final, kind_of
from tests.simulation.sim import Sim
from tests.simulation.workload import KEPT

_KINDS: Final = ("kill", "kill", "kill", "term", "hang", "server away", "revoke", "unpaid", "product", "refused")
_OURS: Final = {name: family for family, name in AT_FACTUS.items()}
_STEPS: Final = (("030",), ("032",), ("033", "031", "030"))
"""What buyers do, one after the other; the last may come twice."""


class Nemesis:
    """Kills, stops, hangs and outages at instants of the seed's choosing; accounts that Factus shuts for a while."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._shut: list[tuple[float, Account]] = []
        self._n_steps: dict[tuple[str, str], int] = {}
        self._deleting: dict[str, str] = {}
        self._cargo = sim.cargo(0.0, prefix="op", n=2000)

    # -- what goes wrong -------------------------------------------------------------------------------------------
    async def disturb(self, storm_s: float) -> None:
        sim, chance = self._sim, self._sim.chance
        kinds = chance.choices(_KINDS, k=chance.randint(1, 5))
        for at_s in sorted(chance.uniform(0.05, storm_s) for _ in kinds):
            await asyncio.sleep(max(at_s - sim.elapsed_s, 0))
            self._reopen(sim.elapsed_s)
            sim.facts[kinds[-1]] += 1
            await self._one(kinds.pop())
            if len(sim.workers) < 2 and (not sim.workers or chance.random() < 0.7):
                sim.start_worker()
        await asyncio.sleep(max(storm_s - sim.elapsed_s, 0))

    async def _one(self, kind: str) -> None:
        sim, chance, loop = self._sim, self._sim.chance, asyncio.get_running_loop()
        match kind:
            case "kill" | "term":
                await sim.stop_worker(kill=kind == "kill")
            case "hang":
                plug = chance.choice(sim.workers).plug
                plug.hung_until = loop.time() + chance.uniform(1, 8)
                sim.note("worker.hangs", until=plug.hung_until - sim.began_at)
            case "server away":
                sim.network.down_until = loop.time() + chance.uniform(0.2, 7)
                sim.note("server.away", until=sim.network.down_until - sim.began_at)
            case "revoke":
                sim.sandbox.tokens.revoke(chance.choice(sim.names))
            case _:
                self._shut_account(kind)

    def _shut_account(self, kind: str) -> None:
        """402, 403 of some products, or refused credentials, for a while."""
        sim, chance = self._sim, self._sim.chance
        account = sim.side.account(chance.choice(sim.names))
        sim.note(f"account.{kind}", account=account.user)
        match kind:
            case "unpaid":
                account.has_paid = False
            case "product":
                account.forbidden = tuple(
                    chance.sample(["*payrolls.*", "*-notes.create", "bills.create", "*.email", "*.toggle"], 2)
                )
            case _:
                account.is_refused = True
                sim.sandbox.tokens.revoke(account.user)
        self._shut.append((sim.elapsed_s + chance.uniform(0.3, 4), account))

    def _reopen(self, now_s: float) -> None:
        for at_s, account in list(self._shut):
            if at_s <= now_s:
                self._sim.note("account.open", account=account.user)
                account.has_paid, account.forbidden, account.is_refused = True, (), False
                self._shut.remove((at_s, account))

    def recover(self) -> None:
        """The storm is over."""
        self._reopen(float("inf"))

    # -- who operates ----------------------------------------------------------------------------------------------
    async def operate(self) -> None:
        """The person who clears up with Factus, and reopens what was shut."""
        while True:
            await asyncio.sleep(0.5)
            self._reopen(self._sim.elapsed_s)
            await self.clear_up()

    async def clear_up(self) -> None:
        """What rule 90 left behind is asked for at Factus; what was kept is deleted by a job."""
        kept: list[tuple[str, str, Document]] = []
        for account in self._sim.sandbox.accounts.all():
            for family in FAMILIES:
                shelf = account.shelf(family.name)
                for document in shelf.unvalidated():
                    if "90" in document.errors:
                        if time.time() - document.created_at > 3.0:
                            shelf.remove(document)
                    elif document.reference.startswith(KEPT) and document.errors:
                        kept.append((account.user, _OURS[family.name], document))
        if kept:
            await self._delete(kept)

    async def _delete(self, kept: Iterable[tuple[str, str, Document]]) -> None:
        """A delete for each document whose job has ended as rejected; another when the first came to nothing."""
        sim = self._sim
        events = await sim.events()
        ended = {event["job_id"] for event in events if is_final(event)}
        rejected = {event["reference_code"] for event in events if kind_of(event) in ("rejected", "failed")}
        for account, family, document in kept:
            reference = document.reference
            if reference in rejected and self._deleting.get(reference, "") in {"", *ended}:
                push = calls.as_push(self._cargo, 0.0, account, calls.delete(family, reference))
                self._deleting[reference] = push.id
                sim.facts["deletes"] += 1
                await sim.push([push])

    # -- who corrects ----------------------------------------------------------------------------------------------
    async def correct(self) -> None:
        """A producer that sends the corrected document the moment it hears of a rejection."""
        sim, heard = self._sim, set[str]()
        while True:
            await asyncio.sleep(0.05)
            for event in await sim.events():
                reference = event["reference_code"] or ""
                if kind_of(event) == "rejected" and reference not in heard and KEPT not in reference:
                    heard.add(reference)
                    family = event["type"].partition(".")[0]
                    about = {"account": event["account"], "family": family, "reference": reference}
                    await sim.push([self._cargo.document(0.0, **about, what="other document", is_plain=True)])
                    sim.facts["corrected"] += 1

    # -- who buys --------------------------------------------------------------------------------------------------
    async def buy(self) -> None:
        """Buyers act on bills that are watched, at any time."""
        sim, chance = self._sim, self._sim.chance
        while True:
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            tracked = sorted(sim.tracked(await sim.events()))
            if tracked:
                self._step(chance.choice(tracked))

    def _step(self, bill: tuple[str, str]) -> None:
        sim, n = self._sim, self._n_steps.get(bill, 0)
        account, reference = bill
        if n < len(_STEPS) and reference in sim.side.open_bills(account):
            self._n_steps[bill] = n + 1
            code = sim.chance.choice(_STEPS[n])
            # Some goods were received long ago: then the bill is due when that shows.
            sim.side.event(account, reference, code, sim.chance.choice([0.0, 9.0]) if code == "032" else 0.0)
            sim.facts["buyers' events"] += 1

    def accept_all(self, tracked: Iterable[tuple[str, str]]) -> bool:
        """An end for each watched bill that has none yet; whether there was one."""
        found = False
        for account, reference in sorted(tracked):
            if reference in self._sim.side.open_bills(account):
                self._sim.side.event(account, reference, "033")
                found = True
        return found
