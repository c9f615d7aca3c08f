"""How fast something grows: what was spent since an earlier reading. Pure: time comes in as ``at``."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import NamedTuple


class Reading(NamedTuple):
    """What was spent by when.

    Args:
        spent: Total so far.
        at: When it was read, in seconds.
    """

    spent: float
    at: float


class Pace:
    """Remembers readings, so that several who read do not shorten each other's spans.

    Args:
        apart: Seconds that a reading has to be old to be compared with.
        keep: Seconds after which a reading is no use any more; None keeps what was read in the last round,
            however long ago that was.
    """

    def __init__(self, apart: float = 0.0, keep: float | None = None) -> None:
        self._apart, self._keep = apart, keep
        self._readings: dict[Hashable, list[Reading]] = {}
        self._round = -math.inf

    def __len__(self) -> int:
        return len(self._readings)

    def earlier(self, key: Hashable, at: float) -> Reading | None:
        """The newest reading that is old enough to compare with, if there is one."""
        oldest = -math.inf if self._keep is None else at - self._keep
        for reading in reversed(self._readings.get(key, ())):
            if reading.at <= at - self._apart:
                return reading if reading.at >= oldest else None
        return None

    def note(self, key: Hashable, spent: float, at: float) -> None:
        """Remember a reading, and forget those that nobody compares with any more."""
        readings = self._readings.setdefault(key, [])
        useless = sum(each.at <= at - self._apart for each in readings) - 1
        del readings[: max(0, useless)]
        readings.append(Reading(spent, at))

    def end_round(self, began: float) -> None:
        """Forget what was not read for too long; call it after each round of reading.

        Args:
            began: When the round began.
        """
        limit = began if self._keep is None else began - self._keep
        # At most twice in a span: a round that is about few must not pay for all.
        if self._keep is None or began - self._round >= self._keep / 2:
            self._round = began
            self._readings = {key: each for key, each in self._readings.items() if each[-1].at >= limit}
