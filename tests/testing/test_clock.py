"""Two clocks, one contract: durations from one, dates from the other."""

from __future__ import annotations

import time

import pytest

from context_bus.kernel.clock import Clock, SystemClock
from context_bus.testing.clock import ManualClock


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
def test_clock_does_not_go_back(clock: Clock) -> None:
    """What the real one promises, the manual one keeps."""
    first = clock.now()
    assert clock.now() >= first
    assert clock.wall() > 1_600_000_000


def test_system_clock_is_that_of_the_machine() -> None:
    """Monotonic for durations, epoch for people."""
    clock = SystemClock()
    assert abs(clock.now() - time.monotonic()) < 10
    assert abs(clock.wall() - time.time()) < 10


def test_manual_clock_moves_when_told() -> None:
    """Both of its hands; the wall clock alone may be put."""
    clock = ManualClock(now=5.0, wall=100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.wall()) == (7.5, 102.5)
    clock.set_wall(50.0)
    assert (clock.now(), clock.wall()) == (7.5, 50.0)
    with pytest.raises(ValueError, match="use set_wall"):
        clock.advance(-1)
