"""Record without waiting: a provider's loop says what changed, a thread makes it durable.

Knows the thread and the loop; must not import a database, which takes longer than a provider needs to start.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from context_bus.errors import StoreError, StoreUnavailable
from context_bus.store.address import Address
from context_bus.store.ahead import Ahead
from context_bus.store.backlog import Backlog, Callback
from context_bus.store.changes import Change, RunEnded
from context_bus.store.remembered import Remembered
from context_bus.store.run import Run
from context_bus.store.scribe import DEFAULTS, Limits, Scribe, Telling

if TYPE_CHECKING:
    from context_bus.store.component import Contribution

_log = logging.getLogger(__name__)

#: Seconds beyond its deadline that a thread may take to come back from a disk that hangs.
_LAST_PATIENCE = 0.5


def _unheard(_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom a recorder tells how its store is; both are called in the loop.

    Args:
        trouble: The store takes nothing, for this reason; what is recorded is kept in memory. Told once.
        recovered: Everything kept is written; so many events were given up meanwhile.
    """

    trouble: Callable[[str], None] = _unheard
    recovered: Callable[[int], None] = _unheard


#: When nobody wants to know.
NOBODY = Listeners()


class Recorder:
    """Records the changes of one run of a provider.

    All methods but `record` belong to the thread of the loop. Nothing that the store does raises there,
    once it is open.

    Args:
        address: Which database; the caller holds the lock of its place.
        run: The run.
        listeners: Whom to tell how the store is.
        contributions: Components of other rooms, made in the recorder's thread.
        limits: How long to wait for what, how much to keep.
    """

    def __init__(
        self,
        address: Address,
        run: Run,
        listeners: Listeners = NOBODY,
        contributions: Sequence[Contribution] = (),
        limits: Limits = DEFAULTS,
    ) -> None:
        self._address, self._listeners = address, listeners
        self._ahead = Ahead(address.path) if address.path is not None else None
        self._backlog = Backlog(limits.events_pending, self._ahead, limits.linger)
        self._introduction, self._run = run, 0
        self._loop: asyncio.AbstractEventLoop
        self._opened: asyncio.Future[Remembered]
        self._gone: asyncio.Future[None]
        self._flushes: set[asyncio.Future[None]] = set()
        self._scribe = Scribe(address, run, contributions, self._backlog, self._telling(), limits)

    # -- lifecycle ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write, in a thread, for the running loop; returns at once."""
        self._loop = asyncio.get_running_loop()
        self._opened, self._gone = self._loop.create_future(), self._loop.create_future()
        # Who never asks need not be told by the garbage collector.
        self._opened.add_done_callback(lambda future: future.exception())
        known = self._known()
        if known is not None:
            self._backlog.begin(self._introduction.began(known.run), known.last_sequence)
            self._set_opened(known)
        number = known.run if known is not None else 0
        threading.Thread(target=self._work, args=(number,), name="recorder", daemon=True).start()

    def _known(self) -> Remembered | None:
        """What is in the store, if that is known without opening it: nothing, or nothing that counts."""
        if self._ahead is None:
            return None
        if self._address.is_new:
            return None if self._ahead.has_changes() else Remembered()
        rest = self._ahead.rest()
        return None if rest is None else Remembered(run=rest.run + 1, last_sequence=rest.last_sequence)

    async def opened(self) -> Remembered:
        """Wait until it is known what is in the store; not at all if it is new, or the last run ended well.

        Returns:
            What the store knows of earlier runs.

        Raises:
            StoreTooNew: A later version wrote it.
            StoreLocked: Another provider owns it.
            StoreUnavailable: It cannot be used.
        """
        return await asyncio.shield(self._opened)

    async def close(
        self, how: str = "stopped", deadline: float = 5.0, *, leaves_nothing: bool = False
    ) -> int:
        """Write what is left and end; may be called again.

        Args:
            how: How the run ended, in a word, for its record.
            deadline: Seconds this may take.
            leaves_nothing: Nothing is to be brought back, so that the next run need not look.

        Returns:
            How many changes could not be written.
        """
        if self._run:
            self.record(RunEnded(self._run, time.time(), how))
        self._backlog.close(time.monotonic() + deadline)
        await asyncio.wait([self._gone], timeout=deadline + _LAST_PATIENCE)
        # What stands in the file is not lost: the next run takes it over.
        lost = 0 if self._ahead is not None and self._ahead.is_whole else len(self._backlog)
        if self._ahead is not None:
            is_complete = self._gone.done() and self._ahead.is_whole and not self._backlog
            self._leave(self._ahead, at_rest=leaves_nothing and is_complete)
        if lost or not self._gone.done():
            _log.error("not recorded: store=%s changes=%d", self._address, lost)
        for flush in self._flushes:
            if not flush.done():
                flush.set_exception(StoreUnavailable(f"{self._address}: closed before it took everything"))
        return lost

    # -- recording ---------------------------------------------------------------------------------

    def record(self, change: Change) -> None:
        """Record a change; costs microseconds, never waits, never raises. Any thread may call it."""
        self._backlog.add(change)

    def when_durable(self, callback: Callback) -> None:
        """Call something in the loop once all that was recorded so far survives us: at once if it does.

        While nothing can be kept the call waits, and it never comes if the recorder ends before.
        """
        if not self._backlog.when_durable(callback):
            callback()

    async def flushed(self) -> None:
        """Wait until all that was recorded so far is in the database.

        Raises:
            StoreUnavailable: The recorder ended before.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._flushes.add(future)
        try:
            if not self._backlog.when_written(lambda: _finish(future)):
                return
            if self._gone.done() and not future.done():
                raise StoreUnavailable(f"{self._address}: closed before it took everything")
            await future
        finally:
            self._flushes.discard(future)

    def _leave(self, ahead: Ahead, *, at_rest: bool) -> None:
        try:
            if at_rest:
                ahead.end(self._run)
        except OSError as error:
            _log.debug("not put to rest: store=%s reason=%s", self._address, error)
        ahead.close()

    # -- in the thread -----------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        try:
            self._scribe.run(number)
        except Exception:  # border of the thread: a bug in us must not end in silence
            _log.exception("recorder ended: store=%s", self._address)
            raise
        finally:
            self._in_loop(lambda: _finish(self._gone))

    def _telling(self) -> Telling:
        return Telling(
            opened=lambda found: self._in_loop(lambda: self._set_opened(found)),
            trouble=lambda reason: self._in_loop(lambda: self._listeners.trouble(reason)),
            recovered=lambda dropped: self._in_loop(lambda: self._listeners.recovered(dropped)),
            durable=self._in_loop_each,
        )

    def _in_loop(self, call: Callback) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            _log.debug("not told: the loop is closed")

    def _in_loop_each(self, calls: Sequence[Callback]) -> None:
        for call in calls:
            self._in_loop(call)

    # -- in the loop -------------------------------------------------------------------------------

    def _set_opened(self, found: Remembered | StoreError) -> None:
        if isinstance(found, Remembered):
            self._run = found.run
        if self._opened.done():
            return
        if isinstance(found, Remembered):
            self._opened.set_result(found)
        else:
            self._opened.set_exception(found)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
