"""
What a consumer reads: one event of the results or radian stream, and the errors inside it.

The shape is docs/contract.md, section 2. Every field always stands; null where it does not apply.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas import strict_json
from schemas.contract.error_codes import CODES


class ErrorDetail(BaseModel):
    """One reason why something is not as asked. Messages are Spanish, written for an accountant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(description="Closed list: docs/contract.md, section 2", json_schema_extra={"enum": [*CODES]})
    message: str = Field(description="Spanish")
    field: str | None = Field(
        default=None, description="Dotted path in the payload (items.0.price), or envelope. and the envelope's field"
    )
    rule: str | None = Field(default=None, description="Our rule id (GEN-002) or DIAN's (FAJ43b)")
    retryable: bool = Field(
        default=False, description="Whether the same job, pushed again later, may succeed by itself"
    )


class Event(BaseModel):
    """One outcome or notice, as published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="Stable: published again, the event is identical to the letter")
    seq: int | None = Field(ge=1, description="1, 2, 3 ... within the job; null in operator events")
    type: str = Field(description="What happened: invoice.validated, job.refused, account.blocked ...")
    time: datetime = Field(description="RFC 3339 in the account's time zone, milliseconds")
    job_id: str | None = Field(description="The job's id; null in operator events")
    job_type: str | None = Field(description="As pushed; null in operator events, and where it could not be read")
    account: str | None = Field(description="Null only where none could be read")
    reference_code: str | None = Field(description="Of the document; null for jobs without one")
    batch: str | None = Field(description="As pushed")
    metadata: dict[str, Any] = Field(description="As pushed")
    attempts: int | None = Field(
        ge=0,
        description="How often the job's own call was sent; look-ups, tokens, 401, 409, 429 do not count. "
        "Null in operator events",
    )
    success: bool
    message: str = Field(description="For a person, Spanish")
    data: dict[str, Any] | None = Field(
        description="By type; null when success is false, but for operator events and a rejected document with a number"
    )
    errors: tuple[ErrorDetail, ...] | None = Field(description="Never empty when success is false")

    @property
    def place(self) -> int:
        """``seq`` of an event of a job; 0 for an operator event, which has none."""
        return self.seq or 0

    def to_json(self, data: str | None = None) -> str:
        """
        The text that is published. Exact for decimals in metadata; times with milliseconds and offset.

        Args:
            data: The JSON of ``data`` where it is written already: many events may have the same.
        """
        head = strict_json.dump(
            {
                **{name: getattr(self, name) for name in _PLAIN_BEFORE_TIME},
                "time": self.time.isoformat(timespec="milliseconds"),
                **{name: getattr(self, name) for name in _PLAIN_AFTER_TIME},
            }
        )
        body = strict_json.dump(self.data) if data is None else data
        errors = strict_json.dump([error.model_dump() for error in self.errors] if self.errors else None)
        return f'{head[:-1]},"data":{body},"errors":{errors}}}'


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
)


def stream_fields(event: Event, data: str | None = None) -> dict[str, str]:
    """
    The stream entry of an event: its JSON, and the fields by which a consumer filters without parsing.

    Args:
        data: As :meth:`Event.to_json`.
    """
    return {
        "event": event.to_json(data),
        "type": event.type,
        "account": event.account or "",
        "job_id": event.job_id or "",
        "reference_code": event.reference_code or "",
    }
