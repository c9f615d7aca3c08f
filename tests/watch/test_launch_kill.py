"""Ending launched tasks on request, and by their silence."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch import killing, reservation
from context_bus.watch.database import Database
from context_bus.watch.values import Outcome
from tests.watch.launching import PATIENCE, Launching

#: A tree with a daemon in it, and a child that is stopped.
TREE = "setsid sh -c 'sleep 300 & sleep 300' & sleep 300 & kill -STOP $!; touch up; wait"


def test_kill_ends_the_whole_tree(launching: Launching, database: Database, tmp_path: Path) -> None:
    """T23: within a second; history and launcher know the signal."""
    launcher = launching.begin("--grace", "60", "--", "sh", "-c", TREE)
    launching.wait_for(tmp_path / "up")
    taskid = launching.wait_running().id
    began = time.monotonic()
    killing.kill(database, taskid)
    assert time.monotonic() - began < 5.0  # of which the machine may take four
    assert launching.living() == []
    assert launcher.wait(PATIENCE) == 143
    row = launching.only()
    assert (row.termsignal, row.outcome) == ("SIGTERM", Outcome.KILLED)
    assert row.termerror == "killed on request: signal 15 (SIGTERM)"


def test_deaf_tree_is_killed(launching: Launching, database: Database, tmp_path: Path) -> None:
    """T23: after the grace of who kills, not that of the launcher."""
    launcher = launching.begin("--grace", "60", "--", "sh", "-c", f"trap '' TERM; {TREE}")
    launching.wait_for(tmp_path / "up")
    killing.kill(database, launching.wait_running().id, grace=0.1)
    assert launcher.wait(PATIENCE) == 137
    assert launching.only().termsignal == "SIGKILL"


def test_front_that_took_over_hears_of_it(launching: Launching, database: Database, tmp_path: Path) -> None:
    """T23: also when whoever was to be told was killed before."""
    launcher = launching.begin("--on_orphan", "adopt", "--", "sh", "-c", TREE)
    launching.wait_for(tmp_path / "up")
    watcher, front = launching.wait_running().keepers
    tree.send_signal(watcher, signal.SIGKILL)
    wait_until(lambda: launching.tasks()[0].keepers[0] == front, PATIENCE, "the front does not take over")
    killing.kill(database, 1)
    assert launcher.wait(PATIENCE) == 143
    assert launching.only().outcome is Outcome.KILLED


@pytest.mark.parametrize("written", ["echo '[a]1' >> \"$CONTEXT_BUS_FEEDBACK\"", ":"])
def test_silence_ends_a_command(launching: Launching, tmp_path: Path, written: str) -> None:
    """T15, T17: what gives no feedback, or never any, is ended with its tree, and the history says why."""
    words = ("--expect_feedback", "--timeout", "0.5", "--grace", "0.2")
    result = launching.run(*words, "--", "sh", "-c", f"{written}; sleep 300 & sleep 300")
    assert result.returncode == 124
    row = launching.only()
    assert (row.outcome, row.termsignal) == (Outcome.TIMEOUT, "SIGTERM")
    assert str(row.termerror).startswith("timeout: no feedback for 0.")
    assert str(row.termerror).endswith("s (timeout 0.5 s)")
    assert result.stderr == f"context-bus: task 1: {row.termerror}\n"
    assert row.feedback == ("{}" if written == ":" else '{"a": "1"}')
    assert not (tmp_path / "feedback_1.log").exists()


def test_beats_keep_a_command(launching: Launching, database: Database) -> None:
    """T16: a file that changes, though it says nothing new, is feedback."""
    taskid = reservation.reserve(database, time.time())
    name = f"feedback_{taskid}.log"
    script = f"for i in 1 2 3 4 5 6 7 8; do echo '[heartbeat]' >> {name}; sleep 0.25; done"
    words = ("--taskid", str(taskid), "--timeout", "1.2", "--", "sh", "-c", script, "--feedback")
    assert launching.run(*words).returncode == 0
    assert launching.only().outcome is Outcome.DONE
