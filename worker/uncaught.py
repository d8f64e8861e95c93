"""
What nobody caught, told as its class and its places: an exception's words may quote a payload, a name or a password.

Installed before anything else happens in a process, for every command. Light: ``--help`` pays for it.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final

_MOST_FRAMES: Final = 12
_MOST_CAUSES: Final = 4
_DEFECT: Final = "factus-worker: a defect of the service; its words are left out, they may hold data"


def places_of(error: BaseException) -> list[str]:
    """The class of an exception and where it came from, innermost last; its causes and the members of a group after."""
    found: list[str] = []
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_CAUSES:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        frames = traceback.extract_tb(one.__traceback__)[-_MOST_FRAMES:]
        found += [type(one).__name__, *map(place_of, frames)]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        cause = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        if cause is not None:
            waiting.append(cause)
    return found


def place_of(frame: traceback.FrameSummary) -> str:
    """``check/command.py:44 command``: the file with its folder, for a name like ``command.py`` is many files'."""
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}"


def install() -> None:
    """Take every way on which Python prints an exception by itself. Calling it again changes nothing."""
    sys.excepthook = _uncaught
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable
    # Never configured by ``check`` and the like; then Python would print warnings and tracebacks of libraries whole.
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Plain("%(name)s: %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
    asyncio_log = logging.getLogger("asyncio")
    if not any(isinstance(one, _FirstLine) for one in asyncio_log.filters):
        asyncio_log.addFilter(_FirstLine())


class _FirstLine(logging.Filter):
    """asyncio's own reports ("Task exception was never retrieved") show the task with its exception's words below."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition("\n")[0].partition("<")[0].rstrip(), None
        return True


class _Plain(logging.Formatter):
    """One line, and the places of an exception instead of its traceback."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # the standard library's name
        return " < ".join(reversed(places_of(ei[1]))) if ei[1] else ""


def _tell(head: str, error: BaseException | None) -> None:
    places = places_of(error) if error is not None else ["unknown"]
    try:
        sys.stderr.write("\n  ".join([head, *places]) + "\n")
    except (OSError, ValueError, AttributeError):
        pass  # standard error is closed: nobody listens


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _tell("factus-worker: interrupted", error.with_traceback(None))
        return
    _tell(_DEFECT, error.with_traceback(trace))


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        _tell(f"{_DEFECT} (in a thread)", args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _tell(f"{_DEFECT} (while cleaning up)", args.exc_value)
