"""What the tests of the intake push, and what they find of it."""

from __future__ import annotations

from tests.builders import a_bill

JOB = {"type": "invoice.issue", "account": "acme"}


def a_job(reference, **envelope):
    return {**JOB, "payload": a_bill(reference_code=reference), **envelope}


async def letters_of(built):
    return [fields for _, fields in await built.redis.xrange(built.keys.dead())]


def seen_in(logs):
    return {entry["event"] for entry in logs}
