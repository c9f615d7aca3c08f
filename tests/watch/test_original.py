"""The cases of the original tool's own tests, with their inputs and outputs, in our words.

Each docstring begins with the name of the case there. Its database tests are one story; so they are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.errors import AlreadyReserved
from context_bus.testing.clock import ManualClock
from context_bus.watch import history, liveness, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim
from context_bus.watch.tasks import Tasks
from context_bus.watch.values import Ending, Filter, Outcome, Task, TaskStatus
from tests.watch.rows import ask

#: The reports that it stores, one after the other.
REPORTS = ('{"a": "1", "b": "this is b"}', '{"a": "2", "b": "this is b too", "c": "new"}')


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=1_588_874_292.0)


@pytest.fixture
def tasks(tmp_path: Path, clock: ManualClock) -> Iterator[Tasks]:
    """As each of its test files begins: an initialized database."""
    with Tasks(tmp_path / "sqlite.db", clock=clock) as tasks:
        tasks.initialize()
        yield tasks


def started(tasks: Tasks, clock: ManualClock, ago: float) -> tuple[Database, Task]:
    """db050: task 1 with its infos, pid 120, running."""
    taskid = tasks.reserve()
    database = Database(tasks.path)
    facts = Claim(("true",), "MyTestTask", ("info1", "info2", "info3"), timeout=30)
    reservation.claim(database, clock.wall(), taskid, facts)
    running.set_pid(database, taskid, 120, 1)
    clock.advance(ago)
    task = running.get(database, taskid)
    assert task is not None
    return database, task


def test_a_first_reservation_is_task_1(tasks: Tasks) -> None:
    """db010, db020, ctl020: create; reserve() is 1, and task 1 is reserved."""
    assert tasks.reserve() == 1
    assert tasks.get(1).status is TaskStatus.RESERVED


def test_reservations_may_be_left_out(tasks: Tasks) -> None:
    """db025: get_tasks(reserved=False) while only reservations exist is nothing at all."""
    tasks.reserve()
    assert tasks.list(reserved=False) == []


def test_a_unique_name_is_refused_and_not_counted(tasks: Tasks) -> None:
    """db030, db040: "MyTask", again with unique is refused, again without is given: 3 with the first."""
    tasks.reserve()
    assert tasks.reserve("MyTask") == 2
    with pytest.raises(AlreadyReserved):
        tasks.reserve("MyTask", unique=True)
    assert tasks.reserve("MyTask") == 3
    assert len(tasks.list()) == 3


def test_a_task_runs_with_what_was_said_of_it(tasks: Tasks, clock: ManualClock) -> None:
    """db050: name, infos, pid 120, RUNNING, starttime now."""
    database, task = started(tasks, clock, 0.0)
    with database:
        assert task[:7] == (1, "MyTestTask", "info1", "info2", "info3", 120, TaskStatus.RUNNING)
        assert task.starttime == int(clock.wall())


def test_update_refreshes_the_duration_only(tasks: Tasks, clock: ManualClock) -> None:
    """db060, T29: started 100 s ago; lastupdate stays."""
    database, task = started(tasks, clock, 100.0)
    with database:
        running.update(database, clock.wall())
        assert running.get(database, 1) == task._replace(duration=100)


def test_a_task_beyond_its_timeout_is_known(tasks: Tasks, clock: ManualClock) -> None:
    """db070: started 100 s ago, timeout 30."""
    database, task = started(tasks, clock, 100.0)
    with database:
        assert task.starttime is not None
        assert task.timeout is not None
        assert liveness.status_of(clock.wall() - task.starttime, task.timeout) is None


def test_feedback_is_the_last_that_was_stored(tasks: Tasks, clock: ManualClock) -> None:
    """db080, db090: update_feedback twice under id 1; the row of id 1 holds the last."""
    database, _ = started(tasks, clock, 0.0)
    with database:
        for report in REPORTS:
            running.store_feedback(database, 1, report, clock.wall())
            assert running.last_feedback(database, 1) == report
    assert ask(tasks.path, "SELECT id, feedback FROM feedbacks") == [(1, REPORTS[-1])]


def test_an_end_is_in_the_history(tasks: Tasks) -> None:
    """db100: task 100, SIGTERM, 1588874292 to 1588875292, 1000 s, and its report."""
    task = Task(100, "MyTestTask", "info1", "info2", "info3", 120, TaskStatus.RUNNING, 1)
    ending = Ending("SIGTERM", "", None, Outcome.KILLED, 143)
    with Database(tasks.path) as database:
        assert history.archive(database, task, ending, REPORTS[0], 1_588_875_292.0, 1000.0) == 1
        (past,) = history.past(database, Filter())
    assert past[:8] == (1, 100, "MyTestTask", "info1", "info2", "info3", "SIGTERM", "")
    assert past[8:12] == (1_588_874_292, 1_588_875_292, 1000, REPORTS[0])


def test_a_controller_initializes_reserves_and_counts(tasks: Tasks) -> None:
    """ctl010 to ctl040: 1; task 1 is RESERVED; 1 task."""
    tasks.initialize()
    assert tasks.reserve() == 1
    assert {task.id: task.status for task in tasks.list()} == {1: "RESERVED"}
    assert len(tasks.list()) == 1
