"""Keeps samples without ever delaying a frame: takes them in, and a thread of its own writes them.

Knows the thread; imports the database in it, since nobody needs to wait for that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from context_bus.monitor.sample import Sample
from context_bus.store.address import Address

if TYPE_CHECKING:
    from context_bus.monitor.ledger import Ledger

_log = logging.getLogger(__name__)

#: Seconds between two commits at least; what is killed loses no more than that.
COMMIT_EVERY = 1.0
#: Samples that wait for a store which takes none; beyond it the oldest are given up. About 10 MB.
PENDING = 50_000
#: Seconds before the second attempt to write; doubled for each one after it.
FIRST_PAUSE = 0.25
#: Seconds between two attempts at most.
LONGEST_PAUSE = 10.0
#: Attempts that may fail before somebody is told, if only somebody else was writing.
SILENT = 3
#: Seconds between two looks at what is too old.
PRUNE_EVERY = 30.0
#: Seconds in which the rest is written when a monitor stops.
LAST_CALL = 2.0

#: Told why records wait; or, without a reason, that they are kept again and how many are lost.
Tell = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept.

    Args:
        retention: Seconds that a sample is kept.
        limit: Bytes that all may take.
        commit_every: Seconds between two commits at least.
        prune_every: Seconds between two looks at what is too old.
    """

    retention: float
    limit: int
    commit_every: float = COMMIT_EVERY
    prune_every: float = PRUNE_EVERY


class Keeper:
    """Keeps the samples of one monitor.

    Args:
        address: Which database.
        transaction: Whose services they are of.
        keeping: How long, how many.
        tell: Told of trouble, in the thread.
    """

    def __init__(self, address: Address, transaction: str, keeping: Keeping, tell: Tell) -> None:
        self._address, self._transaction, self._keeping = address, transaction, keeping
        self._tell = tell
        self._moved = threading.Condition()
        self._pending: deque[Sample] = deque()
        self._lost = 0
        self._deadline: float | None = None
        self._failures = 0
        self._is_told = False
        self._thread = threading.Thread(target=self._work, name="records", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def keep(self, samples: Iterable[Sample]) -> None:
        """Take samples in; costs microseconds, never waits for a disk, never raises."""
        with self._moved:
            self._pending.extend(samples)
            self._shed()
            self._moved.notify_all()

    def stop(self) -> None:
        """Write what is left, as far as that does not take long."""
        with self._moved:
            if self._deadline is None:
                self._deadline = time.monotonic() + LAST_CALL
            self._moved.notify_all()
        if self._thread.ident is not None:
            self._thread.join(LAST_CALL + FIRST_PAUSE)

    # -- in the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        from context_bus.monitor.ledger import Ledger

        ledger = Ledger(self._address)
        prune_at = 0.0
        try:
            while (batch := self._take(prune_at)) is not None:
                written_at = time.monotonic()
                if batch and not self._write(ledger, batch):
                    continue
                if time.monotonic() >= prune_at:
                    prune_at = time.monotonic() + self._prune(ledger)
                if batch:
                    self._rest(written_at + self._keeping.commit_every)
        finally:
            ledger.close()

    def _take(self, prune_at: float) -> list[Sample] | None:
        """Wait until there is something to do; None when there will be nothing any more."""
        with self._moved:
            while not self._pending and self._deadline is None:
                left = prune_at - time.monotonic()
                if left <= 0:
                    return []
                self._moved.wait(left)
            if not self._pending:
                return None
            batch = list(self._pending)
            self._pending.clear()
            return batch

    def _write(self, ledger: Ledger, batch: list[Sample]) -> bool:
        try:
            ledger.write(self._transaction, batch)
        except Exception as error:  # noqa: BLE001  # one tick of a shell loop: kept, told, tried again
            ledger.close()
            self._restore(batch)
            self._endure(error)
            return False
        self._failures = 0
        if self._is_told:
            self._is_told = False
            lost, self._lost = self._lost, 0
            self._tell("", lost)
        return True

    def _prune(self, ledger: Ledger) -> float:
        """Delete a part of what is too old; returns after how many seconds to look again."""
        keep_from = round((time.time() - self._keeping.retention) * 1000)
        try:
            is_done = ledger.prune(keep_from, self._keeping.limit)
        except Exception as error:  # noqa: BLE001  # one tick of a shell loop: the next one prunes as well
            ledger.close()
            _log.debug("not pruned: store=%s reason=%s", self._address, error)
            return self._keeping.prune_every
        return self._keeping.prune_every if is_done else self._keeping.commit_every

    def _restore(self, batch: list[Sample]) -> None:
        with self._moved:
            self._pending.extendleft(reversed(batch))
            self._shed()

    def _endure(self, error: Exception) -> None:
        """Tell of a failure once, and wait; who stops is not kept waiting for a store that is broken."""
        from context_bus.store.engine import is_busy, reason_of

        self._failures += 1
        if not self._is_told and (self._failures > SILENT or not is_busy(error)):
            self._is_told = True
            self._tell(f"{self._address} takes nothing: {reason_of(error)}", 0)
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 30), LONGEST_PAUSE)
        with self._moved:
            self._moved.wait_for(lambda: self._deadline is not None, pause)
            if self._deadline is not None and (not is_busy(error) or time.monotonic() > self._deadline):
                _log.warning("not kept: store=%s samples=%d", self._address, len(self._pending))
                self._pending.clear()

    def _rest(self, until: float) -> None:
        """Let samples come together, so that commits are few."""
        with self._moved:
            self._moved.wait_for(lambda: self._deadline is not None, max(0.0, until - time.monotonic()))

    def _shed(self) -> None:
        """Give up the oldest, with the lock held."""
        while len(self._pending) > PENDING:
            self._pending.popleft()
            self._lost += 1
