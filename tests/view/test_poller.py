"""The thread that refreshes: at its pace, at once when something happens, and never behind."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from context_bus.testing.wait import wait_until
from context_bus.view.live import Live
from context_bus.view.snapshot import Snapshot
from context_bus.view.terminal.poller import Poller
from tests.e2e.shells import Supervised


@pytest.fixture
def told() -> list[float]:
    """When a snapshot was handed over."""
    return []


@pytest.fixture
def poller(live: Live, told: list[float]) -> Iterator[Poller]:
    """One that looks every two seconds, and takes each snapshot at once."""

    def take(snapshot: Snapshot) -> None:
        told.append(time.monotonic())
        one.taken()

    one = Poller(live, 2.0, take)
    one.start()
    yield one
    one.close(5.0)


def test_what_happens_puts_no_look_off(poller: Poller, told: list[float]) -> None:
    """However much happens, the next look comes when it is due."""
    for _ in range(8):
        before = len(told)
        poller.hurry()
        wait_until(lambda before=before: len(told) > before, 10, lambda: "a look")  # type: ignore[misc]
    last, before = told[-1], len(told)
    wait_until(lambda: len(told) > before, 10, lambda: "the next look")
    assert told[-1] - last < 6.0


def test_pause_looks_no_more(poller: Poller, told: list[float], shop: Supervised) -> None:
    """Whatever happens, until it goes on."""
    wait_until(lambda: len(told) > 2, 10, lambda: "some looks")
    poller.pause(is_paused=True)
    wait_until(lambda: told and time.monotonic() - told[-1] > 0.5, 10, lambda: "no look any more")
    before = len(told)
    assert shop.shell("restart", "talk").returncode == 0
    assert len(told) == before
    poller.pause(is_paused=False)
    wait_until(lambda: len(told) > before, 10, lambda: "a look")


def test_end_does_not_wait_for_who_takes_nothing(live: Live) -> None:
    """A view that has gone does not hold its refresher."""
    one = Poller(live, 0.1, lambda snapshot: None)
    one.start()
    began = time.monotonic()
    one.close(10.0)
    assert time.monotonic() - began < 5.0
