"""
What a consumer reads: one event of the results or radian stream, and the errors inside it.

The shape is docs/contract.md, section 2. Every field always stands; null where it does not apply.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas import strict_json


class ErrorDetail(BaseModel):
    """One reason why something is not as asked. Messages are Spanish, written for an accountant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(description="Closed list: docs/contract.md, section 2 (payload.invalid, factus.validation ...)")
    message: str
    field: str | None = Field(
        default=None, description="Dotted path in the payload (items.0.price), or envelope. and the envelope's field"
    )
    rule: str | None = Field(default=None, description="Our rule id (GEN-002) or DIAN's (FAJ43b)")
    retryable: bool = False


class Event(BaseModel):
    """One outcome or notice, as published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    seq: int = Field(ge=1, description="1, 2, 3 ... within the job")
    type: str
    time: datetime
    job_id: str | None
    job_type: str | None
    account: str | None
    reference_code: str | None
    batch: str | None
    metadata: dict[str, Any]
    attempts: int = Field(ge=0)
    success: bool
    message: str
    data: dict[str, Any] | None
    errors: tuple[ErrorDetail, ...] | None

    def to_json(self) -> str:
        """The text that is published. Exact for decimals in metadata; times with milliseconds and offset."""
        return strict_json.dump(
            {
                **{name: getattr(self, name) for name in _PLAIN_BEFORE_TIME},
                "time": self.time.isoformat(timespec="milliseconds"),
                **{name: getattr(self, name) for name in _PLAIN_AFTER_TIME},
                "errors": [error.model_dump() for error in self.errors] if self.errors else None,
            }
        )


_PLAIN_BEFORE_TIME: Final = ("id", "seq", "type")
_PLAIN_AFTER_TIME: Final = (
    "job_id",
    "job_type",
    "account",
    "reference_code",
    "batch",
    "metadata",
    "attempts",
    "success",
    "message",
    "data",
)


def stream_fields(event: Event) -> dict[str, str]:
    """The stream entry of an event: its JSON, and the fields by which a consumer filters without parsing."""
    return {
        "event": event.to_json(),
        "type": event.type,
        "account": event.account or "",
        "job_id": event.job_id or "",
        "reference_code": event.reference_code or "",
    }
