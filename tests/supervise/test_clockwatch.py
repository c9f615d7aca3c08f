"""Noticing that the wall clock was set."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import time
from pathlib import Path

import pytest

from context_bus.supervise.clockwatch import ClockWatch

#: Set it on a machine of your own: the test then sets the clock, to the time that it shows.
MAY_SET = "CONTEXT_BUS_TEST_SET_CLOCK"


def timers() -> list[str]:
    """What the kernel says of the timers of this process."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        info = Path(f"/proc/self/fdinfo/{fd}")
        if info.exists() and "clockid" in (text := info.read_text()):
            found.append(text)
    return found


def test_the_kernel_is_asked_to_tell() -> None:
    """One timer on the wall clock, cancelled when that is set; a second start or stop changes nothing."""

    async def main() -> list[list[str]]:
        watch = ClockWatch(lambda: None)
        seen = [timers()]
        for act in (watch.start, watch.start, watch.stop, watch.stop):
            act()
            seen.append(timers())
        return seen

    before, once, twice, stopped, again = asyncio.run(main())
    assert before == stopped == again == []
    assert len(once) == len(twice) == 1
    assert "clockid: 0\n" in once[0]
    assert "settime flags: 03\n" in once[0]  # TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET
    assert int(once[0].partition("it_value: (")[2].partition(",")[0]) > 100 * 365 * 86400  # never by itself


def test_time_that_passes_is_no_change() -> None:
    """The loop goes round, the clock goes on, nobody is called."""
    calls: list[None] = []

    async def main() -> None:
        watch = ClockWatch(lambda: calls.append(None))
        watch.start()
        await asyncio.sleep(0.01)
        watch.stop()

    asyncio.run(main())
    assert calls == []


def test_without_the_kernel_there_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """No descriptor left: schedules go on, unwarned, and the log says so."""

    async def main() -> bool:
        watch = ClockWatch(lambda: None)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            watch.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        is_watching = watch.is_watching
        watch.stop()
        return is_watching

    with caplog.at_level(logging.WARNING, "context_bus.supervise.clockwatch"):
        assert not asyncio.run(main())
    assert "changes of the wall clock are not noticed: reason=" in caplog.text
    assert "Too many open files" in caplog.text


@pytest.mark.skipif(
    MAY_SET not in os.environ, reason=f"sets the clock of the machine; allow it with {MAY_SET}=1"
)
def test_a_clock_that_is_set_is_noticed() -> None:
    """Every time anew."""

    async def main() -> None:
        changed = asyncio.Event()
        watch = ClockWatch(changed.set)
        watch.start()
        for _ in range(3):
            time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns())
            await asyncio.wait_for(changed.wait(), 10)
            changed.clear()
        watch.stop()

    asyncio.run(main())
