"""
The exceptions of the service. They state facts; ``decisions.py`` decides what follows.

    ServiceError
    ├─ ConfigurationError      refuse to start
    └─ LedgerError
       ├─ LedgerUnavailable    nothing may be sent while we cannot record it
       └─ LeaseLost            ours expired under us: walk away, write nothing

What Factus answers is a value (``jobs/seen.py``), not an exception: every answer, also a lost one, is expected.
"""

from __future__ import annotations


class ServiceError(Exception):
    """Base of all errors that we raise on purpose."""


class ConfigurationError(ServiceError):
    """A setting cannot be used. The message names it and says what to mend; it never holds a secret."""


class LedgerError(ServiceError):
    """The ledger could not do as asked."""


class LedgerUnavailable(LedgerError):
    """No answer from Redis. What was asked may or may not have happened."""


class LeaseLost(LedgerError):
    """Another worker owns the job by now. Nothing was written."""
