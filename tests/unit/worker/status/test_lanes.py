"""Why a lane stands, and how long its backlog will take."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import WaitReason
from tests.unit.worker.status.snapshots import ACCOUNT, CALLS, LANE, NOW, UTC
from worker import store
from worker.speech import ENGLISH
from worker.status.facts import (
    AccountSeen,
    Hold,
    LaneSeen,
    backlog_s,
    with_backlog,
)
from worker.status.state_words import lane_words


def test_backlog_counts_the_hold_and_what_the_allowance_has_not_left() -> None:
    used = replace(ACCOUNT, n_used=80)
    assert backlog_s(0, used, None, NOW) == 0
    assert backlog_s(160, used, None, NOW) == 120
    assert backlog_s(160, ACCOUNT, None, NOW) == 60
    assert backlog_s(80, ACCOUNT, Hold("x", NOW + 30_000), NOW) == 30


def test_backlogs_share_one_allowance() -> None:
    """Families take turns; calls stand behind all documents."""
    bills, notes = replace(LANE, n_waiting=100), replace(LANE, name="acme/credit_note", n_waiting=20)
    calls, other = replace(CALLS, n_waiting=10), replace(LANE, name="own/invoice", account="own", n_waiting=500)
    used = replace(ACCOUNT, n_used=80, limit=60)
    lanes = (bills, notes, calls, other)
    told = [with_backlog(lane, lanes, used, NOW) for lane in (bills, notes, calls)]
    assert [(lane.backlog_s, lane.n_ahead) for lane in told] == [(120, 0), (40, 0), (130, 120)]
    held = replace(bills, hold=Hold("factus.conflict", NOW + 60_000))
    assert with_backlog(calls, (held, notes, calls), used, NOW).n_ahead == 20
    assert with_backlog(replace(calls, n_waiting=0), lanes, used, NOW).backlog_s == 0


@pytest.mark.parametrize(
    ("lane", "account", "words"),
    [
        (replace(LANE, wait_reason=WaitReason.NOTHING), ACCOUNT, ""),
        (LANE, ACCOUNT, "one at a time"),
        (replace(LANE, hold=Hold("factus.conflict", NOW + 1)), ACCOUNT, "blocks the family"),
        (LANE, replace(ACCOUNT, hold=Hold("factus.denied", NOW + 1)), "its account is on hold"),
        (replace(LANE, n_waiting=0), replace(ACCOUNT, hold=Hold("factus.denied", NOW + 1)), ""),
        (
            replace(LANE, wait_reason=WaitReason.ALLOWANCE, next_look_ms=NOW + 5),
            replace(ACCOUNT, n_used=80),
            "80 of 80 calls",
        ),
        (replace(CALLS, n_ahead=1), ACCOUNT, "behind issuing: 1 document ahead"),
        (CALLS, ACCOUNT, "a quarter of the allowance"),
        (replace(CALLS, wait_reason=WaitReason.PROBE), ACCOUNT, "a single attempt asks"),
        (replace(CALLS, wait_reason=WaitReason.WIDTH), ACCOUNT, "as many are under way"),
        (replace(LANE, width=3), ACCOUNT, "as many are under way"),
    ],
)
def test_a_lane_that_stands_says_why(lane: LaneSeen, account: AccountSeen, words: str) -> None:
    told = lane_words(lane, account, NOW, UTC, ENGLISH)
    assert (words in told) if words else told == ""


def test_a_word_of_a_newer_version_is_no_reason_that_is_told() -> None:
    lane = replace(LANE, wait_reason=WaitReason.read("tide"))
    assert (lane.wait_reason, lane_words(lane, ACCOUNT, NOW, UTC, ENGLISH)) == (WaitReason.NOTHING, "")


def test_the_reasons_are_those_that_the_script_stores() -> None:
    script = (Path(store.__file__).parent / "lua" / "lib" / "lanes.lua").read_text()
    assert {*re.findall(r"(?:stop\(lane, |return )'([a-z]*)'", script)} == {*WaitReason}
