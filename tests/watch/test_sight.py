"""How tasks are at a moment, by the age and the content of their feedback."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from context_bus.watch.sight import Looker
from context_bus.watch.values import Task, TaskStatus

#: When the task was launched, in seconds since the epoch.
START = 1_700_000_000
NOW = START + 100.0


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task that runs, and is expected to give feedback every 40 seconds."""
    return Task(
        7, "backup", status=TaskStatus.RUNNING, feedback=1, starttime=START, timeout=40.0,
        feedfile=str(tmp_path / "feedback_7.log"),
    )  # fmt: skip


def tell(task: Task, text: str, at: float) -> None:
    """Write feedback at a time."""
    assert task.feedfile is not None
    Path(task.feedfile).write_text(text)
    os.utime(task.feedfile, (at, at))


def test_reservation_has_nothing_to_look_at() -> None:
    """Neither an age nor a file; when nobody can take it up any more, it is none."""
    task = Task(1, "x", reservetime=int(NOW) - 2)
    (sight,) = Looker().look([task], NOW)
    assert (sight.status, sight.elapsed, sight.heard, sight.progress) == (
        TaskStatus.RESERVED,
        None,
        None,
        None,
    )
    assert sight.changes_in == 4.0
    assert len(Looker().look([task], NOW + 3.9)) == 1
    assert Looker().look([task], NOW + 4.0) == []


@pytest.mark.parametrize(
    ("age", "status", "changes_in"),
    [
        (5, TaskStatus.RUNNING, 5),
        (15, TaskStatus.SILENT, 5),
        (25, TaskStatus.STALLED, 15),
        (45, TaskStatus.STALLED, math.inf),
    ],
)
def test_status_is_that_of_the_file(task: Task, age: float, status: TaskStatus, changes_in: float) -> None:
    """Whatever the database says; and how long it will be so."""
    tell(task, "[heartbeat]", NOW - age)
    (sight,) = Looker().look([task], NOW)
    assert (sight.status, sight.heard, sight.elapsed) == (status, age, 100.0)
    assert sight.changes_in == pytest.approx(changes_in, abs=0.01)


def test_missing_file_is_as_old_as_the_task(task: Task) -> None:
    """A program that never says anything is not heard of since its launch."""
    (sight,) = Looker().look([task], START + 30.0)
    assert (sight.status, sight.heard, sight.values) == (TaskStatus.STALLED, 30.0, {})


def test_file_of_before_is_no_older_than_the_task(task: Task) -> None:
    """What somebody else left is not held against it; nor is a clock that is wrong."""
    tell(task, "[a]1", START - 1000)
    (sight,) = Looker().look([task], START + 5.0)
    assert (sight.status, sight.heard) == (TaskStatus.RUNNING, 5.0)
    tell(task, "[a]1", NOW + 1000)
    (sight,) = Looker().look([task], NOW)
    assert (sight.status, sight.heard) == (TaskStatus.RUNNING, 0.0)


def test_feedback_that_is_not_expected_is_heard_all_the_same(task: Task) -> None:
    """But its silence means nothing."""
    task = task._replace(feedback=0)
    (sight,) = Looker().look([task], NOW)
    assert (sight.status, sight.heard, sight.changes_in) == (TaskStatus.RUNNING, None, math.inf)
    tell(task, "[a]1", NOW - 70)
    (sight,) = Looker().look([task], NOW)
    assert (sight.status, sight.heard, sight.values) == (TaskStatus.RUNNING, 70.0, {"a": "1"})


def test_progress_tells_what_is_left(task: Task) -> None:
    """A quarter took 100 seconds, so 300 are left at this pace."""
    tell(task, "[progress]25", NOW)
    (sight,) = Looker().look([task], NOW)
    assert (sight.progress, sight.left) == (0.25, pytest.approx(300.0))


@pytest.mark.parametrize("told", ["[progress]soon", "[other]5", ""])
def test_no_progress_is_none(task: Task, told: str) -> None:
    """What cannot be understood is not shown as a bar."""
    tell(task, told, NOW)
    (sight,) = Looker().look([task], NOW)
    assert (sight.progress, sight.left) == (None, None)


def test_looking_again_goes_by_the_pace_since_then(task: Task) -> None:
    """It has become faster: ten percent in a second, after ten in a hundred."""
    looker = Looker()
    tell(task, "[progress]10", NOW)
    looker.look([task], NOW)
    for second in range(1, 9):
        tell(task, f"[progress]{10 + second * 10}", NOW + second)
        (sight,) = looker.look([task], NOW + second)
    assert sight.progress == 0.9
    (fresh,) = Looker().look([task], NOW + 8)
    assert sight.left is not None
    assert fresh.left is not None
    assert sight.left <= fresh.left


def test_tasks_that_are_gone_are_forgotten(task: Task) -> None:
    """A file of that name is read from its beginning by the next task."""
    looker = Looker()
    tell(task, "[a]1\n[b]2\n", NOW)
    assert looker.look([task], NOW)[0].values == {"a": "1", "b": "2"}
    assert looker.look([], NOW) == []
    tell(task, "[c]3", NOW)
    assert looker.look([task], NOW)[0].values == {"c": "3"}
