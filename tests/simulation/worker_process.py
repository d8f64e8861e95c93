"""
``python -m tests.simulation.worker_process``: a worker of the full form.

The real one, but for three things that nobody could wait for: an account that Factus shuts is asked again after two
seconds, RADIAN's clock declares acceptances at any hour and waits for them by seconds, and the storage behind the
archive fails as long as the file named by ``SIMULATION_STORM`` is there.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.patience import PatiencePolicy
from tests import worker_process
from tests.simulation.radian_times import HURRIED
from tests.simulation.storage import StormyShelf, Weather
from worker.archive.archive import Archive, open_archive
from worker.bootstrap import Policies


@dataclass
class WeatherOfFile(Weather):
    """Bad days while a file is there."""

    sign: Path = Path("storm")

    def strikes(self) -> bool:
        return self.sign.exists() and super().strikes()


def run() -> None:
    sign = Path(os.environ["SIMULATION_STORM"])
    # No seed: which worker stores what, and when, is the machine's chance anyway.
    weather = WeatherOfFile(random.Random(), fail_share=0.05, slow_s=0.05, sign=sign)
    worker_process.run(
        Policies(patience=PatiencePolicy(account_pause_s=2.0), radian=replace(HURRIED, unconfirmed_after_s=90.0)),
        lambda settings: Archive(StormyShelf(open_archive(settings.archive_url)._shelf, weather)),
    )


if __name__ == "__main__":
    run()
