"""Which version of the service this process runs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

VERSION: Final = version("factus-worker")
"""Read once, at the start: what stands in the installation's files later may be another version, and takes a disk."""
