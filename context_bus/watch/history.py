"""Tasks that have ended, by the million. Knows their rows and the filters; must not know how they were run.

The last one comes first, wherever there is an order. No answer holds a transaction while its reader works.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from context_bus.watch.rows import PAST, argv_text, past_of, storable
from context_bus.watch.schema import FAILED

if TYPE_CHECKING:
    from context_bus.watch.database import Database
    from context_bus.watch.values import Ending, Filter, Past, Task

#: Rows read at once: some milliseconds, so that no reader keeps the log from being emptied.
_PAGE = 1000
#: Rows deleted at once: less than a tenth of a second that other writers wait, though they are scattered.
_STEP = 2000


def archive(
    database: Database, task: Task, ending: Ending, feedback: str, now: float, elapsed: float
) -> int:
    """Move a task into the history, once: whoever comes second gets the row of the first.

    Also a task whose row is gone, since the database was initialized while it ran.

    Args:
        database: Where.
        task: What is known of it.
        ending: How it ended.
        feedback: What it reported last, as JSON.
        now: When it ended, in seconds since the epoch.
        elapsed: How long it ran, in seconds.

    Returns:
        Number of the row.

    Raises:
        StoreError: It cannot be written; the task stays among those that run.
    """
    with database.writing() as connection:
        is_there = connection.execute("DELETE FROM tasks WHERE id = ?", (task.id,)).rowcount > 0
        connection.execute("DELETE FROM feedbacks WHERE id = ?", (task.id,))
        if not is_there and (found := _archived(connection, task.id)):
            return found
        row = _row(task, ending, feedback, now, elapsed)
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        query = f"INSERT INTO history({columns}) VALUES ({marks})"
        number = connection.execute(query, storable(row.values())).lastrowid
        assert number is not None
        return number


def past(database: Database, filter: Filter) -> Iterator[Past]:
    """Rows of the history, the last end first, however many: they come in pages, each from its own moment.

    Raises:
        StoreError: It cannot be read.
    """
    left, end = filter.limit, _END
    while left is None or left > 0:
        page = _page(database, filter, end, _PAGE if left is None else min(_PAGE, left))
        yield from page
        if len(page) < _PAGE:
            return
        end = _End(page[-1].endtime or 0, page[-1].id)
        left = None if left is None else left - len(page)


def in_order(database: Database) -> Iterator[Past]:
    """All rows of the history in the order in which they came, read as `past` reads them.

    Raises:
        StoreError: It cannot be read.
    """
    query = f"SELECT {PAST} FROM history WHERE id > ? ORDER BY id LIMIT {_PAGE}"
    last, is_whole = 0, True
    while is_whole:
        with database.reading() as connection:
            page = [past_of(row) for row in connection.execute(query, (last,))]
        yield from page
        is_whole = len(page) == _PAGE
        last = page[-1].id if page else last


def count(database: Database, filter: Filter) -> int:
    """How many rows there are, up to the limit of the filter."""
    condition, values = where(filter)
    query = f"SELECT count(*) FROM (SELECT 1 FROM history WHERE {condition} LIMIT ?)"
    with database.reading() as connection:
        (number,) = connection.execute(query, (*values, _limit(filter.limit))).fetchone()
        assert isinstance(number, int)
        return number


def clear(database: Database, filter: Filter) -> int:
    """Delete rows, in steps that let other writers in between; with a limit, the oldest.

    Returns:
        How many. What ends meanwhile is not among them.

    Raises:
        StoreError: It cannot be written; steps before are done.
    """
    if is_everything(filter):  # SQLite drops all pages at once
        with database.writing() as connection:
            return connection.execute("DELETE FROM history").rowcount
    with database.reading() as connection:
        (newest,) = connection.execute("SELECT max(id) FROM history").fetchone()
    condition, values = where(filter)
    total, left = 0, filter.limit
    while left is None or left > 0:
        step = _STEP if left is None else min(_STEP, left)
        deleted = _delete(database, f"{condition} AND id <= ?", (*values, newest or 0), step)
        total += deleted
        if deleted < step:
            break
        left = None if left is None else left - deleted
    return total


def prune(database: Database, before: float, most: int = _STEP) -> int:
    """Delete the oldest of what ended before a time.

    Args:
        database: Where.
        before: Seconds since the epoch.
        most: Rows to delete at most: what is left is for the next time.

    Returns:
        How many.

    Raises:
        StoreError: It cannot be written.
    """
    return _delete(database, "endtime < ?", (before,), most)


def is_everything(filter: Filter) -> bool:
    """Whether the filter leaves nothing out."""
    return all(value in (None, False) for value in filter)


def where(filter: Filter) -> tuple[str, tuple[object, ...]]:
    """The condition that a filter is, and its values; never empty. Does not know the limit."""
    terms: list[tuple[str, object]] = []
    if filter.taskid is not None:
        terms.append(("taskid = ?", filter.taskid))
    if filter.name is not None:
        # The id says it all; the plus keeps SQLite from walking through all of the name instead.
        terms.append(("taskname = ?" if filter.taskid is None else "+taskname = ?", filter.name))
    if filter.since is not None:
        terms.append(("endtime >= ?", filter.since))
    if filter.until is not None:
        terms.append(("endtime <= ?", filter.until))
    words = [term for term, _ in terms] + [FAILED] * filter.failed
    return " AND ".join(words or ["1"]), tuple(value for _, value in terms)


class _End(NamedTuple):
    """Where the page before has ended."""

    endtime: int
    id: int


#: After all rows.
_END = _End(2**62, 2**62)


def _page(database: Database, filter: Filter, end: _End, size: int) -> list[Past]:
    condition, values = where(filter)
    query = (
        f"SELECT {PAST} FROM history WHERE {condition} AND (endtime, id) < (?, ?) "
        "ORDER BY endtime DESC, id DESC LIMIT ?"
    )
    with database.reading() as connection:
        return [past_of(row) for row in connection.execute(query, (*values, *end, size))]


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _delete(database: Database, condition: str, values: tuple[object, ...], most: int) -> int:
    oldest = f"SELECT id FROM history WHERE {condition} ORDER BY endtime, id LIMIT ?"
    with database.writing() as connection:
        return connection.execute(f"DELETE FROM history WHERE id IN ({oldest})", (*values, most)).rowcount


def _archived(connection: sqlite3.Connection, taskid: int) -> int:
    row = connection.execute("SELECT max(id) FROM history WHERE taskid = ?", (taskid,)).fetchone()
    return int(row[0] or 0)


def _row(task: Task, ending: Ending, feedback: str, now: float, elapsed: float) -> dict[str, Any]:
    # The end is read from the clock of now, and the start from it: the clock may have been put right between.
    endtime, duration = round(now), round(elapsed)
    return {
        "taskid": task.id,
        "taskname": task.name,
        "info1": task.info1,
        "info2": task.info2,
        "info3": task.info3,
        "termsignal": ending.termsignal,
        "termerror": ending.termerror,
        "starttime": endtime - duration,
        "endtime": endtime,
        "duration": duration,
        "feedback": feedback or "{}",
        "exitcode": ending.exitcode,
        "outcome": ending.outcome,
        "elapsed": elapsed,
        "argv": argv_text(task.argv),
        "output": task.output,
        "error": task.error,
    }
