"""The three tables of watched tasks: made, emptied, taken over. Knows SQL; must not know what rows mean.

The columns are those that are documented, in their order, then our own. Two numbers in the head of the file
do what a fourth table would: ``application_id`` says that the file is ours and of which version,
``user_version`` which task id was given last, so that none is given twice.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from context_bus.errors import DatabaseTooNew, ForeignDatabase, StoreError, StoreUnavailable, TasksRunning
from context_bus.store import embedded

if TYPE_CHECKING:
    from pathlib import Path

#: Version of the tables.
VERSION = 1
#: "CBW" and a version: what ``application_id`` says in a file of ours.
_MARK = 0x43425700


class Table(NamedTuple):
    """One table.

    Args:
        documented: Columns that are documented, as in ``CREATE TABLE``.
        own: Columns that we append.
    """

    documented: tuple[str, ...]
    own: tuple[str, ...] = ()


TABLES = {
    "tasks": Table(
        (
            "id INTEGER PRIMARY KEY",
            *(f"{name} TEXT" for name in ("name", "info1", "info2", "info3")),
            "pid INTEGER",
            "status TEXT",
            *(f"{name} INTEGER" for name in ("feedback", "reservetime", "starttime", "duration")),
            *(f"{name} INTEGER" for name in ("lastupdate", "timeout")),
        ),
        (
            "argv TEXT",
            "cwd TEXT",
            "ticks INTEGER",
            "boot TEXT",
            *(f"{name} TEXT" for name in ("keepers", "feedfile", "output", "error", "onorphan", "request")),
        ),
    ),
    "feedbacks": Table(("id INTEGER PRIMARY KEY", "feedback BLOB", "lastupdate INTEGER")),
    "history": Table(
        (
            "id INTEGER PRIMARY KEY",
            "taskid INTEGER",
            *(f"{name} TEXT" for name in ("taskname", "info1", "info2", "info3", "termsignal", "termerror")),
            *(f"{name} INTEGER" for name in ("starttime", "endtime", "duration")),
            "feedback BLOB",
        ),
        ("exitcode INTEGER", "outcome TEXT", "elapsed REAL", "argv TEXT", "output TEXT", "error TEXT"),
    ),
}
#: What did not end well; the words stand in the partial indices, and SQLite looks for the very same.
FAILED = "outcome <> 'done'"
#: One for each question of the history, so that a million rows answer as quickly as ten.
_INDICES = (
    "tasks_name ON tasks(name)",
    "history_taskid ON history(taskid)",
    "history_end ON history(endtime)",
    # Statistics of one name need nothing else.
    "history_name ON history(taskname, endtime, id, outcome, elapsed)",
    f"history_failed ON history(endtime) WHERE {FAILED}",
    f"history_name_failed ON history(taskname, endtime) WHERE {FAILED}",
)
#: What the original tool wrote as ``termsignal`` is the status of the wait: exit code * 256 + signal.
_WAITED = "CAST(termsignal AS INTEGER)"
_KNOWN = "ifnull(termsignal, '') GLOB '[0-9]*'"
#: Own columns of a row that the original tool wrote; any other is NULL.
_INFERRED = {
    "exitcode": f"CASE WHEN {_KNOWN} AND {_WAITED} % 128 = 0 THEN {_WAITED} / 256 END",
    "outcome": f"CASE WHEN NOT {_KNOWN} THEN 'lost' WHEN {_WAITED} = 0 THEN 'done' ELSE 'failed' END",
    "elapsed": "CAST(duration AS REAL)",
}


class Kind(Enum):
    """What a file is."""

    EMPTY = "empty"
    OURS = "ours"
    #: Made by the original tool: the documented columns only.
    ORIGINAL = "original"
    FOREIGN = "foreign"


def kind_of(connection: sqlite3.Connection, path: Path) -> Kind:
    """Tell what an open database is.

    Raises:
        DatabaseTooNew: A later version made it.
    """
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark & ~0xFF == _MARK:
        if (version := mark & 0xFF) > VERSION:
            raise DatabaseTooNew(str(path), "watched tasks", version, VERSION)
        return Kind.OURS
    query = "SELECT name FROM main.sqlite_master WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*'"
    names = {name for (name,) in connection.execute(query)}
    if mark or (names and names != TABLES.keys()):
        return Kind.FOREIGN
    if not names:
        return Kind.EMPTY
    is_original = all(_columns(connection, name) == _names(TABLES[name].documented) for name in TABLES)
    return Kind.ORIGINAL if is_original else Kind.FOREIGN


def require_ours(connection: sqlite3.Connection, path: Path, *, for_writing: bool) -> None:
    """Have the tables of this version, within a transaction.

    A file of the original tool is taken over by who writes; to who reads it looks as if it had been.

    Raises:
        DatabaseTooNew: A later version made them.
        ForeignDatabase: The file holds something else.
    """
    match kind_of(connection, path):
        case Kind.FOREIGN:
            raise _foreign(path)
        case Kind.EMPTY if for_writing:
            _make(connection)
        case Kind.EMPTY:
            _pretend_empty(connection)
        case Kind.ORIGINAL if for_writing:
            _take_over(connection)
        case Kind.ORIGINAL:
            _pretend_ours(connection)


def ensure(path: Path) -> None:
    """Have a database: one that is there is left as it is, however many do this at the same time.

    Raises:
        StoreError: It cannot be made, or the file holds something else.
    """
    _make_file(path)
    with contextlib.closing(_Plain(path)) as file, file.writing() as connection:
        require_ours(connection, path, for_writing=True)


def create(path: Path, force: bool = False) -> None:
    """Make a database, or empty one that is there: all it holds is lost.

    Task ids begin at 1 again, unless tasks run: those keep theirs, and go into the history when they end.

    Args:
        path: The file.
        force: Also while tasks run; also if the file holds something else, which is then moved aside to a
            name with ``.old``.

    Raises:
        TasksRunning: Tasks run.
        ForeignDatabase: The file holds something else.
        StoreError: It cannot be written, or was made by a later version.
    """
    try:
        _make_file(path)
        with contextlib.closing(_Plain(path)) as file, file.writing() as connection:
            _empty(connection, path, force=force)
    except ForeignDatabase:
        if not force:
            raise
        _move_aside(path)
        create(path)


class _Plain(embedded.Embedded):
    """The file, whatever it holds; complete in itself when it is closed."""

    keeps_log = 0.0


def _make_file(path: Path) -> None:
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be made: {error.strerror}; use another file") from error
    if not os.path.exists(path) or not os.path.getsize(path):
        embedded.make(path)


def _make(connection: sqlite3.Connection) -> None:
    for name, table in TABLES.items():
        connection.execute(f"CREATE TABLE {name}({', '.join(table.documented + table.own)})")
    _finish(connection)


def _finish(connection: sqlite3.Connection) -> None:
    for index in _INDICES:
        connection.execute(f"CREATE INDEX {index}")
    connection.execute(f"PRAGMA application_id = {_MARK + VERSION}")


def _empty(connection: sqlite3.Connection, path: Path, *, force: bool) -> None:
    kind = kind_of(connection, path)
    if kind is Kind.FOREIGN:
        raise _foreign(path)
    if kind is not Kind.EMPTY:
        query = "SELECT id FROM tasks WHERE status <> 'RESERVED' ORDER BY id"
        running = tuple(taskid for (taskid,) in connection.execute(query))
        if running and not force:
            raise TasksRunning(str(path), running)
        last = last_id(connection) if running else 0
        for name in TABLES:
            connection.execute(f"DROP TABLE {name}")
        connection.execute(f"PRAGMA user_version = {last}")
    _make(connection)


def last_id(connection: sqlite3.Connection) -> int:
    """The task id that was given last; the rows count as well, in case the original tool has added some."""
    (given,) = connection.execute("PRAGMA user_version").fetchone()
    (seen,) = connection.execute("SELECT max(id) FROM tasks").fetchone()
    return int(max(given, seen or 0))


def next_id(connection: sqlite3.Connection) -> int:
    """Give a task id, for good once the transaction is kept."""
    taskid = last_id(connection) + 1
    connection.execute(f"PRAGMA user_version = {taskid}")
    return taskid


def _take_over(connection: sqlite3.Connection) -> None:
    for name, table in TABLES.items():
        for column in table.own:
            connection.execute(f"ALTER TABLE {name} ADD COLUMN {column}")
    values = ", ".join(f"{name} = {value}" for name, value in _INFERRED.items())
    connection.execute(f"UPDATE history SET {values}")
    queries = ("max(id) FROM tasks", "max(id) FROM feedbacks", "max(taskid) FROM history")
    ids = [connection.execute(f"SELECT {query}").fetchone()[0] or 0 for query in queries]
    connection.execute(f"PRAGMA user_version = {max(ids)}")
    _finish(connection)


def _pretend_ours(connection: sqlite3.Connection) -> None:
    """Views in front of the tables, gone with the transaction."""
    _in_memory(connection)
    for name, table in TABLES.items():
        own = (f"{_INFERRED.get(column, 'NULL')} AS {column}" for column in _names(table.own))
        columns = ", ".join((*_names(table.documented), *own))
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM main.{name}")


def _pretend_empty(connection: sqlite3.Connection) -> None:
    """A file that somebody is just making, or never went on to make."""
    _in_memory(connection)
    for name, table in TABLES.items():
        connection.execute(f"CREATE TEMP TABLE {name}({', '.join(table.documented + table.own)})")


def _in_memory(connection: sqlite3.Connection) -> None:
    # A read-only system has no place for temporary files. Refused within a transaction once there are any.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA temp_store = MEMORY")


def _names(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column.split()[0] for column in columns)


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))


def _foreign(path: Path) -> StoreError:
    return ForeignDatabase(f"{path} is a database of something else; it is left alone, use another file")


def _move_aside(path: Path) -> None:
    """Give the file a name that nothing has yet; its log, if it has one, goes with it."""
    name = os.fspath(path)
    number, aside = 1, f"{name}.old"
    while os.path.exists(aside):
        number, aside = number + 1, f"{name}.old{number + 1}"
    try:
        os.rename(name, aside)
        for ending in ("-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(name + ending, aside + ending)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{name}-shm")  # an index of the log, which is made anew
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be moved aside: {error.strerror}") from error
