"""
The closed list of error codes, what each means to a consumer, and who has to act (docs/contract.md, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Actor = Literal["producer", "operator", "developers", "nobody"]
EndsAs = Literal["refused", "rejected", "failed", "warning", "notice"]


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """
    One code.

    ``ends_as`` says where it stands: in ``job.refused``, ``X.rejected``, ``X.failed``, in the ``warnings`` of a
    validated document, or in an operator event.
    """

    code: str
    when: str
    ends_as: tuple[EndsAs, ...]
    acts: Actor


ERROR_CODES: Final = (
    ErrorCode("envelope.invalid", "Not JSON, unknown type, bad field", ("refused",), "producer"),
    ErrorCode("id.conflict", "The id was used for a job of other content", ("refused",), "producer"),
    ErrorCode(
        "reference.conflict",
        "The reference code is another document's: of one known here (refused), or of one that Factus holds (failed)",
        ("refused", "failed"),
        "producer",
    ),
    ErrorCode("auth.denied", "The stream belongs to another account", ("refused",), "producer"),
    ErrorCode("account.unknown", "The service has no credentials for the account", ("refused",), "operator"),
    ErrorCode("payload.invalid", "Breaks a documented rule; `rule` is our rule id", ("refused",), "producer"),
    ErrorCode(
        "payload.unconvertible",
        "A body of version 1 that version 2 cannot say, or that names an id of no table; `field` is its field",
        ("refused",),
        "producer",
    ),
    ErrorCode(
        "radian.accepted",
        "A note about an invoice that has been accepted (033 or 034), without `options.after_acceptance`",
        ("refused",),
        "producer",
    ),
    ErrorCode("factus.validation", "Factus refused the content (400, 422)", ("rejected", "failed"), "producer"),
    ErrorCode("dian.rejected", "DIAN refused the document; `rule` is its rule", ("rejected", "notice"), "producer"),
    ErrorCode("dian.processed", "DIAN's rule 90, and Factus shows no validated document", ("failed",), "operator"),
    ErrorCode(
        "factus.conflict",
        "409 that could not be resolved in time (of a call: at once), a document that may not be deleted, or a "
        "rejected one to download",
        ("failed", "notice"),
        "operator",
    ),
    ErrorCode("factus.not_found", "404", ("failed",), "producer"),
    ErrorCode("factus.denied", "403, still so when the job's time was up", ("failed", "notice"), "operator"),
    ErrorCode("factus.payment_required", "402, still so when the job's time was up", ("failed", "notice"), "operator"),
    ErrorCode(
        "factus.credentials", "Token refused, still so when the job's time was up", ("failed", "notice"), "operator"
    ),
    ErrorCode(
        "factus.unavailable",
        "Still failing, or no turn yet, when the job's time was up; or an outcome that nobody knows, not repeated",
        ("failed",),
        "operator",
    ),
    ErrorCode(
        "dian.pending",
        "DIAN had not answered when the job's time was up; the document is left alone",
        ("failed",),
        "operator",
    ),
    ErrorCode(
        "archive.conflict",
        "Other content is stored under the file's name; nothing is replaced",
        ("failed",),
        "operator",
    ),
    ErrorCode(
        "archive.unavailable",
        "The file could not be stored, still so when the job's time was up",
        ("failed",),
        "operator",
    ),
    ErrorCode("job.expired", "`expires_at` passed before the job had begun", ("failed",), "producer"),
    ErrorCode("job.cancelled", "A `job.cancel` ended it before anything was sent", ("failed",), "producer"),
    ErrorCode("date.missed", "`issue_on` passed before the document could be sent", ("failed",), "producer"),
    ErrorCode("internal", "A defect; the dead letter has the details", ("refused", "failed"), "developers"),
    ErrorCode("payload.warning", "Valid, and doubtful", ("warning",), "producer"),
    ErrorCode(
        "payload.converted",
        "Pushed as a body of version 1; the message says what was inferred",
        ("warning",),
        "producer",
    ),
    ErrorCode(
        "date.moved",
        "Sent on a later day than it was pushed (`FACTUS_DAY_POLICY=free`); the message names both",
        ("warning",),
        "producer",
    ),
    ErrorCode("option.unavailable", "An option that the job cannot have", ("warning",), "producer"),
    ErrorCode("day.at_risk", "Documents will miss the day that they must carry", ("notice",), "operator"),
    ErrorCode("batch.partial", "Not every job of the batch succeeded", ("notice",), "producer"),
)

CODES: Final = tuple(row.code for row in ERROR_CODES)
