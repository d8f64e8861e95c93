"""
A small valid payload for each job type: for the contract's document, the demo and tests.

What is issued has a file in ``schemas/examples``; of the rest the row has it. The document that such a payload names is
the one that the family's own example issues, so that the examples of a family tell one story.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any, Final

from jobs.example_data import ISSUED
from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.names import ISSUE, job_type_of

MORE: Final = {"invoice.issue": ("invoice.issue.credit",)}
"""Further examples of a job type, by name."""


def example(name: str) -> dict[str, Any]:
    """
    A payload to do with as one likes.

    Args:
        name: A job type, or one of MORE.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    row = JOB_TYPES.get(name)
    if row is None or row.example is None:
        document: dict[str, Any] = strict_json.parse(_text(name))
        return document
    payload = deepcopy(dict(row.example))
    if payload.get("reference_code") == ISSUED:
        payload["reference_code"] = example(job_type_of(row.family, ISSUE))["reference_code"]
    return payload


@cache
def _text(name: str) -> str:
    return (resources.files("schemas") / "examples" / f"{name}.json").read_text(encoding="utf-8")
