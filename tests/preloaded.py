"""
What a forked process of a test has imported before it begins; see ``tests/processes.py``.

The modules that the processes of the suite load, and nothing that reads a setting, starts a thread or opens a
connection on import.
"""

from __future__ import annotations

import importlib
import pkgutil

import worker.bootstrap
import worker.cli
import worker.http.server
import worker.webhooks

for _room in (worker.cli, worker.webhooks):
    for _found in pkgutil.walk_packages(_room.__path__, f"{_room.__name__}."):
        if not _found.name.endswith(".__main__"):
            importlib.import_module(_found.name)
