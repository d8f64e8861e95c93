"""What ``status`` says of RADIAN's clock: of one bill by the record of its watch, of all by the set of their dates."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta

import pytest
from arq.connections import ArqRedis

from jobs.radian.clock import Clock
from jobs.radian.state import ClockState
from jobs.radian_policy import RadianPolicy, ms
from schemas.factus import BOGOTA
from tests.records import a_job
from tests.unit.jobs.radian.lives import bogota, event
from worker.speech import ENGLISH, SPANISH
from worker.status.explain_clock import clock_of
from worker.status.reader import StatusReader
from worker.store.keys import Keys

RECEIVED = bogota("2026-07-09T16:00")


def watched(*codes: str, at: str, refusal: str = "") -> str:
    """The progress of a watch after a look."""
    clock = Clock(RadianPolicy(), ms(bogota("2026-07-08T09:00")), emits=True)
    seen = tuple(event(code, RECEIVED) for code in codes)
    state, _ = clock.after_look(ClockState("SETP1"), seen, ms(bogota(at)))
    if refusal:
        state = clock.after_send(state, ms(bogota(at)), refusal, refusal)
    return state.to_json()


def test_a_bill_that_was_received_has_its_dates():
    facts, words = clock_of(a_job(progress=watched("032", at="2026-07-10T10:00")), BOGOTA, SPANISH)
    assert facts is not None
    assert facts["claim_until"] == "2026-07-15T18:00:00.000-05:00"
    assert facts["accepts_from"] == "2026-07-16T00:00:00.000-05:00"
    assert (facts["due_at"], facts["last_word"], facts["n_sent"]) == (None, None, 0)
    assert words[1:] == (
        "el comprador puede reclamar hasta 2026-07-15 18:00:00 -05:00",
        "aceptación tácita (034) desde el 2026-07-16",
    )


def test_what_is_due_was_sent_and_was_refused_is_told():
    progress = watched("032", at="2026-07-16T08:00", refusal="Factus no registra la aceptación tácita (034): x")
    facts, words = clock_of(a_job(progress=progress), BOGOTA, ENGLISH)
    assert facts is not None
    assert (facts["due_at"], facts["n_sent"]) == ("2026-07-16T08:00:00.000-05:00", 1)
    assert words[3].startswith("the term is over, told (radian.due) at 2026-07-16 08:00:00")
    assert words[4].startswith("034 sent (1), last at 2026-07-16 08:00:00")
    assert words[5] == "Factus no registra la aceptación tácita (034): x"


def test_a_bill_that_was_not_received_says_so():
    _, words = clock_of(a_job(progress=watched("030", at="2026-07-20T08:00")), BOGOTA, SPANISH)
    assert words[0] == "sin recibo de la mercancía (032) todavía"
    assert words[1].startswith("se avisó de ello (radian.silent) 2026-07-20")


@pytest.mark.parametrize("progress", ["", "{", "[]", '{"seen": 5}', '{"sends": [5]}', '{"received": "x"}', "{}"])
def test_a_record_that_says_nothing_or_is_damaged_is_no_reason_to_fail(progress):
    assert clock_of(a_job(progress=progress), BOGOTA, SPANISH) == (None, ())


async def test_what_is_due_is_counted_by_days_of_bogota(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    midnight = datetime.fromtimestamp(time.time(), BOGOTA).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"a": -3, "b": 0, "c": 0, "d": 1, "e": 2}
    await fake_redis.zadd(keys.terms(), {name: ms(midnight + timedelta(days=n)) for name, n in days.items()})
    reader = StatusReader(fake_redis, keys, {}, limit=80, window_s=60.0, results_maxlen=100)
    seen = (await reader.overview()).radian
    assert (seen.due_today, seen.due_tomorrow, seen.due_before) == (2, 1, 1)


async def test_a_set_of_another_kind_is_told_and_counts_nothing(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    await fake_redis.set(keys.terms(), json.dumps("x"))
    reader = StatusReader(fake_redis, keys, {}, limit=80, window_s=60.0, results_maxlen=100)
    seen = await reader.overview()
    assert seen.radian.due_today == 0
    assert keys.terms() in seen.damaged
