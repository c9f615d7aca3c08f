"""Where the time comes from. Knows nothing; everything that decides takes ``now`` as an argument."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time, so that tests can choose it."""

    def now(self) -> float:
        """Seconds on the monotonic clock; for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch; for people and for the wire."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()
