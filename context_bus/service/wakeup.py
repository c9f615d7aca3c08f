"""What wakes a thread that waits for descriptors: another thread, or a signal. Knows descriptors only.

A signal that arrives just before the wait begins does not interrupt it, and its Python handler runs only
when the main thread does something: so the wait has to end by a descriptor that the signal itself writes.
"""

from __future__ import annotations

import contextlib
import os
import threading


class WakeUp:
    """A pipe to wake the one who polls its read end."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # A signal handler may ring while this very thread holds the lock, so it is one that lets it.
        self._lock = threading.RLock()

    def ring(self) -> None:
        """End the wait, or the next one; from any thread or signal handler, also when it is closed."""
        with self._lock:
            if self.write_end >= 0:
                with contextlib.suppress(BlockingIOError):  # full: it has rung often enough
                    os.write(self.write_end, b"\0")

    def clear(self) -> None:
        """Take note of all that rang; look for the reasons after, not before."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.read_end, 4096):
                pass

    def close(self) -> None:
        """Close both ends; doing so again changes nothing."""
        with self._lock:
            ends = self.read_end, self.write_end
            self.read_end = self.write_end = -1
        for end in ends:
            if end >= 0:
                os.close(end)
