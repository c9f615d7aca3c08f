"""Time that stands still while a command is stopped. Pure: reads no clock."""

from __future__ import annotations


class Stopwatch:
    """What a command has had of the time: not what passed while it was stopped, by Ctrl-Z or otherwise."""

    def __init__(self) -> None:
        self._lost = 0.0
        self._stopped_at: float | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether time stands still."""
        return self._stopped_at is not None

    def read(self, now: float) -> float:
        """Seconds on a clock that runs only while the command may.

        Args:
            now: Seconds on the monotonic clock, as for all others.
        """
        return (now if self._stopped_at is None else self._stopped_at) - self._lost

    def at(self, time: float) -> float:
        """When this clock will show a time, if the command is not stopped before."""
        return time + self._lost

    def stop(self, now: float) -> None:
        """The command is stopped; it may be already."""
        if self._stopped_at is None:
            self._stopped_at = now

    def go(self, now: float) -> None:
        """The command goes on; it may do so already."""
        if self._stopped_at is not None:
            self._lost += now - self._stopped_at
            self._stopped_at = None
