"""What becomes of tasks whose launcher was killed; real processes, real daemons."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from context_bus.errors import StoreUnavailable
from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch import history, killing, orphans, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.values import Filter, Outcome, Past
from tests.watch.launched import STUBBORN, launched, settler


def pasts(database: Database) -> list[Past]:
    """All rows of the history."""
    return list(history.past(database, Filter()))


def test_a_kept_task_is_let_be(database: Database) -> None:
    """One living keeper is enough: the task is its business."""
    with launched(database) as task:
        task.keepers[0].kill()
        task.keepers[0].wait()
        assert orphans.settle(database, time.time()) == []
        assert len(task.living()) == 3
        assert running.get(database, task.taskid) is not None


@pytest.mark.parametrize("has_pid", [True, False])
def test_a_lost_task_is_ended_and_archived(database: Database, has_pid: bool) -> None:
    """T26: all that it started goes, daemons too, also before its pid is known; the name is free again."""
    with launched(database, STUBBORN, has_pid=has_pid) as task:
        task.kill_keepers()
        (past,) = orphans.settle(database, time.time())
        assert task.living() == []
    assert (past.taskid, past.outcome, past.exitcode) == (task.taskid, Outcome.LOST, None)
    assert past.termerror == "launcher was killed; the command was ended"
    assert running.tasks(database) == []
    assert reservation.reserve(database, time.time(), "t", unique=True) > task.taskid


def test_daemons_are_found_when_the_first_watcher_is_forgotten(database: Database) -> None:
    """T26: a front that took over and was killed, too, has left the name of the watcher in the command."""
    with launched(database) as task:
        running.set_keepers(database, task.taskid, [tree.Identity(task.keepers[1].pid, 1)])
        task.kill_keepers()
        orphans.settle(database, time.time())
        assert task.living() == []


def test_a_task_that_has_ended_unseen_has_no_exit_code(database: Database) -> None:
    """T26: nobody knows how it ended, and the history says so."""
    with launched(database) as task:
        task.kill_keepers()
        for one in task.family:
            tree.send_signal(one, signal.SIGKILL)
        tree.wait_gone(task.family, 5)
        (past,) = orphans.settle(database, time.time())
    assert past.termerror == "launcher was killed; exit code unknown"


def test_the_last_feedback_is_kept_and_its_file_removed(database: Database, tmp_path: Path) -> None:
    """T26, T19: what the task reported last is in its history."""
    feedfile = tmp_path / "feedback_1.log"
    feedfile.write_text("[progress]10\n[progress]40\n")
    with launched(database, feedfile=feedfile) as task:
        task.kill_keepers()
        (past,) = orphans.settle(database, time.time())
    assert past.feedback == '{"progress": "40"}'
    assert not feedfile.exists()


def test_a_pipe_instead_of_feedback_holds_nobody_up(database: Database, tmp_path: Path) -> None:
    """A file that would make its reader wait does not."""
    os.mkfifo(tmp_path / "pipe")
    with launched(database, feedfile=tmp_path / "pipe") as task:
        task.kill_keepers()
        (past,) = orphans.settle(database, time.time())
    assert past.feedback == "{}"


def test_a_stranger_with_the_pid_is_left_alone(database: Database) -> None:
    """A pid that has come again, or is of another boot, is somebody else's."""
    with launched(database) as task, subprocess.Popen(["sleep", "1000"]) as stranger:
        identity = tree.identify(stranger.pid)
        assert identity is not None
        task.kill_keepers()
        running.set_pid(database, task.taskid, identity.pid, identity.ticks - 1)
        orphans.settle(database, time.time())
        try:
            assert tree.is_alive(identity)
        finally:
            stranger.kill()


def test_after_a_restart_of_the_machine_nothing_is_killed(database: Database) -> None:
    """Pids and ticks of another boot mean nothing, however well they fit."""
    with launched(database) as task:
        task.kill_keepers()
        with database.writing() as connection:
            connection.execute("UPDATE tasks SET boot = 'another'")
        (past,) = orphans.settle(database, time.time())
        assert len(task.living()) == 3
    assert past.termerror == "the machine was restarted; exit code unknown"


