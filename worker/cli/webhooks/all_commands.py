"""The whole of ``factus-worker webhooks``: whoever imports it has every command of the group."""

from __future__ import annotations

from worker.cli.webhooks import rotate, trying
from worker.cli.webhooks.command import command

__all__ = ["command", "rotate", "trying"]
