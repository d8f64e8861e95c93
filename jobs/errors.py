"""
The exceptions of the service. They state facts; ``attempt_policy.py`` and its neighbours decide what follows.

    ServiceError
    ├─ ConfigurationError      refuse to start
    ├─ LedgerError
    │  ├─ LedgerUnavailable    nothing may be sent while we cannot record it
    │  ├─ LedgerRefused        what was asked cannot be written, however often
    │  └─ LeaseLost            our lease has ended: another worker may have the job, write nothing
    └─ ArchiveError
       ├─ ArchiveConflict      the name holds other content, which stays
       └─ ArchiveUnavailable   not stored, as far as we know: try again

What Factus answers is a value (``jobs/answers.py``), not an exception: every answer, also a lost one, is expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.archive_names import Stored


class ServiceError(Exception):
    """Base of all errors that we raise on purpose."""


class ConfigurationError(ServiceError):
    """A setting cannot be used. The message names it and says what to mend; it never holds a secret."""


class LedgerError(ServiceError):
    """The ledger could not do as asked."""


class LedgerUnavailable(LedgerError):
    """No answer from Redis. What was asked may or may not have happened."""


class LedgerRefused(LedgerError):
    """Redis answered that this cannot be written: a key beside the job holds what it must not. Nothing was written."""


class LeaseLost(LedgerError):
    """Another worker owns the job by now. Nothing was written."""


class ArchiveError(ServiceError):
    """The archive could not do as asked."""


class ArchiveConflict(ArchiveError):
    """The name holds other content; nothing was written. What is there stands in ``held``."""

    def __init__(self, held: Stored) -> None:
        super().__init__(f"{held.uri} holds other content (sha256 {held.sha256}); nothing is ever replaced")
        self.held = held


class ArchiveUnavailable(ArchiveError):
    """
    The storage failed or refused. The file may or may not be there; storing it again is safe.

    Its text is Spanish, whole, and free of secrets: it ends up in events.
    """
