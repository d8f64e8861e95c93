"""What acts on the ledger alone."""

from __future__ import annotations

from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES, lanes_with_precedence, max_in_flight
from schemas.payload.rules.calls import FAMILY_NAMES


def test_a_cancellation_names_every_family() -> None:
    assert tuple(FAMILIES) == FAMILY_NAMES


def test_control_has_a_lane_of_its_own_behind_nobody() -> None:
    lane = JOB_TYPES["job.cancel"].lane("acme")
    assert lane == "acme/control"
    assert (lanes_with_precedence(lane), max_in_flight(lane, 8)) == ("", 1)
