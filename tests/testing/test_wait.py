"""wait_until waits, returns what it saw, and says what it saw instead."""

from __future__ import annotations

import threading

import pytest

from context_bus.testing.wait import wait_until


def test_returns_the_value_as_soon_as_it_is_true() -> None:
    """Not a moment of the deadline more than needed."""
    values = iter([None, [], [1]])
    assert wait_until(lambda: next(values)) == [1]


def test_sees_what_another_thread_does() -> None:
    """It looks again."""
    done = threading.Event()
    threading.Timer(0.02, done.set).start()
    assert wait_until(done.is_set)


def test_says_the_last_value_when_time_is_over() -> None:
    """With the words of the caller, also when they are asked for late."""
    with pytest.raises(AssertionError, match=r"not within 0\.01 s: three; last value seen: 0"):
        wait_until(lambda: 0, 0.01, "three")
    with pytest.raises(AssertionError, match="how it stands"):
        wait_until(lambda: 0, 0.01, lambda: "how it stands")
