"""A deadline comes once, and not when another has replaced it."""

from __future__ import annotations

import asyncio

from context_bus.context.events import DeadlineReached, Key, Timer
from context_bus.context.instructions import SetTimer
from context_bus.context.timers import Timers
from tests.store.recording import run

STOP, READY = Timer.STOP, Timer.READY


def test_later_deadline_replaces_the_earlier_one_of_its_kind() -> None:
    """Of the same service only; each that is left comes once, and may be set again."""
    reached: list[DeadlineReached] = []

    async def main() -> None:
        done = asyncio.Event()

        def post(event: DeadlineReached) -> None:
            reached.append(event)
            if event.incarnation == 0:
                done.set()

        timers, now = Timers(post), asyncio.get_running_loop().time()
        for number in range(1, 6):
            timers.set(SetTimer(Key("T", "a"), number, STOP, now + 0.01 * number))
        timers.set(SetTimer(Key("T", "a"), 9, READY, now + 0.02))
        timers.set(SetTimer(Key("T", "b"), 7, STOP, now + 0.06))
        timers.set(SetTimer(Key("T", "end"), 0, STOP, now + 0.07))
        await done.wait()
        done.clear()
        timers.set(SetTimer(Key("T", "a"), 0, STOP, now))
        await done.wait()

    run(main())
    assert reached == [
        DeadlineReached(Key("T", "a"), 9, READY),
        DeadlineReached(Key("T", "a"), 5, STOP),
        DeadlineReached(Key("T", "b"), 7, STOP),
        DeadlineReached(Key("T", "end"), 0, STOP),
        DeadlineReached(Key("T", "a"), 0, STOP),
    ]
