"""A call to Factus that is not about issuing, as data: what is asked, and how the answer may be had again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart form."""

    field: str
    file_name: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call. ``path`` starts with a slash and is encoded; ``body`` goes out as JSON."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    params: Mapping[str, str] = field(default_factory=lambda: _NONE)
    body: Mapping[str, Any] | None = None
    upload: Upload | None = None


def get(path: str, params: Mapping[str, str] = _NONE) -> Request:
    """A read: it may be asked as often as wanted."""
    return Request("GET", path, params)
