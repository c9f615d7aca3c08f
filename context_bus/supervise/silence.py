"""When a child that gives signs of life now and then has been silent for too long. Pure: time comes in.

Knows one timeout; must not know what a sign of life is.
"""

from __future__ import annotations

import math
from enum import StrEnum

#: Part of the timeout by which a look may be late before it was the onlooker who was away.
TOLERANCE = 0.25


class Degree(StrEnum):
    """How silent a child is."""

    LIVELY = "lively"
    SILENT = "silent"  # for a quarter of its timeout
    STALLED = "stalled"  # for half of it
    LOST = "lost"  # for longer than all of it


#: Part of the timeout at which each degree begins.
BEGINS = {Degree.LIVELY: 0.0, Degree.SILENT: 0.25, Degree.STALLED: 0.5, Degree.LOST: 1.0}


class Silence:
    """How long one child has been silent.

    Whoever looks may have been stopped itself, and the child with it. So a look that comes far too late
    condemns nobody: half of the timeout is granted anew.

    Args:
        timeout: Seconds after which it is lost.
        now: When the watch begins.
    """

    def __init__(self, timeout: float, now: float) -> None:
        self._timeout, self._since = timeout, now
        self._degree = Degree.LIVELY

    @property
    def next_look(self) -> float:
        """When it is more silent than it was at the last look; infinite if it is lost."""
        later = (part for part in BEGINS.values() if part > BEGINS[self._degree])
        return self._since + next(later, math.inf) * self._timeout

    def heard(self, now: float) -> bool:
        """It gave a sign of life; says whether it was silent. That of one that is lost comes too late."""
        if self._degree is Degree.LOST:
            return False
        was_silent = self._degree is not Degree.LIVELY
        self._since, self._degree = now, Degree.LIVELY
        return was_silent

    def look(self, now: float) -> Degree | None:
        """How silent it is, if that is more than at the last look.

        Args:
            now: When; after whatever there is to be heard was.
        """
        if now < self.next_look:
            return None
        if now > self._since + (1.0 + TOLERANCE) * self._timeout:
            self._since = now - BEGINS[Degree.STALLED] * self._timeout
        silent_for = now - self._since
        self._degree = [each for each, part in BEGINS.items() if silent_for >= part * self._timeout][-1]
        return self._degree

    def say(self, degree: Degree) -> str:
        """A degree in words, with the numbers."""
        if degree is Degree.LOST:
            return f"no feedback for {self._timeout:g} s"
        return f"{degree}: no feedback for {BEGINS[degree] * self._timeout:g} of {self._timeout:g} s"
