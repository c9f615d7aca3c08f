"""How long something that tells its percentage will still take. Pure: time comes in as ``now``.

Knows numbers; must not know where they come from.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

#: The keyword of feedback that says how far a program is.
KEYWORD = "progress"
#: Advances from which the pace is taken: the last ones, since a program's parts differ.
WINDOW = 32
#: Usual pauses between two advances after which a further wait slows the pace: then it is a stall.
PATIENCE = 2.0


def percent_of(values: Mapping[str, str]) -> float | None:
    """The percentage in a feedback, from 0 to 100; None if there is none that can be understood."""
    try:
        percent = float(values.get(KEYWORD, "").strip().removesuffix("%"))
    except ValueError:
        return None
    return min(100.0, max(0.0, percent)) if math.isfinite(percent) else None


class Estimate:
    """The time that is left, from what was told so far.

    A percentage below the last one begins a new stretch, for it is of another part of the work. The same one
    again is no advance. While an advance is awaited the time left counts down; when it takes longer than
    usual the pace is taken to be slower, so that a stall makes the time left grow.
    """

    def __init__(self) -> None:
        self._advances: deque[tuple[float, float]] = deque(maxlen=WINDOW + 1)

    @property
    def percent(self) -> float | None:
        """What was told last."""
        return self._advances[-1][1] if self._advances else None

    def add(self, now: float, percent: float) -> None:
        """Note what is told.

        Args:
            now: When, in seconds; not before the last time.
            percent: From 0 to 100.
        """
        last = self.percent
        if last is not None and percent < last:
            self._advances.clear()
        if last is None or percent != last:
            self._advances.append((now, percent))

    def remaining(self, now: float) -> float | None:
        """Seconds until 100 percent at the pace of the last advances.

        Returns:
            None as long as there is no pace to speak of: before the second percentage of a stretch.
        """
        if not self._advances:
            return None
        (began, first), (last_time, last) = self._advances[0], self._advances[-1]
        if last >= 100.0:
            return 0.0
        took = last_time - began
        if took <= 0.0:
            return None
        usual = PATIENCE * took / (len(self._advances) - 1)
        waited = max(0.0, now - last_time)
        stalled = max(0.0, waited - usual)
        left = (100.0 - last) * (took + stalled) / (last - first)
        return max(0.0, left - (waited - stalled)) if math.isfinite(left) else None
