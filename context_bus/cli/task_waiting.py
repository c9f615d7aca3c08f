"""Waits for tasks; a terminal sees how far they are. Must not know what is said of their ends."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from context_bus.errors import StillRunning
from context_bus.watch import running
from context_bus.watch.sight import Looker
from context_bus.watch.waiting import wait

if TYPE_CHECKING:
    from context_bus.cli.task_faces import Board
    from context_bus.watch.database import Database
    from context_bus.watch.values import Past

#: Seconds between two paintings, where clocks run; ends are told at once.
CLOCK = 1.0
#: Seconds before anything is shown: who waits for what is as good as done wants no table.
FIRST = 0.2


def ends(database: Database, taskids: Sequence[int], timeout: float | None) -> Iterator[Past]:
    """Yield tasks as they end.

    Args:
        database: Where.
        taskids: Which.
        timeout: Seconds for all together; None for ever.

    Raises:
        WatchError: As `waiting.wait` says.
    """
    if not sys.stderr.isatty():
        yield from wait(database, taskids, timeout)
        return
    from context_bus.cli.task_faces import Board

    # How far they are goes to where results do not.
    with Board(is_passing=True) as board:
        yield from _shown(database, taskids, timeout, board)


def _shown(database: Database, taskids: Sequence[int], timeout: float | None, board: Board) -> Iterator[Past]:
    looker = Looker()
    pending = list(taskids)
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    step = FIRST
    while pending:
        left = max(0.0, deadline - time.monotonic())
        try:
            # One at a time, so that those that are left are not hidden until the next one ends.
            for past in wait(database, pending, min(step, left)):
                pending.remove(past.taskid)
                board.hide()
                yield past
                break
        except StillRunning:
            if left <= step:
                raise StillRunning(tuple(pending), timeout or 0.0) from None
            step = CLOCK
        if step == CLOCK and pending:
            tasks = [task for task in running.tasks(database) if task.id in pending]
            board.show(looker.look(tasks, time.time()), ())
