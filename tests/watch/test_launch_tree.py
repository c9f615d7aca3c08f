"""What a command starts is watched and ended with it, daemons too."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch.values import Outcome
from tests.watch.launching import PATIENCE, Launching

#: A daemon as the book has it: in a session of its own, whose parent has ended.
DAEMON = "setsid sh -c 'sh -c \"touch daemon; exec sleep 300\" &'"


def test_left_behind_is_ended_after_the_grace(launching: Launching) -> None:
    """A command that ends does not end its child: that gets the grace, then the signal."""
    result = launching.run("--grace", "0.1", "--", "sh", "-c", "sleep 300 & exit 3")
    assert result.returncode == 3
    row = launching.only()
    assert (row.exitcode, row.outcome) == (3, Outcome.FAILED)
    assert row.termerror == "exit code 3; 1 process left behind, ended"
    assert row.elapsed is not None
    assert row.elapsed < 0.1  # of the command, not of what came after


def test_left_behind_may_end_by_itself(launching: Launching) -> None:
    """The last part of a pipeline, say, that needs a moment more: nothing is said of it, nothing cut off."""
    script = "(read _; echo last) <fifo & : >fifo & exit 0"
    os.mkfifo(launching.cwd / "fifo")
    result = launching.run("--", "sh", "-c", f"{script}")
    assert result.stdout == "last\n"
    row = launching.only()
    assert (row.exitcode, row.termerror) == (0, "")


def test_daemon_is_ended_too(launching: Launching, tmp_path: Path) -> None:
    """Neither a session of its own nor the end of its parent takes it away from us."""
    script = f"{DAEMON}; until test -e daemon; do :; done; exit 0"
    assert launching.run("--grace", "0.1", "--", "sh", "-c", script).returncode == 0
    row = launching.only()
    assert row.outcome is Outcome.DONE
    assert row.termerror == "1 process left behind, ended"
    launching.wait_gone()


def test_deaf_daemon_is_killed(launching: Launching) -> None:
    """What does not hear SIGTERM has one more grace."""
    script = "trap '' TERM; setsid sh -c 'sleep 300; sleep 300' & exit 0"
    assert launching.run("--grace", "0.1", "--", "sh", "-c", script).returncode == 0
    assert str(launching.only().termerror).endswith("left behind, ended")


def test_tree_is_ended_by_a_signal_to_the_launcher(launching: Launching, tmp_path: Path) -> None:
    """Parent, child and daemon; a process that is stopped hears of it, too."""
    script = f"{DAEMON}; sleep 300 & kill -STOP $!; until test -e daemon; do :; done; touch up; wait"
    launcher = launching.begin("--grace", "5", "--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(PATIENCE) == 143
    row = launching.only()
    assert (row.termsignal, row.outcome) == ("SIGTERM", Outcome.KILLED)
    assert row.termerror == "launcher was told to end: signal 15 (SIGTERM)"
    launching.wait_gone()


def test_nothing_is_a_zombie_while_a_command_runs(launching: Launching, tmp_path: Path) -> None:
    """Orphans that end are reaped as they come, although the command never does."""
    script = "for i in 1 2 3 4 5; do (sh -c : & ) ; done; touch up; exec sleep 300"
    launcher = launching.begin("--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    command = launching.wait_running().pid

    def zombies() -> list[tree.Row]:
        below = tree.descendants([launcher.pid], tree.read_table())
        return [row for row in below if tree.is_gone(row)]

    wait_until(lambda: not zombies(), PATIENCE, lambda: f"zombies {zombies()} beside {command}")
    launcher.send_signal(signal.SIGTERM)
    launcher.wait(PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_that_end_are_graceful(launching: Launching, tmp_path: Path, number: signal.Signals) -> None:
    """A command that clears up may, and its code is that of the launcher."""
    script = "trap 'touch cleared; exit 5' TERM; touch up; while :; do sleep 300 & wait; done"
    launcher = launching.begin("--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    launcher.send_signal(number)
    assert launcher.wait(PATIENCE) == 5
    assert (tmp_path / "cleared").exists()
    row = launching.only()
    assert (row.exitcode, row.outcome) == (5, Outcome.KILLED)
    assert row.termerror == f"launcher was told to end: signal {int(number)} ({number.name})"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_other_signals_are_for_the_command(
    launching: Launching, tmp_path: Path, number: signal.Signals
) -> None:
    """As if it had been started without a launcher."""
    script = f"trap 'exit 6' {number.name[3:]}; touch up; while :; do sleep 300 & wait; done"
    launcher = launching.begin("--grace", "0.1", "--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    launcher.send_signal(number)
    assert launcher.wait(PATIENCE) == 6
    row = launching.only()
    assert (row.exitcode, row.outcome) == (6, Outcome.FAILED)


def test_second_interrupt_kills(launching: Launching, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice does not want to wait."""
    script = "trap 'touch first' INT; touch up; while :; do sleep 300 & wait; done"
    launcher = launching.begin("--grace", "60", "--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    launcher.send_signal(signal.SIGINT)
    launching.wait_for(tmp_path / "first")
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(PATIENCE) == 137
    row = launching.only()
    assert (row.termsignal, row.outcome) == ("SIGKILL", Outcome.KILLED)
    assert row.termerror == "killed by a second Ctrl-C: signal 9 (SIGKILL)"


def test_ignored_hangup_stays_ignored(launching: Launching, tmp_path: Path) -> None:
    """``nohup launch ...`` survives what nohup is for."""
    script = "touch up; until test -e go; do sleep 0.01; done"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        launcher = launching.begin("--", "sh", "-c", script)
    finally:
        signal.signal(signal.SIGHUP, before)
    launching.wait_for(tmp_path / "up")
    launcher.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    assert launcher.wait(PATIENCE) == 0
    assert launching.only().outcome is Outcome.DONE
