"""
Debian's Chromium without a screen, spoken to by its own protocol over a pipe: no driver, no port, nothing to install.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S: Final = 60.0
_QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
    "--remote-debugging-pipe",
)


def program() -> str | None:
    """The browser; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Browser:
    """A running browser."""

    pid: int
    _to: int
    _from: int
    _held: bytes = b""
    _n: int = 0

    def ask(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """
        The answer to a command.

        Raises:
            AssertionError: It has refused it, or not answered within a minute.
        """
        self._n += 1
        message = {"id": self._n, "method": method, "params": params, **({"sessionId": session} if session else {})}
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        ends_at = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._next(ends_at)
            if answer.get("id") == self._n:
                assert "error" not in answer, f"{method}: {answer['error']}"
                found: dict[str, Any] = answer["result"]
                return found

    def _next(self, ends_at: float) -> dict[str, Any]:
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._from], [], [], max(ends_at - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            read = os.read(self._from, 1 << 20)
            assert read, "the browser has ended"
            self._held += read
        line, _, self._held = self._held.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def page(self) -> Page:
        """A new page."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Network"):
            page.ask(f"{domain}.enable")
        return page


@dataclass
class Page:
    """One page of it."""

    browser: Browser
    session: str
    target: str

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.ask(method, self.session, **params)

    def size(self, width: int, height: int = 900) -> None:
        """Pixels of CSS."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name: str) -> None:
        """``light`` or ``dark``, as the system of whoever looks has it."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def scripts(self, *, on: bool) -> None:
        """Whether those of the page run; what is asked here does in any case."""
        self.ask("Emulation.setScriptExecutionDisabled", value=not on)

    def cookie(self, url: str, name: str, value: str) -> None:
        self.ask("Network.setCookie", url=url, name=name, value=value)

    def open(self, url: str) -> None:
        """Go there, and wait until it is loaded; an open stream does not count."""
        assert "errorText" not in self.ask("Page.navigate", url=url)
        self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """What JavaScript says, as JSON; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until it is true."""
        ends_at = time.monotonic() + _PATIENCE_S
        while not self.value(expression):
            assert time.monotonic() < ends_at, f"never true: {expression}\n{self.text()[-2000:]}"
            time.sleep(0.05)

    def text(self) -> str:
        return str(self.value("document.body.innerText"))

    def picture(self, file: Path) -> None:
        """All of the page, however long it is, as PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self.browser.ask("Target.closeTarget", targetId=self.target)


@contextmanager
def running(folder: Path, *more: str) -> Iterator[Browser]:
    """
    A browser with a profile of its own in *folder*, while the block lasts.

    Args:
        more: Further switches of its command line.

    Raises:
        LookupError: There is none on this machine.
    """
    found = program()
    if found is None:
        raise LookupError(f"none of {', '.join(NAMES)} is here")
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    # The browser reads from 3 and writes to 4: neither may be in the way of the other.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_read, from_write)]
    for end in (to_read, from_write):
        os.close(end)
    log = os.open(folder / "chromium.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, *pair) for pair in ((ends[0], 3), (ends[1], 4), (log, 1), (log, 2))]
    arguments = [found, *_QUIET, *more, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    pid = os.posix_spawn(found, arguments, os.environ, file_actions=actions, setsid=True)
    for end in (*ends, log):
        os.close(end)
    browser = Browser(pid, to_write, from_read)
    try:
        yield browser
    finally:
        _end(browser)
        os.close(to_write)
        os.close(from_read)


def _end(browser: Browser) -> None:
    """In order; what does not end is killed, with the processes that it has started."""
    with suppress(AssertionError, OSError):
        browser.ask("Browser.close")
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        if os.waitpid(browser.pid, os.WNOHANG) != (0, 0):
            return
        time.sleep(0.05)
    os.killpg(browser.pid, signal.SIGKILL)
    os.waitpid(browser.pid, 0)
