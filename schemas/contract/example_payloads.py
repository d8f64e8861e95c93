"""
One small valid payload for each job type, as package data: for the contract's document, the demo and tests.

Jobs that take the same payload share a file; the document that such a payload names is then the one that the family's
own example issues, so that the examples of a family tell one story.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from schemas import strict_json

MORE: Final = {"invoice.issue": ("invoice.issue.credit",)}
"""Further examples of a job type, by name."""

_SHARED: Final = {
    "get": "one_document",
    "events": "one_document",
    "email_content": "one_document",
    "email": "email",
    "download": "download",
    "delete": "by_reference",
    "list": "document_list",
    "software": "nothing",
}
_OTHERS: Final = {
    "payroll.list": "payroll_list",
    "payroll_adjustment.list": "payroll_list",
    "company.get": "nothing",
    "subscription.list": "nothing",
}


def example(name: str) -> dict[str, Any]:
    """
    A payload to do with as one likes.

    Args:
        name: A job type, or one of MORE.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    family, _, verb = name.partition(".")
    own = name if _exists(name) else _OTHERS.get(name) or _SHARED.get(verb) or name
    payload: dict[str, Any] = strict_json.parse(_text(own))
    if own != name and "reference_code" in payload:
        payload["reference_code"] = example(f"{family}.issue")["reference_code"]
    return payload


@cache
def _text(name: str) -> str:
    return _file(name).read_text(encoding="utf-8")


def _exists(name: str) -> bool:
    return _file(name).is_file()


def _file(name: str) -> Traversable:
    return resources.files("schemas") / "examples" / f"{name}.json"
