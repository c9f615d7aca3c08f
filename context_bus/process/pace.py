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
        readings = self._readings.get(key)
        if readings is None:
            return None
        old_enough = at - self._apart
        for reading in reversed(readings):
            if reading.at <= old_enough:
                return None if self._keep is not None and reading.at < at - self._keep else reading
        return None

    def note(self, key: Hashable, spent: float, at: float) -> Reading | None:
        """Remember a reading, and forget those that nobody compares with any more.

        Returns:
            The one to compare it with, as `earlier`.
        """
        before = self.earlier(key, at)
        reading = Reading(spent, at)
        readings = self._readings.get(key)
        if readings is None or before is readings[-1]:
            # All before this one are useless, or there is none; the case of one who reads alone.
            self._readings[key] = [reading] if before is None else [before, reading]
        else:
            if before is not None:
                del readings[: readings.index(before)]
            readings.append(reading)
        return before

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
