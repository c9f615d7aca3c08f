"""The thread that writes: takes what is recorded, commits it, tries again when the store is out of order.

Knows the backlog; imports the database itself, in its own thread, so that nobody waits for that.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from context_bus.errors import StoreError, StoreUnavailable
from context_bus.store.address import Address
from context_bus.store.backlog import Backlog, Batch
from context_bus.store.remembered import Remembered
from context_bus.store.run import Run

if TYPE_CHECKING:
    from context_bus.store.component import Contribution
    from context_bus.store.writer import Writer

_log = logging.getLogger(__name__)

#: Seconds between two attempts when no more changes come and somebody waits for the end.
_CLOSING_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """How a recorder behaves when its store does not.

    Args:
        first_pause: Seconds before the second attempt; doubled for each one after it.
        leisure: Seconds after which a store is opened whose contents nobody waits for.
        linger: Seconds that changes wait for others, as long as they are safe meanwhile.
        longest_pause: Seconds between two attempts at most.
        opening: Seconds that a store which is there may be locked when it is opened.
        events_pending: Events that wait for the store at most; beyond it the oldest are given up.
        events_kept: Events that the store keeps; None for the default of the tables.
        processes_kept: Ended processes that the store keeps; None for the default of the tables.
    """

    first_pause: float = 0.05
    leisure: float = 1.0
    linger: float = 0.05
    longest_pause: float = 2.0
    opening: float = 5.0
    events_pending: int = 10_000
    events_kept: int | None = None
    processes_kept: int | None = None


#: Limits of a provider.
DEFAULTS = Limits()


@dataclass(frozen=True, slots=True)
class Telling:
    """Whom a scribe tells; each is called in its thread.

    Args:
        opened: What was found in the store, or why it cannot be used.
        trouble: The store takes nothing, for this reason; told once.
        recovered: It takes everything again; so many changes were given up meanwhile.
        durable: Callbacks that are due.
    """

    opened: Callable[[Remembered | StoreError], None]
    trouble: Callable[[str], None]
    recovered: Callable[[int], None]
    durable: Callable[[list[Callable[[], None]]], None]


@dataclass(eq=False, slots=True)
class Scribe:
    """Writes one backlog into one store; `run` is the thread.

    Args:
        address: Which database.
        introduction: The run that writes.
        contributions: Components besides the provider's own.
        backlog: What to write.
        tell: Whom to tell.
        limits: How long to wait for what.
    """

    address: Address
    introduction: Run
    contributions: Sequence[Contribution]
    backlog: Backlog
    tell: Telling
    limits: Limits = DEFAULTS
    _writer: Writer | None = field(default=None, init=False)
    _has_begun: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)

    def run(self, number: int = 0) -> None:
        """Write until the backlog is closed and empty, or its deadline has passed.

        Args:
            number: Number of the run, if that is known; then a store that cannot be opened is trouble like
                any other. Else somebody waits for what is in the store, and that ends it all.
        """
        self._number = number
        try:
            if number or self._open():
                self._follow()
        finally:
            if self._writer is not None:
                self._writer.close()

    def _open(self) -> bool:
        """Open a store that somebody waits to read; only one in use is worth a second attempt."""
        deadline = time.monotonic() + self.limits.opening
        while True:
            try:
                self._begin()
                return True
            except Exception as error:  # noqa: BLE001  # border of the thread: told to who waits
                if not _is_busy(error) or time.monotonic() > deadline:
                    _log.debug("not opened: store=%s", self.address, exc_info=True)
                    self.tell.opened(self._unusable(error))
                    return False
            if not self.backlog.pause(self.limits.first_pause, _CLOSING_PAUSE):
                self.tell.opened(StoreUnavailable(f"{self.address.context}: closed before it was open"))
                return False

    def _unusable(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if _is_busy(error):
            remedy = "end who uses it, or try later"
        elif self.address.path is not None:
            remedy = "mend it, or start with --fresh in another --state"
        else:
            remedy = "mend the server or its URL, or start with --fresh and another --store"
        return StoreUnavailable(
            f"{self.address.context}: {self.address} cannot be used: {_reason(error)}; {remedy}"
        )

    def _begin(self) -> None:
        from context_bus.store.schema import EVENTS_KEPT, PROCESSES_KEPT, core
        from context_bus.store.writer import Writer

        if self._writer is None:
            own = core(
                EVENTS_KEPT if self.limits.events_kept is None else self.limits.events_kept,
                PROCESSES_KEPT if self.limits.processes_kept is None else self.limits.processes_kept,
            )
            self._writer = Writer(self.address, [own, *(make() for make in self.contributions)])
        if self._number:
            self._writer.begin(self.introduction, self._number)
        else:
            remembered = self._writer.begin(self.introduction, earlier=self.backlog.ahead)
            self._number = remembered.run
            self.backlog.begin(self.introduction.began(self._number), remembered.last_sequence)
            self.tell.opened(remembered)
        self._has_begun = True

    def _follow(self) -> None:
        # A store that is new, or at rest, is opened before there is anything to write, but not at once:
        # there is much to do when a provider starts.
        batch: Batch | None = Batch() if self.backlog.rest(self.limits.leisure) else self.backlog.take()
        while batch is not None:
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001  # one tick of a shell loop: kept, told, tried again
                self.backlog.restore(batch)
                if not self._endure(error):
                    return
            else:
                self._prune(len(batch))
            batch = self.backlog.take()

    def _write(self, batch: Batch) -> None:
        if not self._has_begun or (self._failures and self.address.is_new):
            # The second is a store that somebody deleted: what is wanted from now on goes into a new one.
            self._begin()
        assert self._writer is not None
        if batch:
            self._writer.write(batch.in_order())
        if due := self.backlog.settle(batch):
            self.tell.durable(due)
        dropped = self.backlog.dropped()
        if self._failures or dropped:
            self._failures = 0
            self.tell.recovered(dropped)

    def _endure(self, error: Exception) -> bool:
        """Tell of a failure if it is the first, and wait; False if there is no time left."""
        if not self._failures:
            _log.debug("not written: store=%s", self.address, exc_info=True)
            self.tell.trouble(f"{self.address.context}: {self.address} takes nothing: {_reason(error)}")
        pause = min(self.limits.first_pause * 2 ** min(self._failures, 30), self.limits.longest_pause)
        self._failures += 1
        return self.backlog.pause(pause, _CLOSING_PAUSE)

    def _prune(self, written: int) -> None:
        assert self._writer is not None
        try:
            self._writer.prune(written)
        except Exception as error:  # noqa: BLE001  # one tick of a shell loop: the next one prunes as well
            _log.warning("not pruned: store=%s reason=%s", self.address, _reason(error))
            with contextlib.suppress(Exception):
                self._writer.close()


def _is_busy(error: Exception) -> bool:
    from context_bus.store.engine import is_busy

    return is_busy(error)


def _reason(error: Exception) -> str:
    from context_bus.store.engine import reason_of

    return reason_of(error)
