"""Waiting in tests for what no descriptor tells of. Knows nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two looks, at first; doubled each time up to the next.
FIRST_PAUSE = 0.001
#: See above.
LONGEST_PAUSE = 0.05


def wait_until(
    predicate: Callable[[], T], deadline: float = 10.0, describe: str | Callable[[], object] = ""
) -> T:
    """Wait until something is true, and say what was seen instead if it never is.

    Args:
        predicate: Looked at again and again until what it returns is true.
        deadline: Seconds to wait at most.
        describe: What is waited for, or a function that tells how things stand.

    Returns:
        What the predicate returned last.

    Raises:
        AssertionError: It was not true in time; with the last value seen.
    """
    end = time.monotonic() + deadline
    pause = FIRST_PAUSE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= end:
            told = describe() if callable(describe) else describe
            raise AssertionError(
                f"not within {deadline} s: {told or repr(predicate)}; last value seen: {value!r}"
            )
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
