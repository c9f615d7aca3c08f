"""Follows what a task writes until it has ended. Knows its file and its keepers; must not know what is said.

Wakes when the file or the database is written, or a keeper ends; never in between.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from context_bus.cli.task_keepers import ends_of_keepers
from context_bus.process.tail import Followed
from context_bus.process.writes import Writes
from context_bus.watch import orphans, running

if TYPE_CHECKING:
    from context_bus.watch.database import Database
    from context_bus.watch.values import Task

#: Seconds for which what is written is gathered before it is looked at.
GATHER = 0.05
#: Seconds between two looks where nothing tells of changes.
PAUSE = 1.0


def follow_task(database: Database, taskid: int, file: Path, lines: int) -> Iterator[bytes]:
    """Yield what a task writes, whole lines but for a last one without an end, until it has ended.

    Args:
        database: Where it is.
        taskid: Which task.
        file: Where it writes; rotated parts are followed.
        lines: So many of the last lines come first.

    Raises:
        OSError: The file cannot be read.
        StoreError: The database cannot be read.
    """
    followed = Followed("", os.path.abspath(file))
    with contextlib.closing(followed), Writes() as writes:
        writes.watch([file, database.path, f"{database.path}-wal"])
        if text := followed.begin(lines):
            yield text
        while (task := _settled(database, taskid)) is not None:
            yield from followed.advance()
            _wait(task, writes)
        yield from followed.advance()
        if text := followed.rest():
            yield text


def _settled(database: Database, taskid: int) -> Task | None:
    """The task, if it has not ended; what lost its keepers has."""
    orphans.settle(database, time.time(), taskid=taskid)
    return running.get(database, taskid)


def _wait(task: Task, writes: Writes) -> None:
    """Block until there is something to look at."""
    with ends_of_keepers([task]) as handles:
        poll = select.poll()
        for handle in handles:
            poll.register(handle, select.POLLIN)
        is_told = bool(handles) and not writes.is_blind
        if writes.fileno() >= 0:
            poll.register(writes.fileno(), select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if is_told else PAUSE * 1000)}
        if ready == {writes.fileno()}:
            # What more is written meanwhile comes with the same look.
            poll.unregister(writes.fileno())
            poll.poll(GATHER * 1000)
        writes.take()
