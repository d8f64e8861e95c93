"""
``python -m tests.simulation.worker_process run``: a worker of the full form.

The real one, but for two things that nobody could wait for: an account that Factus shuts is asked again after two
seconds, and the storage behind the archive fails as long as the file named by ``SIMULATION_STORM`` is there.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jobs.attempt_policy
import jobs.calls
from tests.simulation.storage import StormyShelf, Weather
from worker import bootstrap
from worker.__main__ import main
from worker.archive.archive import Archive

ACCOUNT_PAUSE_S: Final = 2.0


@dataclass
class WeatherOfFile(Weather):
    """Bad days while a file is there."""

    sign: Path = Path("storm")

    def strikes(self) -> bool:
        return self.sign.exists() and super().strikes()


def run() -> None:
    sign = Path(os.environ["SIMULATION_STORM"])
    open_archive = bootstrap.open_archive
    # No seed: which worker stores what, and when, is the machine's chance anyway.
    weather = WeatherOfFile(random.Random(), fail_share=0.05, slow_s=0.05, sign=sign)
    for module in (jobs.attempt_policy, jobs.calls):
        module.ACCOUNT_PAUSE_S = ACCOUNT_PAUSE_S  # a constant of the service, shorter here
    bootstrap.open_archive = lambda url: Archive(StormyShelf(open_archive(url)._shelf, weather))
    main()


if __name__ == "__main__":
    run()
