"""
By which names the page may be asked for. Pure.

A name of somebody else that leads here (DNS rebinding) would make this page one of his site, for the browser of whoever
opened it. An address is nobody's name: it is always fine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

_PORT: Final = re.compile(r":\d{1,5}\Z")
_LOCAL: Final = frozenset({"localhost"})


def own_names(http_host: str, names: Iterable[str]) -> frozenset[str]:
    """The names of a door: the one that it listens on, this machine's own, and those that the settings name."""
    return _LOCAL | {http_host.lower().rstrip(".")} | {name.lower().rstrip(".") for name in names}


def is_own(host: str, names: frozenset[str]) -> bool:
    """
    Whether a ``Host`` header is one of ours.

    Args:
        names: As :func:`own_names` has them.
    """
    name = _PORT.sub("", host.strip()).lower().rstrip(".")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return name in names
    return True