@pytest.mark.parametrize("ends", ["by itself", "by a kill"])
def test_a_task_to_be_adopted_has_a_new_keeper(database: Database, ends: str) -> None:
    """T26, `adopt`: it runs on, with a keeper that sees its end and can kill it."""
    with launched(database, onorphan="adopt") as task:
        task.kill_keepers()
        assert orphans.settle(database, time.time()) == []
        row = running.get(database, task.taskid)
        assert row is not None
        assert orphans.is_kept(row)
        assert len(task.living()) == 3
        if ends == "by a kill":
            killing.kill(database, task.taskid)
        else:
            tree.send_signal(task.family[0], signal.SIGKILL)
        assert tree.wait_gone([*task.family, *row.keepers], 5) == []
    (past,) = pasts(database)
    assert past.outcome is (Outcome.KILLED if ends == "by a kill" else Outcome.LOST)


def test_an_adopted_task_must_go_on_giving_feedback(database: Database, tmp_path: Path) -> None:
    """T26, T15: its new keeper ends it when it gives none in time."""
    with launched(database, onorphan="adopt", feedfile=tmp_path / "feedback", timeout=0.5) as task:
        task.kill_keepers()
        orphans.settle(database, time.time())
        assert tree.wait_gone(task.family, 5) == []
        wait_until(lambda: pasts(database))
    (past,) = pasts(database)
    assert past.outcome is Outcome.TIMEOUT
    assert (past.termerror or "").startswith("timeout: no feedback for ")


def test_one_settles_at_a_time(database: Database, path: Path) -> None:
    """T26: of many who look at once, each task comes into the history once."""
    with launched(database) as task:
        task.kill_keepers()
        settlers = [settler(path) for _ in range(4)]
        orphans.settle(database, time.time(), is_patient=True)
        for each in settlers:
            assert each.wait(10) == 0
            assert each.stdout is not None
            each.stdout.close()
        assert task.living() == []
    (past,) = pasts(database)
    assert past.termerror == "launcher was killed; the command was ended"


def test_what_another_settles_is_left_to_it(database: Database, tmp_path: Path) -> None:
    """T26: a list need not wait until somebody else has ended what was lost."""
    with launched(database) as task:
        task.kill_keepers()
        directory = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            assert orphans.settle(database, time.time()) == []
            assert len(task.living()) == 3
        finally:
            os.close(directory)
        assert len(orphans.settle(database, time.time())) == 1


def test_nothing_is_ended_that_cannot_be_archived(database: Database, path: Path) -> None:
    """A list that cannot write goes on; a kill says why not."""
    with launched(database) as task, Database(path, patience=0) as hindered:
        task.kill_keepers()
        with database.writing():
            assert orphans.settle(hindered, time.time()) == []
            with pytest.raises(StoreUnavailable):
                orphans.settle(hindered, time.time(), is_patient=True)
        assert len(task.living()) == 3
        assert len(orphans.settle(hindered, time.time())) == 1


def test_a_settler_killed_anywhere_is_followed_by_the_next(database: Database, path: Path) -> None:
    """T26: after any kills nothing runs, no row is stuck, and each task is in the history exactly once."""
    chance = random.Random(7)
    taskids = []
    for _ in range(40):
        policy = chance.choice(["end", "adopt"])
        with launched(database, STUBBORN, onorphan=policy) as task:
            task.kill_keepers()
            with settler(path) as process:
                try:
                    process.wait(chance.uniform(0, 0.05 if policy == "end" else 0.3))
                except subprocess.TimeoutExpired:
                    process.kill()
            orphans.settle(database, time.time(), is_patient=True)
            if policy == "adopt":
                assert len(task.living()) == 3
                killing.kill(database, task.taskid, signal.SIGKILL)
            assert task.living() == []
            assert running.get(database, task.taskid) is None
            taskids.append(task.taskid)
    assert sorted(past.taskid for past in pasts(database)) == taskids
