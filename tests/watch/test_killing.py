"""Tasks are ended on request, whoever keeps them, or nobody."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from context_bus.errors import NotRunning, UnknownTask
from context_bus.process import tree
from context_bus.watch import history, killing, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.values import Filter, Outcome, Past
from tests.watch.launched import STUBBORN, launched

#: A keeper that is woken and does nothing.
DEAF = "trap '' USR1; exec sleep 1000"


def past_of(database: Database, taskid: int) -> Past:
    """The one row of the history."""
    (past,) = history.past(database, Filter(taskid=taskid))
    return past


def test_what_does_not_run_is_not_killed(database: Database) -> None:
    """T24: unknown and reserved tasks are errors in the words of the original."""
    with pytest.raises(UnknownTask, match=r"^unknown taskid, won't kill$"):
        killing.kill(database, 99)
    taskid = reservation.reserve(database, time.time(), "t")
    with pytest.raises(NotRunning, match=r"^task is in status reserved, not running, won't kill$"):
        killing.kill(database, taskid)
    assert running.get(database, taskid) is not None


@pytest.mark.parametrize("onorphan", ["end", "adopt"])
def test_a_task_without_keepers_is_ended(database: Database, onorphan: str) -> None:
    """T23: the whole tree, daemons too, under both policies; the history says who asked."""
    with launched(database, onorphan=onorphan) as task:
        task.kill_keepers()
        killing.kill(database, task.taskid)
        assert task.living() == []
    past = past_of(database, task.taskid)
    assert (past.termsignal, past.outcome) == ("SIGTERM", Outcome.KILLED)
    assert past.termerror == "killed on request: signal 15 (SIGTERM)"


def test_one_that_ignores_the_signal_is_killed_after_the_grace(database: Database) -> None:
    """T23: SIGTERM is a request, SIGKILL is not."""
    with launched(database, STUBBORN) as task:
        task.kill_keepers()
        killing.kill(database, task.taskid, grace=0.1)
        assert task.living() == []
    assert past_of(database, task.taskid).termsignal == "SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGSTOP])
def test_keepers_that_do_nothing_do_not_hold_it_up(database: Database, number: signal.Signals) -> None:
    """T23: deaf or stopped keepers are killed after a while, and the task is settled without them."""
    with launched(database, keeper=DEAF) as task:
        for keeper in task.keepers:
            keeper.send_signal(number)
        killing.kill(database, task.taskid, grace=0.1, patience=0.1)
        assert task.living() == []
        assert [keeper.wait() for keeper in task.keepers] == [-signal.SIGKILL] * 2
    assert past_of(database, task.taskid).outcome is Outcome.KILLED


def test_a_stranger_with_the_pid_of_a_keeper_is_left_alone(database: Database) -> None:
    """A keeper's pid that has come again is neither signalled nor waited for."""
    with launched(database) as task, subprocess.Popen(["sleep", "1000"]) as stranger:
        identity = tree.identify(stranger.pid)
        assert identity is not None
        task.kill_keepers()
        running.set_keepers(database, task.taskid, [identity._replace(ticks=identity.ticks - 1)])
        killing.kill(database, task.taskid)
        try:
            assert tree.is_alive(identity)
        finally:
            stranger.kill()
    assert running.get(database, task.taskid) is None


def test_all_of_a_name_are_ended(database: Database) -> None:
    """T25: two that run, one reserved and one stale of a name; others and the caller live on."""
    taskid = reservation.reserve(database, time.time(), "t")
    deaf, stubborn = launched(database, keeper=DEAF), launched(database, STUBBORN)
    with deaf as one, stubborn as two, launched(database) as stale, launched(database, name="u") as other:
        stale.kill_keepers()
        for member in stale.family:
            tree.send_signal(member, signal.SIGKILL)
        assert killing.killall(database, "t", grace=0.1, patience=0.1) == 4
        assert one.living() == two.living() == []
        assert len(other.living()) == 3
        assert [task.id for task in running.tasks(database)] == [other.taskid]
        assert killing.killall(database, "nobody") == 0
    assert taskid not in {past.taskid for past in history.past(database, Filter())}
