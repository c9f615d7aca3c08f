"""Work that a loop does beside what it is at, and that somebody waits for at the end. Knows asyncio only."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Errands:
    """Keeps work alive until it is done: the loop itself holds on to no task."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str | None = None) -> None:
        """Begin some work in the running loop."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until all is done, what is begun meanwhile included; what fails is logged by the loop."""
        while self._tasks:
            await asyncio.wait(self._tasks)
