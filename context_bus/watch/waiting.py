"""Waits for tasks to end, woken by their ends. Knows who keeps a task; must not know how it is kept."""

from __future__ import annotations

import math
import os
import select
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from context_bus.errors import NeverLaunched, StillRunning, TaskOutOfReach, UnknownTask
from context_bus.kernel.closing import Closing
from context_bus.process import tree
from context_bus.watch import history, orphans, running
from context_bus.watch.reservation import EXPIRY
from context_bus.watch.values import Filter, TaskStatus

if TYPE_CHECKING:
    from context_bus.process.changes import FileChanges
    from context_bus.watch.database import Database
    from context_bus.watch.values import Past, Task

#: Seconds between looks at what is reserved, however often the database is written.
_PAUSE = 0.05
#: How often a task is looked at that changes hands at this moment.
_LOOKS = 5


def wait(database: Database, taskids: Iterable[int], timeout: float | None = None) -> Iterator[Past]:
    """Wait until tasks have ended; costs nothing until one does.

    Args:
        database: Where.
        taskids: Which.
        timeout: Seconds for all together; None for ever.

    Yields:
        Each as it is in the history, in the order in which they end.

    Raises:
        UnknownTask: There is none, neither running nor in the history.
        NeverLaunched: It was reserved only, and is no longer.
        StillRunning: Some have not ended in time.
        TaskOutOfReach: What is left of one must be ended by another user.
        StoreError: The database cannot be read or written.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    with _Waiting(database) as waiting:
        due = list(dict.fromkeys(taskids))
        pending = set(due)
        while pending:
            for taskid in due:
                if (past := waiting.look(taskid)) is not None:
                    pending.discard(taskid)
                    yield past
            if not pending:
                return
            if time.monotonic() >= deadline:
                raise StillRunning(tuple(sorted(pending)), timeout or 0.0)
            due = waiting.next(deadline)


class _Waiting(Closing):
    """What there is to wait for: ends of processes, and what becomes of reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._poll = select.epoll()
        self._ends: dict[int, int] = {}
        self._reserved: dict[int, float] = {}
        self._changes: FileChanges | None = None

    def close(self) -> None:
        """Release the descriptors."""
        for handle in self._ends:
            os.close(handle)
        self._ends.clear()
        self._poll.close()
        if self._changes is not None:
            self._changes.close()

    def look(self, taskid: int) -> Past | None:
        """See whether a task has ended; if not, it will be told by `next`."""
        self._forget(taskid)
        for _ in range(_LOOKS):
            task = running.get(self._database, taskid)
            if task is None:
                return self._past(taskid)
            if task.status is TaskStatus.RESERVED:
                if self._await_launch(task):
                    return None
                continue
            self._reserved.pop(taskid, None)
            if self._await_end(task):
                return None
            orphans.settle(self._database, time.time(), taskid=taskid, is_patient=True)
        raise TaskOutOfReach(taskid)

    def next(self, deadline: float) -> list[int]:
        """Block until something happens; returns which tasks to look at.

        Args:
            deadline: On the monotonic clock, infinite for never.
        """
        now = time.monotonic()
        times = [deadline, *self._reserved.values()]
        if self._changes is not None and self._reserved:
            times.append(self._changes.next_time)
        rest = min(times) - now
        # The kernel counts whole milliseconds: rounded up, or the last one would be spent turning round.
        happened = self._poll.poll(None if rest == math.inf else max(0.0, rest) + 0.001)
        ended = [self._ends[handle] for handle, _ in happened if handle in self._ends]
        if self._changes is not None:
            self._changes.take(time.monotonic())
        return list(dict.fromkeys([*ended, *self._reserved]))

    def _await_launch(self, task: Task) -> bool:
        """Whether the database is watched for its launch, and was so before the row was read."""
        left = (task.reservetime or 0) + EXPIRY + 1 - time.time()
        if left <= 0:
            raise NeverLaunched(task.id)
        self._reserved[task.id] = time.monotonic() + left
        if self._changes is not None:
            return True
        from context_bus.process.changes import FileChanges

        self._changes = FileChanges(_PAUSE)
        self._changes.watch(f"{self._database.path}-wal")
        self._poll.register(self._changes.fileno(), select.EPOLLIN)
        return False

    def _await_end(self, task: Task) -> bool:
        """Whether there is somebody whose end will be told."""
        alive = orphans.living_keepers(task)
        for one in alive:
            try:
                handle = os.pidfd_open(one.pid)
            except ProcessLookupError:
                self._forget(task.id)
                return False
            # It pins the pid: what is alive now is what the handle means.
            if not tree.is_alive(one):
                os.close(handle)
                self._forget(task.id)
                return False
            self._ends[handle] = task.id
            self._poll.register(handle, select.EPOLLIN)
        return bool(alive)

    def _past(self, taskid: int) -> Past:
        was_reserved = self._reserved.pop(taskid, None) is not None
        past = next(history.past(self._database, Filter(taskid=taskid, limit=1)), None)
        if past is None:
            raise NeverLaunched(taskid) if was_reserved else UnknownTask(taskid)
        return past

    def _forget(self, taskid: int) -> None:
        for handle in [handle for handle, whose in self._ends.items() if whose == taskid]:
            self._poll.unregister(handle)
            del self._ends[handle]
            os.close(handle)
