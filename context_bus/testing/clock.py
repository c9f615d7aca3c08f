"""A clock that stands still until the test moves it. Knows nothing else."""

from __future__ import annotations


class ManualClock:
    """A ``Clock`` whose time the test chooses.

    Args:
        now: Seconds on the monotonic clock to begin with.
        wall: Seconds since the epoch to begin with.
    """

    def __init__(self, now: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self._now = now
        self._wall = wall

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return self._now

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let time pass; a monotonic clock knows no way back.

        Raises:
            ValueError: The seconds are negative.
        """
        if seconds < 0:
            raise ValueError(
                f"cannot advance a clock by {seconds} s; use set_wall for a wall clock that was put back"
            )
        self._now += seconds
        self._wall += seconds

    def set_wall(self, wall: float) -> None:
        """Put the wall clock, forward or back, as an operator does; the monotonic clock does not notice."""
        self._wall = wall
