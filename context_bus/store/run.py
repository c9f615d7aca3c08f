"""One life of a provider, as it introduces itself to its store. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from context_bus.store.changes import RunBegan


@dataclass(frozen=True, slots=True)
class Run:
    """Who writes.

    Args:
        pid: Process id.
        ticks: Start time in clock ticks since boot.
        boot_id: Which boot of the machine.
        at: Seconds since the epoch.
    """

    pid: int
    ticks: int
    boot_id: str
    at: float

    def began(self, number: int) -> RunBegan:
        """What is recorded of it."""
        return RunBegan(number, self.pid, self.ticks, self.boot_id, self.at)
