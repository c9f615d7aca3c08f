"""The file of watched tasks: made, emptied, taken over, refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from context_bus.errors import DatabaseTooNew, ForeignDatabase, StoreError, TasksRunning
from context_bus.watch import history, reservation, running, schema
from context_bus.watch.database import Database
from context_bus.watch.values import Filter, Outcome, TaskStatus
from tests.watch.rows import NOW, ORIGINAL, ask, end, run, script

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
#: What another program may have put where a database is wanted, and what is said of it.
FOREIGN = {
    "other tables": ("CREATE TABLE t(x);", "is a database of something else"),
    "one of ours": ("CREATE TABLE tasks(id);", "is a database of something else"),
    "other columns": (ORIGINAL.replace("termsignal", "sig"), "is a database of something else"),
    "one more": (ORIGINAL + "CREATE TABLE t(x);", "is a database of something else"),
    "another mark": ("PRAGMA application_id = 7;" + ORIGINAL, "is a database of something else"),
    "text": (None, "is not an SQLite database"),
}


@pytest.fixture(params=FOREIGN)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A file of something else, and what is said of it."""
    content, said = FOREIGN[request.param]
    path = tmp_path / "foreign.db"
    if content is None:
        path.write_text("something that people wrote\n" * 50)
    else:
        script(path, content)
    return path, said


def test_initialize_makes_exactly_the_three_tables(path: Path) -> None:
    """T1: the documented columns first, in their order and of their types."""
    assert ask(path, TABLES) == [("feedbacks",), ("history",), ("tasks",)]
    for name, table in schema.TABLES.items():
        found = ask(path, f"PRAGMA table_info({name})")
        columns = [f"{row[1]} {row[2]}{' PRIMARY KEY' if row[5] else ''}" for row in found]
        assert columns == [*table.documented, *table.own]


def test_documented_columns_are_those_of_the_original(path: Path, tmp_path: Path) -> None:
    """T1: what reads a file of the original tool by position, reads ours."""
    original = tmp_path / "original.db"
    script(original, ORIGINAL)
    for name in schema.TABLES:
        theirs = ask(original, f"PRAGMA table_info({name})")
        assert ask(path, f"PRAGMA table_info({name})")[: len(theirs)] == theirs


def test_initialize_again_empties(database: Database, path: Path) -> None:
    """T1: all three tables, also for who has the file open."""
    end(database, run(database))
    reservation.reserve(database, NOW)
    schema.create(path)
    assert (running.tasks(database), history.count(database, Filter())) == ([], 0)
    assert ask(path, TABLES) == [("feedbacks",), ("history",), ("tasks",)]


def test_initialize_refuses_while_a_task_runs(database: Database, path: Path) -> None:
    """T1: unless forced; the task comes into the history all the same."""
    task = run(database)
    with pytest.raises(TasksRunning, match=rf"not initialized while task {task.id} runs; .* --force"):
        schema.create(path)
    assert running.tasks(database) == [task]
    schema.create(path, force=True)
    assert running.tasks(database) == []
    running.set_pid(database, task.id, 1, 1)
    running.set_status(database, task.id, TaskStatus.SILENT, NOW)
    running.store_feedback(database, task.id, "{}", NOW)
    end(database, task)
    assert [past.taskid for past in history.past(database, Filter())] == [task.id]
    assert ask(path, "SELECT count(*) FROM feedbacks") == [(0,)]


def test_initialize_makes_directories(tmp_path: Path) -> None:
    """A program that asks for a file below a directory of its own need not make that."""
    schema.create(tmp_path / "a" / "b" / "tasks.db")
    assert (tmp_path / "a" / "b" / "tasks.db").exists()


def test_a_path_may_be_odd(tmp_path: Path) -> None:
    """SQLite is given an address, in which some characters mean something."""
    path = tmp_path / "a?b#c%41 ä.db"
    schema.create(path)
    with Database(path) as database:
        assert reservation.reserve(database, NOW) == 1
    assert all(name.startswith(path.name) for name in os.listdir(tmp_path))
    with Database(Path("/" + os.fspath(path))) as database:
        assert reservation.reserve(database, NOW) == 2


def test_a_foreign_file_is_left_alone(foreign: tuple[Path, str]) -> None:
    """T1: by who reads, who writes and who initializes; not a byte changes."""
    path, said = foreign
    before = path.read_bytes()
    for attempt in (
        lambda: schema.create(path),
        lambda: schema.ensure(path),
        lambda: running.tasks(Database(path)),
        lambda: reservation.reserve(Database(path), NOW),
    ):
        with pytest.raises(ForeignDatabase, match=f"foreign.db {said}"):
            attempt()
    assert path.read_bytes() == before


def test_a_foreign_file_is_moved_aside_by_force(foreign: tuple[Path, str]) -> None:
    """T1: nothing is lost, and nothing that was moved before is, either."""
    path, _ = foreign
    before = path.read_bytes()
    path.with_name("foreign.db.old").write_text("older")
    schema.create(path, force=True)
    assert path.with_name("foreign.db.old2").read_bytes() == before
    assert path.with_name("foreign.db.old").read_text() == "older"
    with Database(path) as database:
        assert running.tasks(database) == []


