"""Time that stands still while a command is stopped. Pure: reads no clock."""

from __future__ import annotations


class Stopwatch:
    """What a command has had of the time: not what passed while it was stopped, by Ctrl-Z or otherwise.

    There may be several who are stopped or go on, each by a name; time passes only when all do.
    """

    def __init__(self) -> None:
        self._lost = 0.0
        self._stopped_at: float | None = None
        self._stopped: set[str] = set()

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

    def stop(self, who: str, now: float) -> None:
        """Somebody is stopped; he may be already."""
        self._stopped.add(who)
        if self._stopped_at is None:
            self._stopped_at = now

    def go(self, who: str, now: float) -> None:
        """Somebody goes on; he may do so already."""
        self._stopped.discard(who)
        if self._stopped_at is not None and not self._stopped:
            self._lost += now - self._stopped_at
            self._stopped_at = None
