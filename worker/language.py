"""
The language of help and of errors in what was typed: read from the environment before anything else is loaded.

The commands themselves take it from ``worker/settings/environment.py``, which refuses a bad value. Help refuses
nothing: what names no language, or cannot be read, is Spanish there.
"""

from __future__ import annotations

import os
import re
from typing import Final, Literal

_NAME: Final = "FACTUS_LANG"
_ENV_FILE: Final = ".env"
_LINE: Final = re.compile(rf"(?mi)^[ \t]*(?:export[ \t]+)?{_NAME}[ \t]*=[ \t]*['\"]?([A-Za-z]{{2}})")
_MOST_OF_A_FILE: Final = 1024 * 1024


def language_of_help() -> Literal["es", "en"]:
    """What ``FACTUS_LANG`` says, in the environment or else in ``.env``; without it Spanish."""
    said = next((os.environ[name] for name in os.environ if name.upper() == _NAME), "") or _in_file()
    return "en" if said.strip()[:2].lower() == "en" else "es"


def _in_file() -> str:
    if not os.path.isfile(_ENV_FILE):  # noqa: PTH113  # never a pipe; without pathlib, which takes 10 ms
        return ""
    try:
        with open(_ENV_FILE, encoding="utf-8-sig", errors="replace") as file:  # noqa: PTH123
            found = _LINE.findall(file.read(_MOST_OF_A_FILE))
    except OSError:
        return ""
    return str(found[-1]) if found else ""
