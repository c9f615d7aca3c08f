"""Rows for tests: tasks that run or ended, and a file as the original tool made it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from context_bus.watch import history, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, claim
from context_bus.watch.values import Ending, Outcome, Task

NOW = 1_700_000_000.0
#: Ends of every kind.
ENDINGS = {
    Outcome.DONE: Ending("", "", 0, Outcome.DONE, 0),
    Outcome.FAILED: Ending("", "exit code 7", 7, Outcome.FAILED, 7),
    Outcome.KILLED: Ending("SIGTERM", "killed on request: signal 15 (SIGTERM)", None, Outcome.KILLED, 143),
    Outcome.TIMEOUT: Ending("SIGTERM", "ran longer than 60 s", None, Outcome.TIMEOUT, 124),
    Outcome.NOTFOUND: Ending("", "command not found: nosuch", 127, Outcome.NOTFOUND, 127),
    Outcome.LOST: Ending("", "launcher was killed; exit code unknown", None, Outcome.LOST, 1),
}
#: The tables as the original tool makes them.
ORIGINAL = """
CREATE TABLE tasks(id INTEGER PRIMARY KEY, name TEXT, info1 TEXT, info2 TEXT, info3 TEXT, pid INTEGER,
    status TEXT, feedback INTEGER, reservetime INTEGER, starttime INTEGER, duration INTEGER,
    lastupdate INTEGER, timeout INTEGER);
CREATE TABLE feedbacks(id INTEGER PRIMARY KEY, feedback BLOB, lastupdate INTEGER);
CREATE TABLE history(id INTEGER PRIMARY KEY, taskid INTEGER, taskname TEXT, info1 TEXT, info2 TEXT,
    info3 TEXT, termsignal TEXT, termerror TEXT, starttime INTEGER, endtime INTEGER, duration INTEGER,
    feedback BLOB);
"""


def run(database: Database, name: str = "one", now: float = NOW) -> Task:
    """A task that was launched just now."""
    taskid = claim(database, now, None, Claim(("true", "a b"), name, ("i", "", "k")))
    task = running.get(database, taskid)
    assert task is not None
    return task


def end(
    database: Database,
    task: Task,
    outcome: Outcome = Outcome.DONE,
    now: float = NOW,
    elapsed: float = 0.0,
) -> int:
    """Have a task in the history."""
    return history.archive(database, task, ENDINGS[outcome], "{}", now, elapsed)


def script(path: Path, *statements: str) -> None:
    """Do something to a file as any program may."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.executescript(statement)


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    """What a file holds, as any program sees it."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
