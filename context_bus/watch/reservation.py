"""Task ids: given, kept for seconds, taken up, never given again. Knows rows; must not know processes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from context_bus.errors import AlreadyReserved, NotClearToStart
from context_bus.process.tree import Identity
from context_bus.watch.rows import argv_text, keepers_text, storable
from context_bus.watch.schema import next_id
from context_bus.watch.values import NO_INFO, Info, TaskStatus

if TYPE_CHECKING:
    from context_bus.watch.database import Database

#: Whole seconds that a reservation may be old; it is gone when older.
EXPIRY = 5


class Places(NamedTuple):
    """Files of one task; None where it has none.

    Args:
        feedfile: Absolute path of its feedback file.
        output: Of its standard output.
        error: Of its standard error.
    """

    feedfile: str | None = None
    output: str | None = None
    error: str | None = None


def _nowhere(_taskid: int) -> Places:
    return Places()


class Claim(NamedTuple):
    """What is known of a task when it is launched: all but the pid.

    Args:
        argv: The command.
        name: Its name; empty for that of the reservation, or of the command if that has none.
        info: Three texts; an empty one is that of the reservation.
        feedback: Whether it is expected to write feedback.
        timeout: Seconds without feedback that it may live.
        cwd: Its directory.
        boot: Id of this boot of the machine.
        keepers: Who sees to its end: the watcher, then the front.
        onorphan: What becomes of it without them: "end" or "adopt".
        places: Names its files when the id is known.
    """

    argv: tuple[str, ...]
    name: str = ""
    info: Info = NO_INFO
    feedback: bool = False
    timeout: float = 30.0
    cwd: str = ""
    boot: str = ""
    keepers: tuple[Identity, ...] = ()
    onorphan: str = "end"
    places: Callable[[int], Places] = _nowhere


def reserve(
    database: Database,
    now: float,
    name: str = "",
    *,
    unique: bool = False,
    at_most: int | None = None,
    info: Info = NO_INFO,
) -> int:
    """Give an id to a task to be launched within a few seconds.

    Args:
        database: Where.
        now: Seconds since the epoch.
        name: Name of the task.
        unique: Only if no other task of that name is reserved or runs.
        at_most: Only if fewer than so many are.
        info: Three texts that belong to it.

    Returns:
        The id; it is never given again.

    Raises:
        AlreadyReserved: There are as many of that name as there may be.
        ValueError: Tasks without a name are not counted.
        StoreError: It cannot be written.
    """
    most = 1 if unique else at_most
    if most is not None and (most < 1 or not name):
        raise ValueError("unique and at_most need a name, and at_most at least 1")
    # Counting and taking in one transaction that keeps others out: of any number at once, one wins.
    with database.writing() as connection:
        expire(connection, now)
        if most is None or _count(connection, name) < most:
            row = {"name": name, "status": TaskStatus.RESERVED, "reservetime": int(now), **_info(info)}
            return _insert(connection, row)
    # Raised behind the transaction, so that what has expired is gone all the same.
    raise AlreadyReserved(name, most)


def expire(connection: sqlite3.Connection, now: float) -> int:
    """Delete reservations that nobody has taken up in time.

    Args:
        connection: In a transaction that writes.
        now: Seconds since the epoch.

    Returns:
        How many.
    """
    # One from the future was made before the clock was put back: nobody knows its age, and it must not stay.
    query = f"DELETE FROM tasks WHERE status = 'RESERVED' AND abs(? - reservetime) > {EXPIRY}"
    expired = connection.execute(query, (int(now),)).rowcount
    if expired:
        connection.execute("DELETE FROM feedbacks WHERE id NOT IN (SELECT id FROM tasks)")
    return expired


def claim(database: Database, now: float, taskid: int | None, claim: Claim) -> int:
    """Take up a reservation: the task counts as running from here on.

    Args:
        database: Where.
        now: Seconds since the epoch.
        taskid: What was reserved; None to have a new id.
        claim: What is known of the task.

    Returns:
        The id.

    Raises:
        NotClearToStart: The id is not reserved, or no longer.
        StoreError: It cannot be written.
    """
    with database.writing() as connection:
        expire(connection, now)
        if taskid is None:
            taskid = _insert(connection, {"status": TaskStatus.RESERVED, "reservetime": int(now)})
        if (kept := _kept(connection, taskid, claim)) is not None:
            row = kept | _facts(claim, now) | claim.places(taskid)._asdict()
            values = ", ".join(f"{column} = ?" for column in row)
            connection.execute(f"UPDATE tasks SET {values} WHERE id = ?", (*storable(row.values()), taskid))
            return taskid
    raise NotClearToStart(taskid)


def _count(connection: sqlite3.Connection, name: str) -> int:
    (count,) = connection.execute("SELECT count(*) FROM tasks WHERE name = ?", (name,)).fetchone()
    assert isinstance(count, int)
    return count


def _insert(connection: sqlite3.Connection, row: dict[str, object]) -> int:
    taskid = next_id(connection)
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    query = f"INSERT INTO tasks(id, {columns}) VALUES (?, {marks})"
    connection.execute(query, (taskid, *storable(row.values())))
    return taskid


def _kept(connection: sqlite3.Connection, taskid: int, claim: Claim) -> dict[str, object] | None:
    """Name and texts, those of the reservation where the launch gives none; None if nothing is reserved."""
    query = "SELECT name, info1, info2, info3 FROM tasks WHERE id = ? AND status = 'RESERVED'"
    reserved = connection.execute(query, (taskid,)).fetchone()
    if reserved is None:
        return None
    name, *texts = reserved
    info = (given or kept for given, kept in zip(claim.info, texts, strict=True))
    return {"name": claim.name or name or _command(claim.argv), **_info(info)}


def _facts(claim: Claim, now: float) -> dict[str, object]:
    return {
        "status": TaskStatus.RUNNING,
        "feedback": int(claim.feedback),
        "starttime": int(now),
        "duration": 0,
        "lastupdate": int(now),
        "timeout": claim.timeout,
        "argv": argv_text(claim.argv),
        "cwd": claim.cwd,
        "boot": claim.boot,
        "keepers": keepers_text(claim.keepers),
        "onorphan": claim.onorphan,
    }


def _info(info: Iterable[str | None]) -> dict[str, object]:
    return {f"info{number}": text or None for number, text in enumerate(info, 1)}


def _command(argv: tuple[str, ...]) -> str:
    return os.path.basename(argv[0]) if argv else ""
