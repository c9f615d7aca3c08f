"""Watched tasks for programs: each verb does what its command does, on tasks that really run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.errors import (
    CommandNotStarted,
    FeedbackNeedsTaskid,
    FeedpathMissing,
    ForeignDatabase,
    NotClearToStart,
    NotRunning,
    StillRunning,
    StoreError,
    StoreUnavailable,
    TasksRunning,
    UnknownTask,
    WatchError,
)
from context_bus.process import tree
from context_bus.testing.clock import ManualClock
from context_bus.watch import orphans, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, Places
from context_bus.watch.tasks import Tasks
from context_bus.watch.values import Outcome, TaskStatus
from tests.watch.launched import launched
from tests.watch.rows import end, script


@pytest.fixture
def tasks(path: Path) -> Iterator[Tasks]:
    """What a program has of the empty database."""
    with Tasks(path) as tasks:
        yield tasks


def kept(database: Database, now: float, feedfile: Path | None = None, name: str = "one") -> int:
    """A task that runs, and is kept by this process."""
    me = tree.identify(os.getpid())
    assert me is not None
    places = Places(str(feedfile) if feedfile else None)
    facts = Claim(("true",), name, feedback=True, timeout=40, boot=orphans.boot_id(), keepers=(me,))
    return reservation.claim(database, now, None, facts._replace(places=lambda _: places))


def test_a_database_is_made_by_initialize_only(tmp_path: Path) -> None:
    tasks = Tasks(tmp_path / "a" / "tasks.db")
    with pytest.raises(StoreUnavailable, match="does not exist; initialize it first"):
        tasks.reserve()
    with tasks:
        tasks.initialize()
        assert tasks.reserve() == 1
    with tasks:
        assert len(tasks.list()) == 1
    tasks.close()


def test_initialize_counts_only_tasks_that_somebody_keeps(tasks: Tasks, database: Database) -> None:
    """T1: a task whose launcher was killed is ended, and forgotten with the others."""
    with launched(database) as task:
        with pytest.raises(TasksRunning):
            tasks.initialize()
        task.kill_keepers()
        tasks.initialize()
        assert task.living() == []
    assert (tasks.list(), list(tasks.history())) == ([], [])


def test_initialize_asks_before_it_moves_something_else(tmp_path: Path) -> None:
    script(tmp_path / "a.db", "CREATE TABLE t(x);")
    with Tasks(str(tmp_path / "a.db")) as tasks:
        with pytest.raises(ForeignDatabase):
            tasks.initialize()
        tasks.initialize(force=True)
        assert tasks.list() == []


def test_tasks_are_listed_as_they_stand_now(path: Path, database: Database, tmp_path: Path) -> None:
    """T14: by the time of the feedback file, though nobody has written to the database."""
    clock = ManualClock()
    file = tmp_path / "feedback_1.log"
    file.write_text("[progress]10\n")
    taskid = kept(database, clock.wall(), file)
    os.utime(file, (clock.wall(), clock.wall()))
    with Tasks(path, clock=clock) as tasks:
        reserved = tasks.reserve("two", info=("a", "", ""))
        clock.advance(15)
        assert [(task.id, task.status, task.duration) for task in tasks.list(reserved=False)] == [
            (taskid, TaskStatus.SILENT, 15)
        ]
        assert tasks.list(name="two")[0].info1 == "a"
        assert tasks.get(taskid).status is TaskStatus.SILENT
        tasks.update()
        assert [task.id for task in tasks.list()] == [taskid]
        with pytest.raises(UnknownTask, match=f"^unknown taskid {reserved}; "):
            tasks.get(reserved)
    found = running.get(database, taskid)
    assert found is not None
    assert (found.status, found.duration) == (TaskStatus.SILENT, 15)


def test_feedback_is_that_of_the_file_then_the_last_word(
    tasks: Tasks, database: Database, tmp_path: Path
) -> None:
    """T22: parsed now; from the database where the file is gone, from the history where the task is."""
    file = tmp_path / "feedback_1.log"
    taskid = kept(database, time.time(), file)
    assert tasks.feedback(taskid) == {}
    file.write_text("[progress]10\n[info]x\n[info]\n")
    assert tasks.feedback(taskid) == {"progress": "10"}
    running.store_feedback(database, taskid, '{"progress": "20"}', time.time())
    file.unlink()
    assert tasks.feedback(taskid) == {"progress": "20"}
    task = running.get(database, taskid)
    assert task is not None
    end(database, task)
    assert tasks.feedback(taskid) == {}
    script(tasks.path, "UPDATE history SET feedback = 'to be implemented'")
    assert tasks.feedback(taskid) == {}
    with pytest.raises(UnknownTask):
        tasks.feedback(taskid + 1)


def test_a_task_is_killed_waited_for_and_counted(tasks: Tasks, database: Database) -> None:
    """T23: the tree is gone when the call returns."""
    with launched(database) as task, launched(database) as another:
        with pytest.raises(StillRunning):
            tasks.wait(task.taskid, 0.0)
        tasks.kill(task.taskid, grace=5.0)
        assert task.living() == []
        past = tasks.wait(task.taskid)
        assert (past.taskid, past.outcome) == (task.taskid, Outcome.KILLED)
        reserved = tasks.reserve("t")
        with pytest.raises(NotRunning):
            tasks.kill(reserved)
        assert tasks.killall("t", signal=9) == 2
        assert another.living() == []
    ended = [past.taskid for past in tasks.wait_each([another.taskid, task.taskid])]
    assert sorted(ended) == [task.taskid, another.taskid]
    found = tasks.stats("t")
    assert (found.runs, found.outcomes) == (2, {Outcome.KILLED: 2})
    assert [past.taskid for past in tasks.history(failed=True, limit=1)] == [another.taskid]
    assert tasks.clear(taskid=task.taskid) == 1
    assert (tasks.clear(), tasks.stats().runs) == (1, 0)


def test_what_is_launched_goes_on_by_itself(tasks: Tasks, tmp_path: Path) -> None:
    """It runs when the call returns, is no child of this program, and ends as it ends."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = 'read line < "$1"; printf "%s" "$line $WORD  $2" > "$3"; exit 7'
    launched = tasks.launch(
        ["sh", "-c", script, "sh", str(fifo), "a  b", str(tmp_path / "said")],
        name="--odd",
        info=("i", "", "--k"),
        env={"WORD": "secret", "PYTHONHASHSEED": "x"},
    )
    (task,) = tasks.list()
    assert task[:7] == (launched.id, "--odd", "i", None, "--k", launched.pid, TaskStatus.RUNNING)
    keeper = tree.read_row(task.keepers[0].pid)
    assert keeper is not None
    assert b"secret" not in Path(f"/proc/{keeper.pid}/cmdline").read_bytes()
    assert os.getpid() not in (keeper.parent, keeper.session)
    fifo.write_text("go\n")
    past = launched.wait(20)
    assert (past.exitcode, past.outcome, past.taskname) == (7, Outcome.FAILED, "--odd")
    assert (tmp_path / "said").read_text() == "go secret  a  b"
    assert [row.argv for row in tasks.history()] == [past.argv]
    assert past.argv[4] == str(fifo)


