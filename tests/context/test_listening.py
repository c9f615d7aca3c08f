"""What the provider hears: rubbish is counted, and shown without flooding whoever looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

from context_bus.bus.aio import AsyncBus
from context_bus.config.model import ContextConf
from context_bus.context import listening
from context_bus.context.doorway import Doorway
from context_bus.context.listening import Ears
from context_bus.context.roots import Roots
from context_bus.context.trace import FrameIgnored, ProviderEvent
from context_bus.testing.bus import LocalBus


async def _hear_rubbish(local: LocalBus, count: int) -> tuple[int, list[ProviderEvent]]:
    end = local.listen_on
    conf = ContextConf(end, local.publish_to, local.publish_to, end, "Test", file=str(Path("Context.xml")))
    shown: list[ProviderEvent] = []
    told = asyncio.Event()

    def show(event: ProviderEvent) -> None:
        shown.append(event)
        if isinstance(event, FrameIgnored) and event.count == count:
            told.set()

    async with AsyncBus(end, local.publish_to) as commands, AsyncBus(end, local.publish_to) as reports:
        ears = Ears(commands, reports, Roots(conf, ()), lambda event: None, show, Doorway(None))
        await ears.open()
        with local.publisher() as stranger:
            stranger.wait_for_subscriber("context", 5)
            for _ in range(count):
                stranger.send("context", b"no json")
            async with asyncio.timeout(10):
                await told.wait()
        await ears.close()
        return ears.ignored, shown


def test_ears_show_a_flood_of_rubbish_in_few_lines() -> None:
    """Every frame is counted; a few are shown, and then how many there were."""
    with LocalBus() as local:
        ignored, shown = asyncio.run(_hear_rubbish(local, 200))
    assert ignored == 200
    assert listening.SHOWN_AT_ONCE < len(shown) <= 3 * listening.SHOWN_AT_ONCE
