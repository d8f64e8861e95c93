"""
Files that are there whole or not at all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any], *, just_before: Callable[[], Any] = lambda: None) -> None:
    """
    Write beside its place first: who looks finds the former file or the new one, and after a crash too.

    Args:
        write: Makes the file at the path that it is given, with the rights of any file that the user makes.
        just_before: What is done with a former file once the new one is whole: until then it stays where it is.
    """
    made = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(8)}{path.suffix}")
    try:
        write(made)
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        just_before()
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
