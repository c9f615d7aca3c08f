"""Waiting for tasks: woken by their ends, whoever brings them about."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from context_bus.errors import NeverLaunched, StillRunning, UnknownTask
from context_bus.testing.wait import wait_until
from context_bus.watch import killing, reservation
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim
from context_bus.watch.values import Outcome, Past
from context_bus.watch.waiting import wait
from tests.watch.launched import launched


class Waiter(threading.Thread):
    """Waits in a thread of its own."""

    def __init__(self, path: Path, taskids: list[int]) -> None:
        super().__init__()
        self.path, self.taskids = path, taskids
        self.seen: list[Past] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Wait for all."""
        try:
            with Database(self.path) as database:
                self.seen.extend(wait(database, self.taskids, 20))
        except Exception as error:  # the test looks at it
            self.error = error


def watches_files() -> bool:
    """Whether anybody in this process has begun to watch files."""
    targets = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            targets.add(os.readlink(f"/proc/self/fd/{name}"))
    return "anon_inode:inotify" in targets


def test_unknown_tasks_are_one_clear_error(database: Database) -> None:
    """What never was cannot end."""
    with pytest.raises(UnknownTask):
        next(wait(database, [99]))


def test_each_is_told_when_it_ends(database: Database, path: Path) -> None:
    """T23: in the order of their ends; one that has ended before is told at once."""
    with launched(database) as first, launched(database) as second, launched(database) as before:
        killing.kill(database, before.taskid, grace=0, patience=0)
        waiter = Waiter(path, [first.taskid, second.taskid, before.taskid])
        waiter.start()
        wait_until(lambda: len(waiter.seen) == 1, describe=lambda: waiter.error)
        killing.kill(database, second.taskid, grace=0, patience=0)
        wait_until(lambda: len(waiter.seen) == 2, describe=lambda: waiter.error)
        killing.kill(database, first.taskid, grace=0, patience=0)
        waiter.join(10)
    assert [past.taskid for past in waiter.seen] == [before.taskid, second.taskid, first.taskid]


def test_a_launcher_that_is_killed_ends_the_wait(database: Database, path: Path) -> None:
    """T26: who waits settles what is lost."""
    with launched(database) as task:
        waiter = Waiter(path, [task.taskid])
        waiter.start()
        task.kill_keepers()
        waiter.join(10)
        assert task.living() == []
    assert [past.outcome for past in waiter.seen] == [Outcome.LOST]


def test_a_task_that_is_adopted_is_waited_for(database: Database, path: Path) -> None:
    """T26, `adopt`: who waits gives it a new keeper, and waits for that one."""
    with launched(database, onorphan="adopt") as task:
        task.kill_keepers()
        with pytest.raises(StillRunning, match=f"not ended within 0 s: taskid {task.taskid}; "):
            next(wait(database, [task.taskid], 0))
        waiter = Waiter(path, [task.taskid])
        waiter.start()
        killing.kill(database, task.taskid)
        waiter.join(10)
    assert [past.taskid for past in waiter.seen] == [task.taskid]


def test_a_reservation_that_expires_is_told(database: Database) -> None:
    """A wait for what never started does not last for ever."""
    taskid = reservation.reserve(database, time.time() - reservation.EXPIRY - 0.9, "t")
    with pytest.raises(NeverLaunched, match=f"^taskid={taskid} was reserved, but not launched in time"):
        next(wait(database, [taskid]))


def test_a_launch_of_what_is_reserved_is_noticed(database: Database, path: Path) -> None:
    """From its reservation on, a task can be waited for."""
    taskid = reservation.reserve(database, time.time(), "t")
    waiter = Waiter(path, [taskid])
    waiter.start()
    wait_until(watches_files, describe=lambda: waiter.error)
    reservation.claim(database, time.time(), taskid, Claim(argv=("true",)))
    waiter.join(4)  # less than the reservation would have lasted
    assert [past.taskid for past in waiter.seen] == [taskid], waiter.error