def test_a_reservation_is_launched(tasks: Tasks) -> None:
    """T7: once."""
    taskid = tasks.reserve("mine", unique=True)
    launched = tasks.launch(["true"], taskid=taskid)
    assert launched.id == taskid
    assert launched.wait(20).taskname == "mine"
    with pytest.raises(NotClearToStart):
        tasks.launch(["true"], taskid=taskid)


def test_what_cannot_be_launched_is_told_as_what_it_is(tasks: Tasks, tmp_path: Path) -> None:
    """T8, T9, T11: errors of the launcher are errors here, each of its class."""
    with pytest.raises(CommandNotStarted, match="command not found: nosuch") as caught:
        tasks.launch(["nosuch"])
    assert caught.value.exit_code == 127
    with pytest.raises(CommandNotStarted, match="Permission denied") as caught:
        tasks.launch(["/etc/passwd"])
    assert caught.value.exit_code == 126
    with pytest.raises(FeedbackNeedsTaskid):
        tasks.launch(["true", "--feedback"])
    with pytest.raises(FeedpathMissing):
        tasks.launch(["true"], feedpath=str(tmp_path / "none"))
    with pytest.raises(WatchError, match="no command"):
        tasks.launch([])
    (tmp_path / "text").write_text("something else\n" * 100)
    with Tasks(tmp_path / "text") as others, pytest.raises(StoreError, match="is not an SQLite database"):
        others.launch(["true"])
