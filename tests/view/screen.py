"""The live view in a test: without a terminal, but with everything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from textual.pilot import Pilot

from context_bus.view.snapshot import Snapshot
from context_bus.view.terminal.app import TopApp
from context_bus.view.terminal.picture import screen_text
from context_bus.view.terminal.told import Refreshed

#: Seconds that what is to be seen may take.
PATIENCE = 20.0


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test."""
    asyncio.run(work)


class Screen:
    """What is seen, and who presses the keys.

    Args:
        app: The live view.
        pilot: Its keyboard.
    """

    def __init__(self, app: TopApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def text(self) -> str:
        """All of it."""
        return screen_text(self.app)

    @property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.splitlines()

    def line(self, word: str) -> str:
        """The first line that begins with a word; empty if there is none."""
        return next((line for line in self.lines if line.split()[:1] == [word]), "")

    async def press(self, *keys: str) -> None:
        """Press keys, and let what they do happen."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot that was made by hand."""
        self.app.post_message(Refreshed(snapshot))
        await self.pilot.pause()

    async def until(self, is_seen: Callable[[], object]) -> None:
        """Wait until something is seen."""
        deadline = time.monotonic() + PATIENCE
        while not is_seen():
            assert time.monotonic() < deadline, self.text
            await self.pilot.pause(0.05)
