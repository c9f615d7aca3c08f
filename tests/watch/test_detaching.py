"""Commands that go on by themselves, and many at once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch.values import Outcome
from tests.watch.launching import PATIENCE, Launching


def test_detached_task_runs_when_its_id_is_known(launching: Launching, tmp_path: Path) -> None:
    """It has a session of its own and nothing of ours; the caller is not kept waiting by what is open."""
    result = launching.run("--detach", "--", "sh", "-c", "echo out; echo err >&2; touch up; exec sleep 300")
    assert (result.returncode, result.stdout, result.stderr) == (0, "1\n", "")
    (task,) = launching.tasks()
    assert task.pid is not None
    launching.wait_for(tmp_path / "up")
    row = tree.read_row(task.pid)
    assert row is not None
    assert row.session not in (os.getsid(0), task.pid)
    assert {os.readlink(f"/proc/{task.pid}/fd/{place}") for place in (0, 1, 2)} == {
        os.devnull,
        f"{launching.path}.logs/1.out",
        f"{launching.path}.logs/1.err",
    }
    assert (task.output, task.error) == (f"{launching.path}.logs/1.out", f"{launching.path}.logs/1.err")
    for keeper in task.keepers:
        tree.send_signal(keeper, signal.SIGTERM)
    launching.wait_gone()
    assert launching.only().outcome is Outcome.KILLED
    assert Path(task.output).read_text() == "out\n"
    assert Path(task.error).read_text() == "err\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--", "nosuch"), 127, "task 1: command not found: nosuch"),
        (("--taskid", "7", "--", "true"), 7, "taskid=7 is not clear to start"),
        (("--output", "/proc/no", "--", "true"), 126, "task 1: output cannot be written to /proc/no: "),
    ],
)
def test_detached_task_that_cannot_run_is_said(
    launching: Launching, words: tuple[str, ...], code: int, said: str
) -> None:
    """The caller learns why, and has no id."""
    result = launching.run("--detach", *words)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.startswith(f"context-bus: {said}")
    launching.wait_gone()
    assert launching.tasks() == []


def test_instances_have_ids_of_their_own(launching: Launching) -> None:
    """The code is the first that is not 0."""
    script = 'echo "$CONTEXT_BUS_TASK_ID"; exit "$CONTEXT_BUS_TASK_INSTANCE"'
    result = launching.run("--instances", "3", "--name", "n", "--", "sh", "-c", script)
    assert result.returncode == 1
    assert sorted(result.stdout.split()) == ["1", "2", "3"]
    rows = launching.past()
    assert sorted((row.taskname, row.exitcode) for row in rows) == [("n", 0), ("n", 1), ("n", 2)]


def test_instances_end_together(launching: Launching) -> None:
    """A signal to the one that waits for all is for all of them."""
    launcher = launching.begin("--instances", "2", "--", "sleep", "300")
    wait_until(lambda: [task.pid for task in launching.tasks() if task.pid][1:], PATIENCE, "two that run")
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(PATIENCE) == 143
    launching.wait_gone()
    assert {row.outcome for row in launching.past()} == {Outcome.KILLED}


def test_instances_end_without_the_one_that_waits(launching: Launching) -> None:
    """T26: killed -9, it takes all with it."""
    launcher = launching.begin("--instances", "2", "--", "sleep", "300")
    wait_until(lambda: [task.pid for task in launching.tasks() if task.pid][1:], PATIENCE, "two that run")
    launcher.kill()
    launching.wait_gone()
    assert len(launching.past()) == 2


def test_many_detached_at_once(launching: Launching) -> None:
    """All ids are told."""
    result = launching.run("--detach", "--instances", "2", "--", "true")
    assert sorted(result.stdout.split()) == ["1", "2"]
    launching.wait_gone()
    assert [row.outcome for row in launching.past()] == [Outcome.DONE] * 2


def test_instances_cannot_share_a_reservation(launching: Launching) -> None:
    """An id is for one."""
    result = launching.run("--instances", "2", "--taskid", "1", "--", "true")
    assert result.returncode == 7
    assert "2 instances cannot share taskid 1" in result.stderr


def test_detached_launcher_does_not_hold_the_caller(launching: Launching) -> None:
    """``ID=$(launch --detach ...)`` returns although the command runs on."""
    argv = " ".join(map(str, launching.begin("--", "true").args))  # type: ignore[arg-type]
    argv = argv.replace(" -- true", " --detach -- sleep 300")
    told = subprocess.run(
        ["sh", "-c", f"id=$({argv}); echo got $id"],
        env=launching.env,
        cwd=launching.cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert told.stdout.startswith("got ")
    (task,) = [task for task in launching.tasks() if task.argv[0] == "sleep"]
    tree.send_signal(task.keepers[0], signal.SIGTERM)
    launching.wait_gone()
