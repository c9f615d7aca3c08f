"""The thread that refreshes what is shown: at its pace, and at once when something happens.

Must not know Textual: what it knows is handed over, and it goes on when that has been taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from context_bus.view.live import Live
from context_bus.view.snapshot import Snapshot

#: Seconds between two looks, at most, for a provider that is gone.
SEEK_EVERY = 0.5
#: Seconds for which events are gathered before one looks again: some come by the hundred.
GATHER = 0.1


class Poller:
    """Refreshes until it is closed.

    Args:
        live: What is refreshed.
        every: Seconds between two refreshes in which nothing happens.
        tell: Takes a snapshot, on this thread; `taken` must be called when it has been shown.
    """

    def __init__(self, live: Live, every: float, tell: Callable[[Snapshot], object]) -> None:
        self._live, self._every, self._tell = live, every, tell
        self._wake, self._taken, self._closing = threading.Event(), threading.Event(), threading.Event()
        self._paused = False
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def taken(self) -> None:
        """The last snapshot has been shown."""
        self._taken.set()

    def hurry(self) -> None:
        """Refresh now."""
        self._wake.set()

    def pause(self, *, is_paused: bool) -> None:
        """Refresh no more, or go on."""
        self._paused = is_paused
        self._wake.set()

    def close(self, timeout: float) -> None:
        """End; waits for a refresh that is under way, but not for ever."""
        self._closing.set()
        self._wake.set()
        self._taken.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        forget = self._live.observe(lambda event: self._wake.set())
        due = time.monotonic()
        while not self._closing.is_set():
            if not self._paused and self._look():
                continue
            every = min(self._every, SEEK_EVERY) if self._live.latest.trouble else self._every
            now = time.monotonic()
            if now >= due:  # else something happened before it was time, which puts nothing off
                due = due + every if now < due + every else now + every
            self._rest(due)
        forget()

    def _look(self) -> bool:
        """Refresh, and have it shown; whether there is more to be had at once.

        A provider that was not there before tells what services use after half a second only; what there is
        is shown before that.
        """
        figures = not self._live.latest.trouble
        self._taken.clear()
        found = self._live.refresh(figures=figures)
        self._tell(found)
        self._taken.wait()
        return not figures and not found.trouble

    def _rest(self, due: float) -> None:
        """Wait until it is time; sooner if something happens, but never at once again."""
        if self._closing.wait(min(GATHER, self._every)):
            return
        self._wake.wait(None if self._paused else max(0.0, due - time.monotonic()))
        self._wake.clear()
