"""Rates and sizes of a stream over a moving window. Pure: time comes in as an argument."""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """What was seen within the window.

    Args:
        messages: Messages in the window.
        rate: Messages per second.
        bytes_per_second: Bytes of frames per second.
        shortest: Shortest time between two messages, in seconds; so the next two.
        longest: See above.
        deviation: Standard deviation.
        smallest: Size of the smallest frame in bytes; so the next.
        largest: See above.
        total: Messages since the beginning.
    """

    messages: int
    rate: float
    bytes_per_second: float
    shortest: float
    longest: float
    deviation: float
    smallest: int
    largest: int
    total: int


@dataclass(slots=True)
class _Arrival:
    """Messages that were taken from the socket at once; between them no time can be told."""

    at: float
    count: int
    size: int
    smallest: int
    largest: int


class Meter:
    """Measures what arrives, in bunches, at a cost that does not grow with the size of a bunch.

    Args:
        window: Messages over which to measure.
        span: Seconds over which to measure at least: ten thousand messages may be a burst of milliseconds.
    """

    def __init__(self, window: int, span: float = 0.0) -> None:
        self._window, self._span = window, span
        self._arrivals: deque[_Arrival] = deque()
        self._in_window = 0
        #: Messages since the beginning.
        self.total = 0

    def note(self, at: float, count: int, size: int, smallest: int, largest: int) -> None:
        """Take in ``count`` messages of ``size`` bytes together that were there at a time."""
        self._arrivals.append(_Arrival(at, count, size, smallest, largest))
        self._in_window += count
        self.total += count
        while (
            len(self._arrivals) > 2
            and self._in_window - self._arrivals[0].count >= self._window
            and self._arrivals[1].at <= at - self._span
        ):
            self._in_window -= self._arrivals.popleft().count

    def rate(self) -> Rate | None:
        """What the window holds; None before there are two points in time."""
        if len(self._arrivals) < 2:
            return None
        gaps = self._gaps()
        time = self._arrivals[-1].at - self._arrivals[0].at
        # The first bunch marks the beginning: what came in it came before the time that is measured.
        counted = self._in_window - self._arrivals[0].count
        size = sum(arrival.size for arrival in self._arrivals) - self._arrivals[0].size
        mean = time / counted
        spread = sum(count * (gap - mean) ** 2 for gap, count in gaps) / counted
        return Rate(
            messages=self._in_window,
            rate=counted / time if time else math.inf,
            bytes_per_second=size / time if time else math.inf,
            shortest=min(gap for gap, _ in gaps),
            longest=max(gap for gap, _ in gaps),
            deviation=math.sqrt(spread),
            smallest=min(arrival.smallest for arrival in self._arrivals),
            largest=max(arrival.largest for arrival in self._arrivals),
            total=self.total,
        )

    def _gaps(self) -> list[tuple[float, int]]:
        """Time between messages, each with how often; a bunch shares the time since the one before."""
        arrivals = list(self._arrivals)
        return [
            ((later.at - earlier.at) / later.count, later.count)
            for earlier, later in itertools.pairwise(arrivals)
        ]
