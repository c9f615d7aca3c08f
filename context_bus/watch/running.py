"""Tasks that have not ended. Knows their rows; must not know who runs them, nor what has ended."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from context_bus.errors import UnknownTask
from context_bus.watch.liveness import status_of
from context_bus.watch.reservation import expire
from context_bus.watch.rows import TASK, keepers_text, task_of, text_of, wish_text
from context_bus.watch.values import TaskStatus

if TYPE_CHECKING:
    from context_bus.process.tree import Identity
    from context_bus.watch.database import Database
    from context_bus.watch.values import Task, Wish


def tasks(
    database: Database, *, name: str | None = None, reserved: bool = True, now: float | None = None
) -> list[Task]:
    """All tasks that are reserved or run, by id. Costs the same however long the history is.

    Args:
        database: Where.
        name: Only those with this name.
        reserved: Whether those that are only reserved are wanted, too.
        now: Seconds since the epoch, to have them as they stand then; without, as they were last written.

    Raises:
        StoreError: It cannot be read.
    """
    wanted = ["1"] + ["name = ?"] * (name is not None) + ["status <> 'RESERVED'"] * (not reserved)
    query = f"SELECT {TASK} FROM tasks WHERE {' AND '.join(wanted)} ORDER BY id"
    with database.reading() as connection:
        rows = connection.execute(query, () if name is None else (name,)).fetchall()
    found = map(task_of, rows)
    return [*found] if now is None else [as_of(task, now) for task in found]


def get(database: Database, taskid: int) -> Task | None:
    """One task; None if there is none (any more)."""
    with database.reading() as connection:
        row = connection.execute(f"SELECT {TASK} FROM tasks WHERE id = ?", (taskid,)).fetchone()
        return None if row is None else task_of(row)


def as_of(task: Task, now: float) -> Task:
    """A task as it stands now: how long it runs, and how old its feedback is by the time of its file.

    Args:
        task: As it was last written.
        now: Seconds since the epoch.
    """
    if task.status is TaskStatus.RESERVED or task.starttime is None:
        return task
    duration = max(0, int(now) - task.starttime)
    if not (task.feedback and task.feedfile and task.timeout):
        return task._replace(duration=duration)
    try:
        changed = os.stat(task.feedfile).st_mtime
    except OSError:  # not there yet, or no longer
        changed = 0.0
    status = status_of(now - max(changed, task.starttime), task.timeout)
    # Beyond the timeout it is for its watcher to say what it is.
    return task._replace(duration=duration, status=status or TaskStatus.STALLED)


def set_pid(database: Database, taskid: int, pid: int, ticks: int) -> None:
    """Say which process the command is; nothing happens if the task was forgotten meanwhile."""
    _set(database, taskid, {"pid": pid, "ticks": ticks})


def set_keepers(database: Database, taskid: int, keepers: Iterable[Identity]) -> None:
    """Say who sees to its end from now on; nothing happens if the task was forgotten meanwhile."""
    _set(database, taskid, {"keepers": keepers_text(keepers)})


def set_status(database: Database, taskid: int, status: TaskStatus, lastupdate: float) -> None:
    """Say how a task that runs stands, and how long; nothing happens if it was forgotten meanwhile.

    Args:
        database: Where.
        taskid: Which.
        status: How it stands.
        lastupdate: When that was seen, in seconds since the epoch.
    """
    query = (
        "UPDATE tasks SET status = ?, lastupdate = ?, duration = max(0, ? - starttime) "
        "WHERE id = ? AND status <> 'RESERVED'"
    )
    at = int(lastupdate)
    with database.writing() as connection:
        connection.execute(query, (status, at, at, taskid))


def set_request(database: Database, taskid: int, wish: Wish) -> None:
    """Leave a wish that a task be ended, for whoever keeps it.

    Raises:
        UnknownTask: It has ended.
    """
    if not _set(database, taskid, {"request": wish_text(wish)}):
        raise UnknownTask(taskid, "won't kill")


def store_feedback(database: Database, taskid: int, json_text: str, now: float) -> None:
    """Keep what a task reported last; nothing happens if it was forgotten meanwhile."""
    query = (
        "INSERT INTO feedbacks(id, feedback, lastupdate) SELECT id, ?, ? FROM tasks WHERE id = ? "
        "ON CONFLICT(id) DO UPDATE SET feedback = excluded.feedback, lastupdate = excluded.lastupdate"
    )
    with database.writing() as connection:
        connection.execute(query, (json_text, int(now), taskid))


def last_feedback(database: Database, taskid: int) -> str:
    """What a task that runs reported last, as JSON; ``{}`` if nothing."""
    with database.reading() as connection:
        row = connection.execute("SELECT feedback FROM feedbacks WHERE id = ?", (taskid,)).fetchone()
        return text_of(row and row[0])


def update(database: Database, now: float) -> None:
    """Bring durations and statuses up to date and delete expired reservations; `lastupdate` stays.

    Raises:
        StoreError: It cannot be written.
    """
    query = "UPDATE tasks SET duration = ?, status = ? WHERE id = ?"
    with database.writing() as connection:
        expire(connection, now)
        looked = tasks(database, reserved=False, now=now)
        connection.executemany(query, [(task.duration, task.status, task.id) for task in looked])


def _set(database: Database, taskid: int, values: dict[str, object]) -> bool:
    changes = ", ".join(f"{column} = ?" for column in values)
    with database.writing() as connection:
        query = f"UPDATE tasks SET {changes} WHERE id = ?"
        return connection.execute(query, (*values.values(), taskid)).rowcount > 0
