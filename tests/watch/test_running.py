"""Tasks that run: what is written of them, how they are read, how they stand by the time of their files."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from context_bus.errors import UnknownTask
from context_bus.process.tree import Identity
from context_bus.watch import reservation, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, Places
from context_bus.watch.values import Task, TaskStatus, Wish
from tests.watch.rows import NOW, ask, end, run


def beating(database: Database, file: Path, timeout: float, now: float = NOW) -> int:
    """A task that is expected to write feedback."""
    facts = Claim(("x", "--feedback"), feedback=True, timeout=timeout, places=lambda _: Places(str(file)))
    return reservation.claim(database, now, None, facts)


def seen(database: Database, taskid: int, now: float) -> Task:
    """The task as it stands now."""
    (task,) = (task for task in running.tasks(database, now=now) if task.id == taskid)
    return task


def test_tasks_are_listed_by_id(database: Database) -> None:
    one, two, three = (run(database, name) for name in "bab")
    four = reservation.reserve(database, NOW, "b")
    assert [task.id for task in running.tasks(database)] == [one.id, two.id, three.id, four]
    assert running.tasks(database, name="a") == [two]
    assert running.tasks(database, name="b", reserved=False) == [one, three]
    assert running.tasks(database, name="none") == []


def test_one_task_is_found_by_its_id(database: Database) -> None:
    task = run(database)
    assert running.get(database, task.id) == task
    assert running.get(database, task.id + 1) is None
    end(database, task)
    assert running.get(database, task.id) is None


def test_pid_keepers_and_wish_come_back_as_they_were_written(database: Database) -> None:
    task = run(database)
    keepers = (Identity(7, 70), Identity(8, 80))
    wish = Wish(15, 0.5, "because of 'quotes' and ä")
    running.set_pid(database, task.id, 123, 456)
    running.set_keepers(database, task.id, keepers)
    running.set_request(database, task.id, wish)
    expected = task._replace(pid=123, ticks=456, keepers=keepers, request=wish)
    assert running.get(database, task.id) == expected


def test_a_wish_for_what_has_ended_is_refused(database: Database) -> None:
    task = run(database)
    end(database, task)
    with pytest.raises(UnknownTask, match=r"^unknown taskid, won't kill$"):
        running.set_request(database, task.id, Wish(15, 0.5, ""))


def test_a_status_tells_when_it_was_seen(database: Database) -> None:
    task = run(database)
    running.set_status(database, task.id, TaskStatus.SILENT, NOW + 9.7)
    expected = {"status": TaskStatus.SILENT, "lastupdate": int(NOW) + 9, "duration": 9}
    assert running.get(database, task.id) == task._replace(**expected)
    running.set_status(database, task.id, TaskStatus.RUNNING, NOW - 5)
    found = running.get(database, task.id)
    assert found is not None
    assert found.duration == 0


def test_a_reservation_has_no_status_but_that(database: Database) -> None:
    taskid = reservation.reserve(database, NOW)
    running.set_status(database, taskid, TaskStatus.RUNNING, NOW)
    running.update(database, NOW + 1)
    (task,) = running.tasks(database, now=NOW + 1)
    assert (task.status, task.duration) == (TaskStatus.RESERVED, None)


def test_feedback_is_kept_under_the_id_of_its_task(database: Database, path: Path) -> None:
    """The last one only; none of what has ended."""
    one, two = run(database), run(database)
    assert running.last_feedback(database, one.id) == "{}"
    running.store_feedback(database, two.id, '{"a": "1"}', NOW + 1.5)
    running.store_feedback(database, two.id, '{"a": "2"}', NOW + 2.5)
    assert running.last_feedback(database, two.id) == '{"a": "2"}'
    assert running.last_feedback(database, one.id) == "{}"
    assert ask(path, "SELECT id, lastupdate FROM feedbacks") == [(two.id, int(NOW) + 2)]
    end(database, two)
    running.store_feedback(database, two.id, '{"a": "3"}', NOW + 3)
    assert ask(path, "SELECT * FROM feedbacks") == []


def test_update_refreshes_durations_and_leaves_lastupdate(database: Database) -> None:
    """T29: and deletes reservations that are too old."""
    task = run(database)
    old = reservation.reserve(database, NOW)
    running.update(database, NOW + 100.9)
    found = running.get(database, task.id)
    assert found == task._replace(duration=100)
    assert running.get(database, old) is None


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (5, TaskStatus.RUNNING),
        (10, TaskStatus.SILENT),
        (15, TaskStatus.SILENT),
        (20, TaskStatus.STALLED),
        (35, TaskStatus.STALLED),
        (41, TaskStatus.STALLED),
    ],
)
def test_a_task_stands_by_the_age_of_its_feedback(
    database: Database, tmp_path: Path, age: int, status: TaskStatus
) -> None:
    """T14: timeout 40; live for who lists, written by who updates. Beyond is for the watcher to judge."""
    file = tmp_path / "feedback_1.log"
    file.write_text("[progress]1\n")
    taskid = beating(database, file, 40, NOW - 3600)
    os.utime(file, (NOW - age, NOW - age))
    assert seen(database, taskid, NOW).status is status
    assert seen(database, taskid, NOW).duration == 3600
    running.update(database, NOW)
    found = running.get(database, taskid)
    assert found is not None
    assert (found.status, found.lastupdate) == (status, int(NOW) - 3600)


def test_without_a_file_the_age_counts_from_the_start(database: Database, tmp_path: Path) -> None:
    """T17, T18: so it does with a file that was left from earlier."""
    file = tmp_path / "feedback_1.log"
    taskid = beating(database, file, 40)
    assert seen(database, taskid, NOW + 5).status is TaskStatus.RUNNING
    assert seen(database, taskid, NOW + 15).status is TaskStatus.SILENT
    file.touch()
    os.utime(file, (NOW - 1000, NOW - 1000))
    assert seen(database, taskid, NOW + 5).status is TaskStatus.RUNNING


def test_a_task_that_need_not_give_feedback_just_runs(database: Database) -> None:
    task = run(database)
    assert seen(database, task.id, NOW + 1e6) == task._replace(duration=1_000_000)


def test_listing_does_not_look_at_the_history(database: Database, path: Path) -> None:
    """Whatever its size: SQLite itself says which tables the questions touch."""
    run(database)
    touched = set()

    def note(action: int, first: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ:
            touched.add(first)
        return sqlite3.SQLITE_OK

    with database.reading() as connection:
        connection.set_authorizer(note)
        running.tasks(database, name="one", now=NOW)
        running.get(database, 1)
        connection.set_authorizer(None)
    assert touched == {"tasks"}


def test_what_is_written_is_what_others_read(database: Database, path: Path) -> None:
    """JSON in the columns of ours, so that any program can use them."""
    task = run(database, "ä b")
    running.set_keepers(database, task.id, (Identity(7, 70),))
    running.set_request(database, task.id, Wish(9, 0.0, "x"))
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "SELECT name, json_extract(argv, '$[1]'), json_extract(keepers, '$[0][1]'), "
            "json_extract(request, '$.signal') FROM tasks"
        ).fetchone()
    assert row == ("ä b", "a b", 70, 9)
