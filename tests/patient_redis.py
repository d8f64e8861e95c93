"""A client of the imitated Redis that waits: fakeredis answers some XREAD and XREADGROUP with COUNT at once."""

from __future__ import annotations

import asyncio
from typing import Any

from arq.connections import ArqRedis


class PatientRedis(ArqRedis):
    """Asks again, every ``step_s`` seconds, until something is there or BLOCK is over."""

    step_s: float = 0.01

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        now = asyncio.get_running_loop().time
        began = now()
        reply = await super().execute_command(*args, **options)
        is_read = args[0] in ("XREAD", "XREADGROUP", b"XREADGROUP")
        names = [arg for arg in args if isinstance(arg, str | bytes)] if is_read else []
        word = next((word for word in ("BLOCK", b"BLOCK") if word in names), None)
        ends_at = began + (int(args[args.index(word) + 1]) / 1000 if word else 0.0)
        while not reply and (left_s := ends_at - now()) > 0:
            await asyncio.sleep(min(self.step_s, left_s))
            reply = await super().execute_command(*args, **options)
        return reply
