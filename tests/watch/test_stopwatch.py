"""Time that stands still."""

from __future__ import annotations

import signal

from context_bus.process.signalfile import SI_KERNEL
from context_bus.watch.relay import Relay
from context_bus.watch.stopwatch import Stopwatch


def test_time_stands_still_while_anybody_is_stopped() -> None:
    """However often it is said, and whoever goes on first."""
    watch = Stopwatch()
    assert watch.read(10.0) == 10.0
    watch.stop("front", 12.0)
    watch.stop("command", 13.0)
    watch.stop("front", 13.5)
    assert watch.is_stopped
    assert watch.read(20.0) == 12.0
    watch.go("front", 20.0)
    assert watch.read(21.0) == 12.0
    watch.go("command", 22.0)
    watch.go("command", 23.0)
    assert not watch.is_stopped
    assert watch.read(24.0) == 14.0
    assert watch.at(14.0) == 24.0


def test_interrupts_mean_what_they_mean_without_a_launcher() -> None:
    """From the terminal the command has it already; from elsewhere not; twice is once too often."""
    assert Relay().meaning(signal.SIGINT, SI_KERNEL) == 0
    relay = Relay()
    assert relay.meaning(signal.SIGINT, 0) == signal.SIGINT
    assert relay.meaning(signal.SIGTERM, SI_KERNEL) == signal.SIGTERM
    assert relay.meaning(signal.SIGINT, SI_KERNEL) == signal.SIGKILL
