"""
What the names of job types, events, lanes and jobs say: they are put together and taken apart here.

A job type is ``family.verb``, an event ``subject.ending``, a lane ``account/queue`` with a family or one of two words
for its queue, and what stands for a job or a batch among those of all accounts ``account/id``. No account has a slash
in its name.
"""

from __future__ import annotations

from typing import Final

ISSUE: Final = "issue"
"""The verb of what issues a document."""
ARCHIVE: Final = "archive"
TRACK: Final = "track"
"""The verbs of what follows a document."""

CALLS_LANE: Final = "calls"
CONTROL_LANE: Final = "control"
"""Of jobs that act on the ledger alone: what holds an account does not hold them (``lib/lanes.lua``)."""
CONTROL: Final = "job"
"""The family of the types in the control lane."""

FOLLOW_UP_MARK: Final = "~"
"""Between the id of a job and what follows it. No producer can write it: a follow-up meets no other job's id."""


def job_type_of(family: str, verb: str) -> str:
    return f"{family}.{verb}"


def family_of(job_type: str) -> str:
    return job_type.partition(".")[0]


def verb_of(job_type: str) -> str:
    return job_type.partition(".")[2]


def issues(job_type: str) -> bool:
    """Whether jobs of a type issue a document."""
    return verb_of(job_type) == ISSUE


def event_type_of(subject: str, ending: str) -> str:
    """What is told of a family or of a job type, by how it ended."""
    return f"{subject}.{ending}"


def ending_of(event_type: str) -> str:
    """What an event says of its subject: ``validated`` of ``invoice.validated``."""
    return event_type.rpartition(".")[2]


def subject_of(event_type: str) -> str:
    """What an event is about: a family, or a job type."""
    return event_type.rpartition(".")[0]


def in_account(account: str, name: str) -> str:
    """A lane by its queue, a job or a batch by its id, among those of all accounts."""
    return f"{account}/{name}"


def account_of(name: str) -> str:
    """Whose a lane or a job is."""
    return name.partition("/")[0]


def within_account(name: str) -> str:
    """The queue of a lane, or the id of a job."""
    return name.partition("/")[2]


def lane_of(account: str, job_type: str) -> str:
    """Where jobs of a type wait: issuing by family, all else in one lane, what needs no Factus in another."""
    if issues(job_type):
        return in_account(account, family_of(job_type))
    return in_account(account, CONTROL_LANE if family_of(job_type) == CONTROL else CALLS_LANE)


def is_calls_lane(lane: str) -> bool:
    """Whether its jobs issue nothing, and ask Factus."""
    return lane.endswith(f"/{CALLS_LANE}")


def is_issuing_lane(lane: str) -> bool:
    """Whether its jobs are documents of one family, issued one at a time."""
    return not lane.endswith((f"/{CALLS_LANE}", f"/{CONTROL_LANE}"))


def follow_up_id(job_id: str, verb: str) -> str:
    """The id of the job that archives or watches the document of an issuing job."""
    return f"{job_id}{FOLLOW_UP_MARK}{verb}"


def followed_id(job_id: str) -> str:
    """The id of the job that a follow-up belongs to; of another job its own."""
    return job_id.partition(FOLLOW_UP_MARK)[0]


def pushable_id(job_id: str) -> str:
    """The id under which a person can push a job again: a follow-up's mark becomes a dot."""
    return job_id.replace(FOLLOW_UP_MARK, ".")
