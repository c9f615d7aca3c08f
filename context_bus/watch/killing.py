"""Ends tasks on request, trees and all. Knows who keeps a task; must not know how it is kept.

The wish is left in the row, where it survives everybody; its keepers are woken to fulfil it. If they do not,
they are killed and the task is settled like any other that lost them.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from context_bus.errors import NotRunning, TaskOutOfReach, UnknownTask
from context_bus.process import tree
from context_bus.watch import orphans, running
from context_bus.watch.values import TaskStatus, Wish

if TYPE_CHECKING:
    from context_bus.watch.database import Database
    from context_bus.watch.values import Task

#: Seconds between the signal and the kill.
GRACE = 0.5
#: Seconds beyond the grace that keepers may take to see a task to its end; those that do not are killed.
PATIENCE = 3.0
#: Seconds that killed keepers may take to vanish.
_LAST_PATIENCE = 5.0
WHY = "killed on request"


def kill(
    database: Database,
    taskid: int,
    number: signal.Signals = signal.SIGTERM,
    grace: float = GRACE,
    why: str = WHY,
    *,
    patience: float = PATIENCE,
) -> None:
    """End a task and all that it started; returns when that is gone and in the history.

    Args:
        database: Where.
        taskid: Which.
        number: The signal to all its processes.
        grace: Seconds until they are killed.
        why: For the history.
        patience: Seconds beyond the grace until its keepers are killed, too.

    Raises:
        UnknownTask: There is none, or it has ended.
        NotRunning: It is only reserved.
        TaskOutOfReach: It belongs to another user.
        StoreError: The database cannot be read or written.
    """
    task = running.get(database, taskid)
    if task is None:
        raise UnknownTask(taskid, "won't kill")
    if task.status is TaskStatus.RESERVED:
        raise NotRunning(taskid)
    _end(database, [task], Wish(int(number), grace, why), patience)


def killall(
    database: Database,
    name: str,
    number: signal.Signals = signal.SIGTERM,
    grace: float = GRACE,
    why: str = WHY,
    *,
    patience: float = PATIENCE,
) -> int:
    """End all tasks of a name at the same time; reservations of that name are withdrawn.

    Returns:
        How many have ended or were withdrawn.

    Raises:
        TaskOutOfReach: One belongs to another user; the others have ended.
        StoreError: The database cannot be read or written.
    """
    withdrawn = _withdraw(database, name)
    tasks = running.tasks(database, name=name, reserved=False)
    _end(database, tasks, Wish(int(number), grace, why), patience)
    return withdrawn + len(tasks)


def _withdraw(database: Database, name: str) -> int:
    # A launch that has claimed its reservation before is among those that run.
    with database.writing() as connection:
        query = "DELETE FROM tasks WHERE name = ? AND status = 'RESERVED'"
        return connection.execute(query, (name,)).rowcount


def _end(database: Database, tasks: Iterable[Task], wish: Wish, patience: float) -> None:
    asked, out_of_reach = [], []
    for task in tasks:
        try:
            _ask(database, task, wish)
        except PermissionError:
            out_of_reach.append(task)
        else:
            asked.append(task)
    keepers = [one for task in asked for one in orphans.living_keepers(task)]
    # Not before the keepers are gone: until then the task is in nobody else's hands.
    if late := tree.wait_gone(keepers, wish.grace + patience):
        for one in late:
            tree.send_signal(one, signal.SIGKILL)
        tree.wait_gone(late, _LAST_PATIENCE)
    for task in asked:
        orphans.settle(database, time.time(), taskid=task.id, is_patient=True)
        if (left := running.get(database, task.id)) is not None and not orphans.is_kept(left):
            out_of_reach.append(task)
    if out_of_reach:
        raise TaskOutOfReach(out_of_reach[0].id)


def _ask(database: Database, task: Task, wish: Wish) -> None:
    """Leave the wish and wake the keepers, also those that somebody has stopped.

    Raises:
        PermissionError: They are another user's.
    """
    keepers = orphans.living_keepers(task)
    for keeper in keepers:
        tree.send_signal(keeper, signal.SIGCONT)
    with contextlib.suppress(UnknownTask):  # it has ended by itself just now
        running.set_request(database, task.id, wish)
    if keepers:
        tree.send_signal(keepers[0], signal.SIGUSR1)
