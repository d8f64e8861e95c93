"""What ``doctor`` has seen on this machine, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with secrets in it. ``mode`` is that of ``chmod``; ``fault`` says why it could not be looked at."""

    name: str
    """The setting that names it, or ``.env``."""

    path: str
    mode: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveSeen:
    """Where files go. A folder that is not there yet is made with the first file, where ``is_writable``."""

    address: str
    is_remote: bool = False
    is_there: bool = False
    is_writable: bool = False
    n_free: int = 0
    n_whole: int = 0
    """Bytes of its disk; 0 where it tells none."""

    fault: str = ""
    """Why it cannot be used, or looked at."""

    was_asked: bool = False
    """Of storage over the network: whether it was."""