def test_a_file_of_the_original_is_taken_over_by_who_writes(tmp_path: Path) -> None:
    """Its rows stay, get what can be told of them, and its ids are not given again."""
    path = original(tmp_path)
    with Database(path) as database:
        assert reservation.reserve(database, 1000.0) == 10
        assert_original(database)
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    assert ask(path, "SELECT termsignal, termerror FROM history WHERE id = 2") == [("1792", "TBD")]


def test_a_file_of_the_original_can_be_read_as_it_is(tmp_path: Path) -> None:
    """Who only looks changes nothing, and sees the same."""
    path = original(tmp_path)
    before = path.read_bytes()
    with Database(path) as database:
        for _ in range(2):
            assert_original(database)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def original(directory: Path) -> Path:
    path = directory / "original.db"
    rows = ", ".join(
        f"({number}, 9, 't', NULL, '', 'c', {signal}, 'TBD', 100, 103, 3, 'to be implemented')"
        for number, signal in enumerate(("'0'", "'1792'", "'15'", "NULL", "'odd'"), 1)
    )
    task = "(4, 'four', 'a', NULL, NULL, 77, 'RUNNING', 1, 995, 996, 3, 999, 30)"
    script(path, ORIGINAL, f"INSERT INTO history VALUES {rows}", f"INSERT INTO tasks VALUES {task}")
    return path


def assert_original(database: Database) -> None:
    """What `original` holds, in our words."""
    pasts = list(history.past(database, Filter()))
    assert [(past.outcome, past.exitcode) for past in reversed(pasts)] == [
        (Outcome.DONE, 0),
        (Outcome.FAILED, 7),
        (Outcome.FAILED, None),
        (Outcome.LOST, None),
        (Outcome.LOST, None),
    ]
    assert pasts[3][:12] == (2, 9, "t", None, "", "c", "1792", "TBD", 100, 103, 3, "to be implemented")
    assert (pasts[3].elapsed, pasts[3].argv) == (3.0, ())
    assert len(list(history.past(database, Filter(failed=True)))) == 4
    task = running.get(database, 4)
    assert task is not None
    assert task[:13] == (4, "four", "a", None, None, 77, "RUNNING", 1, 995, 996, 3, 999, 30)
    assert (task.keepers, task.boot) == ((), None)


def test_a_later_version_is_refused_with_what_to_do(path: Path) -> None:
    """Also by force: what a later version knows, this one cannot judge."""
    script(path, f"PRAGMA application_id = {0x43425700 + schema.VERSION + 1}")
    before = path.read_bytes()
    for attempt in (
        lambda: running.tasks(Database(path)),
        lambda: reservation.reserve(Database(path), NOW),
        lambda: schema.create(path, force=True),
    ):
        with pytest.raises(DatabaseTooNew, match=r"newer context_bus .*upgrade, or use another --db$"):
            attempt()
    assert path.read_bytes() == before


def test_what_nobody_went_on_to_make_is_empty(tmp_path: Path) -> None:
    """A program that was killed between making the file and its tables."""
    path = tmp_path / "tasks.db"
    path.touch()
    with Database(path) as database:
        assert running.tasks(database) == []
        assert history.count(database, Filter()) == 0
        assert reservation.reserve(database, NOW) == 1
        assert len(running.tasks(database)) == 1


def test_ensure_leaves_what_is_there(database: Database, path: Path) -> None:
    """However many want the file at the same time, none of them empties it."""
    task = run(database)
    schema.ensure(path)
    assert running.tasks(database) == [task]


@pytest.mark.parametrize("prepare", [None, Path.touch, lambda path: script(path, ORIGINAL)])
def test_many_can_make_it_at_once(tmp_path: Path, prepare: Callable[[Path], None] | None) -> None:
    """Each reserves an id of its own in the file that all of them made, or took over."""
    path, ids = tmp_path / "tasks.db", []
    if prepare is not None:
        prepare(path)
    barrier = threading.Barrier(8)

    def reserve() -> None:
        barrier.wait(10)
        schema.ensure(path)
        with Database(path) as database:
            ids.append(reservation.reserve(database, NOW))

    threads = [threading.Thread(target=reserve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == [*range(1, 9)]
    assert ask(path, TABLES) == [("feedbacks",), ("history",), ("tasks",)]


@pytest.mark.parametrize("attempt", [schema.create, schema.ensure])
def test_where_no_file_can_be(tmp_path: Path, attempt: object) -> None:
    """One line each, that names the path."""
    (tmp_path / "file").touch()
    assert callable(attempt)
    for path in (tmp_path, tmp_path / "file" / "below", Path("/proc/tasks.db")):
        with pytest.raises(StoreError, match=str(path)) as caught:
            attempt(path)
        assert "\n" not in str(caught.value)


def test_the_log_goes_with_what_is_moved_aside(tmp_path: Path) -> None:
    """A database of something else that nobody closed keeps its last rows in its log."""
    path, copy = tmp_path / "a.db", tmp_path / "b.db"
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (42)")
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    connection.close()
    schema.create(copy, force=True)
    assert ask(tmp_path / "b.db.old", "SELECT x FROM t") == [(42,)]
