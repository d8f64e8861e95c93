"""
The producer's side of every peer: jobs come as lines on standard input, and go into the peer's queue one by one.

Each line: ``{"account", "reference", "is_urgent", "payload"}``. Said back for each: its reference and the instant
(``time.time()``) just before it was pushed. The first line said is ``ready``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

KNOWN = "issued"
"""The hash in Redis to which every peer writes the number of what it has issued, by reference: what the ERP knows."""


def push_all(push: Callable[[dict[str, Any]], object]) -> None:
    """Push until standard input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        print(job["reference"], time.time(), flush=True)
        push(job)
