"""When the next look is due: every period exactly, however long a look takes. Pure."""

from __future__ import annotations

import math


class Beat:
    """A timer that does not drift.

    Beats are at whole multiples of the period after the first. Those that have passed while something took
    too long are left out, not made up for.

    Args:
        period: Seconds between two beats.
        start: The first beat, on the monotonic clock.
    """

    def __init__(self, period: float, start: float) -> None:
        self._period, self._start = period, start
        self._count = 0
        #: Beats that were left out.
        self.missed = 0

    def left(self, now: float) -> float:
        """Seconds until the next beat that has not been asked for, 0 or more.

        Args:
            now: The monotonic clock.
        """
        due = max(self._count + 1, math.ceil((now - self._start) / self._period))
        self.missed += due - self._count - 1
        self._count = due
        return max(0.0, self._start + due * self._period - now)
