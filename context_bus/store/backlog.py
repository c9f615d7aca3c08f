"""What is recorded and not yet durable: a queue that stays bounded however long the store is out of order.

Any thread may use it. It knows the order of changes and nothing of databases.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from context_bus.store.ahead import Ahead
from context_bus.store.changes import Change

Callback = Callable[[], None]


@dataclass(eq=False, slots=True)
class Batch:
    """Everything that was recorded while the last commit ran.

    Args:
        changes: In order, by slot and generation; a barrier begins a new generation.
        expendable: Events and the like, in order.
        number: How many changes were ever recorded with the last one of these.
    """

    changes: dict[Hashable, Change] = field(default_factory=dict)
    expendable: deque[Change] = field(default_factory=deque)
    number: int = 0

    def __len__(self) -> int:
        return len(self.changes) + len(self.expendable)

    def in_order(self) -> list[Change]:
        """The changes; expendable ones come last, for nothing else depends on them."""
        return [*self.changes.values(), *self.expendable]


class Backlog:
    """The queue between who records and who writes.

    Args:
        most_expendable: Changes of the kind that may be given up which are kept at most; of others only
            the last for each slot is kept, and what has no slot is kept always.
        ahead: File that has what is recorded before the database has it.
        linger: Seconds that changes wait for others, so that commits are few; unless somebody waits.
    """

    def __init__(self, most_expendable: int, ahead: Ahead | None = None, linger: float = 0.0) -> None:
        self._most = most_expendable
        self.ahead, self._linger = ahead, linger
        self._lock = threading.Lock()
        #: Something is there to be written; somebody waits for it, or there will be no more.
        self._arrived, self._hurry = threading.Condition(self._lock), threading.Condition(self._lock)
        self._pending = Batch()
        self._serial, self._generation = itertools.count(), 0
        self._durable = 0
        self._waiting: deque[tuple[int, Callback]] = deque()
        self._dropped = 0
        #: On the monotonic clock; None as long as changes may come.
        self._deadline: float | None = None

    # -- whoever records ---------------------------------------------------------------------------

    def add(self, change: Change) -> None:
        """Enter a change; nothing that comes after the end is taken."""
        with self._lock:
            if self._deadline is not None:
                return
            self._pending.number += 1
            if change.is_expendable:
                self._pending.expendable.append(change)
                self._shed()
            else:
                self._enter(change)
            if self.ahead is not None:
                self.ahead.append(change)
            self._arrived.notify()

    def when_durable(self, callback: Callback) -> bool:
        """Keep a callback until all that was recorded so far would survive this process.

        Returns:
            Whether it is pending; False if there is nothing to wait for, then it was not kept.
        """
        if self.ahead is not None and self.ahead.is_whole:
            return False
        return self.when_written(callback)

    def when_written(self, callback: Callback) -> bool:
        """Keep a callback until the database has all that was recorded so far.

        Returns:
            As `when_durable`.
        """
        with self._lock:
            if self._durable >= self._pending.number:
                return False
            self._waiting.append((self._pending.number, callback))
            self._hurry.notify_all()
            return True

    def begin(self, first: Change, last_sequence: int) -> None:
        """Write ahead from now on; what an earlier run wrote ahead is in the database."""
        with self._lock:
            if self.ahead is not None:
                self.ahead.begin(first, last_sequence, self._pending.in_order())

    def close(self, deadline: float) -> None:
        """Take no more changes.

        Args:
            deadline: On the monotonic clock: until then it is worth while to write the rest.
        """
        with self._lock:
            self._deadline = deadline
            self._arrived.notify_all()
            self._hurry.notify_all()

    # -- whoever writes ----------------------------------------------------------------------------

    def take(self) -> Batch | None:
        """Wait for changes and take all there are; None when there will be no more."""
        with self._lock:
            while not self._pending and self._deadline is None:
                self._arrived.wait()
            self._hurry.wait_for(self._is_urgent, self._linger)
            if not self._pending:
                return None
            batch = self._pending
            self._pending = Batch(number=batch.number)
            return batch

    def restore(self, batch: Batch) -> None:
        """Put back what could not be written, before all that came meanwhile."""
        with self._lock:
            later, self._pending = self._pending, batch
            batch.number = later.number
            for slot, change in later.changes.items():
                self._replace(slot, change)
            batch.expendable.extend(later.expendable)
            self._shed()
            if self.ahead is not None and self.ahead.is_large:
                self.ahead.settle(self._pending.in_order())

    def settle(self, batch: Batch) -> list[Callback]:
        """Note that a batch is durable.

        Returns:
            The callbacks that waited for it.
        """
        due = []
        with self._lock:
            self._durable = batch.number
            if self.ahead is not None and (not self._pending or self.ahead.is_large):
                self.ahead.settle(self._pending.in_order())
            while self._waiting and self._waiting[0][0] <= self._durable:
                due.append(self._waiting.popleft()[1])
        return due

    def pause(self, seconds: float, when_closing: float) -> bool:
        """Wait before another attempt.

        Args:
            seconds: So long.
            when_closing: Or so long, once no more changes come.

        Returns:
            Whether another attempt is worth while.
        """
        with self._lock:
            if self._deadline is None:
                self._hurry.wait_for(lambda: self._deadline is not None, seconds)
            elif (left := self._deadline - time.monotonic()) > 0:
                self._hurry.wait(min(when_closing, left))
            return self._deadline is None or time.monotonic() < self._deadline

    def rest(self, seconds: float) -> bool:
        """Let so much time pass, unless somebody waits; False if there will be no more changes."""
        with self._lock:
            self._hurry.wait_for(self._is_urgent, seconds)
            return self._deadline is None

    def dropped(self) -> int:
        """Changes given up since the last time this was asked."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            return dropped

    def __len__(self) -> int:
        with self._lock:
            return len(self._pending)

    # -- with the lock held ------------------------------------------------------------------------

    def _is_urgent(self) -> bool:
        return (
            bool(self._waiting)
            or self._deadline is not None
            or (self.ahead is not None and not self.ahead.is_whole)
        )

    def _enter(self, change: Change) -> None:
        slot = change.slot
        if slot is None:
            self._pending.changes[next(self._serial)] = change
            # What was recorded before a barrier must not move behind it.
            self._generation += change.is_barrier
        else:
            self._replace((self._generation, slot), change)

    def _replace(self, slot: Hashable, change: Change) -> None:
        older = self._pending.changes.pop(slot, None)
        self._pending.changes[slot] = change if older is None else change.replacing(older)

    def _shed(self) -> None:
        expendable = self._pending.expendable
        while len(expendable) > self._most:
            expendable.popleft()
            self._dropped += 1
