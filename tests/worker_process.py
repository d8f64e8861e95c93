"""
A worker process of a test: ``factus-worker run`` with policies, and a storage, that no setting can give it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from jobs.errors import ServiceError
from jobs.ports import Archive
from worker import event_loop, uncaught
from worker.bootstrap import Policies
from worker.logs import configure_logging
from worker.process import run_worker
from worker.settings.environment import load_settings
from worker.settings.model import Settings


def run(
    policies: Policies,
    archive_of: Callable[[Settings], Archive] | None = None,
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """
    Run until SIGTERM; exit status 1 when the service cannot start.

    Args:
        archive_of: Makes the archive; the settings' own unless given.
        loop_factory: Makes the event loop; the worker's own unless given.
    """
    uncaught.install()
    try:
        settings = load_settings()
        configure_logging(is_json=settings.is_log_json, level="info")
        archive = archive_of(settings) if archive_of else None
        with asyncio.Runner(loop_factory=loop_factory or event_loop.loop_factory()) as runner:
            runner.run(run_worker(settings, policies=policies, archive=archive))
    except ServiceError as exc:
        sys.stderr.write(f"{exc}\n")
        sys.exit(1)
