"""One look for all pages, and none while there is no page."""

from __future__ import annotations

import asyncio
import json
import time

from context_bus.client.endpoints import Endpoints
from context_bus.context.commands import LoggedEvent
from context_bus.errors import NobodyListens
from context_bus.view.page.desk import EVENTS, Desk


class Recorder:
    """A page that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []
        self.grown = asyncio.Event()

    def tell(self, text: str) -> None:
        self.told.append(json.loads(text))
        self.grown.set()

    def hear(self, topic: str, text: str) -> None:
        self.tell(text)

    async def snapshot(self) -> dict[str, object]:
        """The next snapshot."""
        self.told.clear()
        while not (found := [each for each in self.told if each["kind"] == "snapshot"]):
            self.grown.clear()
            await asyncio.wait_for(self.grown.wait(), 10)
        return found[-1]


class Nowhere:
    """Counts how often somebody looked for a provider, and has none."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Endpoints:
        self.asked += 1
        raise NobodyListens("there is none here")


async def gone(desk: Desk) -> None:
    """Wait until it asks nobody any more."""
    end = time.monotonic() + 10
    while desk.live is not None:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_nobody_is_asked_while_no_page_is_open() -> None:
    """Not before the first, not after the last; two pages ask no oftener than one."""

    async def go() -> None:
        nowhere = Nowhere()
        desk = Desk(nowhere, linger=0.0)
        try:
            assert desk.live is None
            first, second = Recorder(), Recorder()
            desk.enter(first)
            desk.enter(second)
            told = await first.snapshot()
            assert told["trouble"] == "there is none here"
            assert (await second.snapshot())["services"] == []
            desk.leave(first)
            assert desk.live is not None
            desk.leave(second)
            await gone(desk)
            asked = nowhere.asked
            second.told.clear()
            desk.enter(first)
            await first.snapshot()
            assert nowhere.asked > asked
            assert second.told == []
        finally:
            await asyncio.to_thread(desk.close)

    asyncio.run(go())


def test_many_events_at_once_are_told_together() -> None:
    """A page would be taken for slow if it were told each by itself; the last ones count."""

    async def go() -> None:
        desk = Desk(Nowhere(), linger=0.0)
        try:
            page = Recorder()
            desk.enter(page)
            for number in range(1, 2001):
                desk._happened(LoggedEvent(number, 1.0, "service_changed", "T", "s", {"new": "started"}))
            while not (told := [each for each in page.told if each["kind"] == "events"]):
                page.grown.clear()
                await asyncio.wait_for(page.grown.wait(), 10)
            assert len(told) == 1
            events = told[0]["events"]
            assert isinstance(events, list)
            assert [each["sequence"] for each in events] == list(range(2001 - EVENTS, 2001))
            desk.leave(page)
        finally:
            await asyncio.to_thread(desk.close)

    asyncio.run(go())
