"""The wish that a service stop, visible to threads and to event loops. Knows nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable


class Stopping:
    """Set once, by whoever wants the service to stop; waited for from any thread or loop."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether the service is to stop."""
        return self._event.is_set()

    def set(self) -> None:
        """Ask for the stop; doing so again changes nothing."""
        with self._lock:
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for tell in listeners:
            tell()

    def wait(self, seconds: float | None = None) -> bool:
        """Block the calling thread until the stop is asked for, or the time is over.

        Returns:
            True when the service is to stop.
        """
        return self._event.wait(seconds)

    async def wait_async(self, seconds: float | None = None) -> bool:
        """Do what `wait` does without blocking the event loop."""
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not asked.done():
                asked.set_result(None)

        def tell() -> None:
            # The loop may have ended since this was taken from the list; then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

        if not self._listen(tell):
            return True
        try:
            await asyncio.wait([asked], timeout=seconds)
        finally:
            self._forget(tell)
        return self.is_set()

    def _listen(self, tell: Callable[[], None]) -> bool:
        with self._lock:
            if self._event.is_set():
                return False
            self._listeners.append(tell)
            return True

    def _forget(self, tell: Callable[[], None]) -> None:
        with self._lock:
            if tell in self._listeners:
                self._listeners.remove(tell)
