"""
How far a command is that takes long: a bar that is drawn anew on a terminal, a plain line now and then elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TextIO, TypeVar

import click

from worker.cli.console import clean
from worker.speech import Speech

if TYPE_CHECKING:
    from rich.console import RenderableType

_SAY_EVERY_S: Final = 2.0
_DRAW_EVERY_S: Final = 0.1
_QUIET_S: Final = 1.0
"""How long a command may take before it shows that it lives."""

_WIDEST_BAR: Final = 40

T = TypeVar("T")


class Bar:
    """
    A count out of a total, with words beside it.

    On a terminal it is drawn at most ten times a second and once more for the last count; it goes when the work is
    done. Elsewhere a line is written every few seconds, and only when something has changed.
    """

    def __init__(
        self,
        total: int,
        speech: Speech,
        *,
        stream: TextIO | None = None,
        quiet_s: float = 0.0,
        draw_every_s: float = _DRAW_EVERY_S,
    ) -> None:
        self._total = total
        self._speech = speech
        self._stream = stream or sys.stdout
        self._live: Any = None
        self._began_at = monotonic()
        self._quiet_s = quiet_s
        self._said_at = -_SAY_EVERY_S
        self._draw_every_s = draw_every_s
        self._drawn_at = -draw_every_s
        self._said = ""
        self._count = (0, "", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, n: int, what: str, note: str = "") -> None:
        """
        Show *n* of the total.

        Args:
            what: What has come of them; *note*: why it does not go on, and how long it will take.
        """
        self._count = (n, what, note)
        now = monotonic()
        if now - self._began_at < self._quiet_s:
            return
        is_last = n >= self._total
        if self._stream.isatty():
            if is_last or now - self._drawn_at >= self._draw_every_s:
                self._drawn_at = now
                self._draw()
        elif is_last or now - self._said_at >= _SAY_EVERY_S:
            self._say(now)

    def _say(self, now: float) -> None:
        line = self._words()
        if line != self._said:
            self._said_at, self._said = now, line
            click.echo(clean(line), file=self._stream)

    def _words(self) -> str:
        n, what, note = self._count
        of = self._speech.say("de", "of")
        head = f"{self._speech.count(n)} {of} {self._speech.count(self._total)} {what}".rstrip()
        return f"{head} · {note}" if note else head

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            console = Console(file=self._stream, markup=False, emoji=False, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._picture(), refresh=True)

    def _picture(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        n, _, _ = self._count
        grid = Table.grid()  # a bar alone has no end of its line
        grid.add_row(ProgressBar(total=max(self._total, 1), completed=n, width=_WIDEST_BAR))
        grid.add_row(Text(clean(self._words())))
        return grid


def watched(
    found: Iterable[T], total: int, what: tuple[str, str], speech: Speech, *, quiet_s: float = _QUIET_S
) -> Iterator[T]:
    """The same things; on standard error it is told how many have been taken, once it takes long."""
    with Bar(total, speech, stream=sys.stderr, quiet_s=quiet_s) as bar:
        for n, one in enumerate(found, 1):
            yield one
            bar.show(n, speech.say(*what))


@contextmanager
def announced(told: Callable[[], str]) -> Iterator[None]:
    """Say on standard error what is going on, once it takes long: for what cannot be counted while it runs."""
    timer = Timer(_QUIET_S, lambda: click.echo(clean(told()), err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def counted(found: Iterable[T], what: tuple[str, str], speech: Speech) -> Iterator[T]:
    """As :func:`watched`, where nobody knows how many there will be."""
    said_at = began_at = monotonic()
    for n, one in enumerate(found, 1):
        yield one
        now = monotonic()
        if now - began_at >= _QUIET_S and now - said_at >= _SAY_EVERY_S:
            said_at = now
            click.echo(f"{speech.count(n)} {speech.say(*what)}", err=True)
