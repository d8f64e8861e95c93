"""
The phases of a seed: a storm in which jobs are pushed and everything goes wrong, the calm after it, and what is
pushed when all is quiet.
"""

from __future__ import annotations

import asyncio

from tests.simulation.after_storm_workload import sequel
from tests.simulation.calls import a_call
from tests.simulation.history import expected_jobs, is_final
from tests.simulation.nemesis import Nemesis
from tests.simulation.report import Story
from tests.simulation.sim import STORM_S, Sim


async def play(sim: Sim) -> Story:
    """Everything, from the first worker to the verdict."""
    sim.began_at = asyncio.get_running_loop().time()
    options = sim.options
    pushes = sim.cargo(STORM_S * 0.7).make(options.n_jobs, a_call)
    sim.network.cut_share = options.cut_share
    sim.network.refuse_share = options.refuse_share
    sim.network.spoil_share = options.spoil_share
    for _ in range(options.n_workers):
        sim.start_worker()
    troubles = Nemesis(sim)
    people = [asyncio.create_task(body) for body in (troubles.operate(), troubles.buy(), troubles.correct())]
    storm = asyncio.create_task(troubles.disturb(STORM_S))
    await sim.push(pushes)
    await storm
    for one in people:
        one.cancel()
    _calm(sim, troubles)
    is_quiet = await _until_quiet(sim, troubles)
    if is_quiet:
        later = sim.cargo(0.0, prefix="again", n=1000)
        await sim.push(sequel(sim, later, await sim.events()))
        is_quiet = await _until_quiet(sim, troubles)
    story = await sim.close(is_quiet)
    story.virtual_s = sim.elapsed_s
    return story


def _calm(sim: Sim, troubles: Nemesis) -> None:
    sim.note("calm")
    sim.network.calm()
    sim.storage.calm()
    sim.sandbox.plan.clear()
    sim.sandbox.dian.come_up()
    troubles.recover()
    if not sim.workers:
        sim.start_worker()


async def _until_quiet(sim: Sim, troubles: Nemesis) -> bool:
    """Until each job has its final event and nothing is under way; False when that did not come in time."""
    gives_up_at = sim.elapsed_s + sim.pace.quiet_s
    while sim.elapsed_s < gives_up_at:
        await troubles.clear_up()
        events = await sim.events()
        done = {event["job_id"] for event in events if is_final(event)}
        # Bills that are watched get their last event: from then on nobody may watch them any more.
        is_watched = troubles.accept_all(sim.tracked(events))
        busy = await sim.driver.zcard(sim.keys.arq_queue()) or await sim.driver.scard(sim.keys.lanes())
        waiting = sum([await sim.driver.xlen(sim.keys.jobs(owner)) for owner in ("", *sim.own_streams)])
        if set(expected_jobs(sim.pushes)) <= done and not (busy or waiting or is_watched):
            return True
        await asyncio.sleep(0.25)
    return False
