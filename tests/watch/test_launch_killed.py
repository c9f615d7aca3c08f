"""Whoever of a launcher is killed -9, and at whatever instruction: no orphan, no zombie, one row at most."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch import orphans
from context_bus.watch.database import Database
from context_bus.watch.values import Outcome, Past
from tests.watch.launching import PATIENCE, Launching

#: Moments in the life of a task, as the watcher comes through them; the second says whether a command ran.
MOMENTS = {
    "call:claim": False,
    "return:claim": False,
    "call:bear": False,
    "return:bear": True,
    "call:set_pid": True,
    "call:run": True,
    "call:archive": True,
    "return:archive": True,
}
#: A command that ends by itself, some time after all of the launcher has been come through.
COMMAND = ("sh", "-c", "echo >> ran; sleep 0.3; exit 3")
#: One that does not.
ENDLESS = ("sh", "-c", "echo >> ran; sleep 300 & (setsid sleep 300 &); exec sleep 300")

#: Whoever is left would else keep a pipe of ours open.
SILENT: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _killed(launching: Launching, who: str, place: str, *words: str, where: str = "watcher") -> int:
    """Launch, and kill at a place; returns the code of the launcher."""
    env = launching.env | {"KILLED": who, "KILLED_AT": place, "KILLED_IN": where}
    launcher = launching.begin(*words, module="tests.watch.killed", env=env, **SILENT)
    return launcher.wait(PATIENCE)


def _settled(launching: Launching) -> list[Past]:
    """The history, when all is over that the next who looks would see to."""

    def is_over() -> bool:
        with Database(launching.path) as database:
            orphans.settle(database, time.time())
        return not launching.tasks()

    wait_until(is_over, PATIENCE, lambda: f"tasks {launching.tasks()}")
    launching.wait_gone()
    return launching.past()


@pytest.mark.parametrize("policy", ["end", "adopt"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_watcher_is_killed(launching: Launching, tmp_path: Path, moment: str, policy: str) -> None:
    """T26: the front sees to its task: ends it, or goes on with it and has the very exit code."""
    is_over = "archive" in moment
    command = ENDLESS if policy == "end" and not is_over else COMMAND
    code = _killed(launching, "watcher", moment, "--grace", "0.2", "--on_orphan", policy, "--", *command)
    launching.wait_gone()
    assert launching.tasks() == []  # without anybody's looking
    rows = launching.past()
    if moment == "call:claim":
        assert (code, rows) == (7, [])
        return
    (row,) = rows
    if not MOMENTS[moment]:
        assert (code, row.outcome, row.exitcode) == (255, Outcome.LOST, None)
        assert row.termerror == "launcher was killed before the command was started"
        assert not (tmp_path / "ran").exists()
    elif policy == "adopt" or is_over:
        assert (code, row.exitcode, row.termerror) == (3, 3, "exit code 3")
    else:
        assert (code, row.termsignal, row.outcome) == (137, "SIGKILL", Outcome.LOST)
        assert str(row.termerror).startswith("launcher was killed; the command was ended")


@pytest.mark.parametrize("policy", ["end", "adopt"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_front_is_killed(launching: Launching, moment: str, policy: str) -> None:
    """T26: the watcher sees to its task: ends it, or goes on with it."""
    is_over = "archive" in moment
    command = ENDLESS if policy == "end" and not is_over else COMMAND
    code = _killed(launching, "front", moment, "--grace", "0.2", "--on_orphan", policy, "--", *command)
    assert code == -signal.SIGKILL
    launching.wait_gone()
    assert launching.tasks() == []
    (row,) = launching.past()
    if policy == "adopt" or is_over:
        assert (row.exitcode, row.termerror) == (3, "exit code 3")
    else:
        assert row.outcome is Outcome.LOST
        assert row.termerror == "launcher was killed; the command was ended"


@pytest.mark.parametrize("policy", ["end", "adopt"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_both_are_killed(launching: Launching, tmp_path: Path, moment: str, policy: str) -> None:
    """T26: whoever looks next settles it; with "end" the kernel has killed the command before."""
    command = ENDLESS if policy == "end" and "archive" not in moment else COMMAND
    code = _killed(launching, "both", moment, "--on_orphan", policy, "--", *command)
    assert code == -signal.SIGKILL
    rows = _settled(launching)
    assert len(rows) == (moment != "call:claim")
    if moment == "return:archive":
        assert rows[0].exitcode == 3
    elif rows:
        assert rows[0].outcome is Outcome.LOST


def test_kernel_kills_the_command_of_nobody(launching: Launching, tmp_path: Path) -> None:
    """T26: with "end", before anybody looks; what it started is for whoever does."""
    launcher = launching.begin("--", *ENDLESS, **SILENT)
    task = launching.wait_running()
    assert task.pid is not None
    assert task.ticks is not None
    launching.wait_for(tmp_path / "ran")
    command = tree.Identity(task.pid, task.ticks)
    for keeper in reversed(task.keepers):
        tree.send_signal(keeper, signal.SIGKILL)
    assert launcher.wait(PATIENCE) == -signal.SIGKILL
    assert tree.wait_gone([command], PATIENCE) == []
    (row,) = _settled(launching)
    assert row.outcome is Outcome.LOST


@pytest.mark.parametrize("policy", ["end", "adopt"])
def test_front_is_killed_while_it_waits(launching: Launching, tmp_path: Path, policy: str) -> None:
    """From outside, when all is quiet; the command is deaf."""
    script = "trap '' TERM; touch up; until test -e go; do sleep 0.01; done; exit 4"
    words = ("--grace", "0.1", "--on_orphan", policy)
    launcher = launching.begin(*words, "--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    launching.wait_running()
    launcher.kill()
    if policy == "adopt":
        (tmp_path / "go").touch()
    launching.wait_gone()
    row = launching.only()
    assert (row.termsignal, row.exitcode) == (("SIGKILL", None) if policy == "end" else ("", 4))


def test_adopted_command_is_watched_on(launching: Launching, tmp_path: Path) -> None:
    """The front that has become a watcher passes signals on, and ends all that is left in the end."""
    script = "trap 'touch got' USR2; sleep 300 & touch up; until test -e got; do sleep 0.01; done; exit 9"
    words = ("--grace", "0.1", "--on_orphan", "adopt", "--max_runtime", "60")
    launcher = launching.begin(*words, "--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    watcher, front = launching.wait_running().keepers
    tree.send_signal(watcher, signal.SIGKILL)
    wait_until(lambda: launching.tasks()[0].keepers[0] == front, PATIENCE, "the front does not take over")
    launcher.send_signal(signal.SIGUSR2)
    assert launcher.wait(PATIENCE) == 9
    row = launching.only()
    assert row.termerror == "exit code 9; 1 process left behind, ended"


def test_output_of_an_adopted_command_goes_on(launching: Launching, tmp_path: Path) -> None:
    """Through the pipe that both have: nobody is hit by SIGPIPE, nothing is lost."""
    script = "echo one; touch up; until test -e go; do sleep 0.01; done; echo two; exit 0"
    words = ("--output", "log", "--max_bytes", "100000", "--on_orphan", "adopt")
    launcher = launching.begin(*words, "--", "sh", "-c", script)
    launching.wait_for(tmp_path / "up")
    log = tmp_path / "log"
    wait_until(lambda: log.exists() and log.read_text() == "one\n", PATIENCE, "it is not written")
    watcher, front = launching.wait_running().keepers
    tree.send_signal(watcher, signal.SIGKILL)
    wait_until(lambda: launching.tasks()[0].keepers[0] == front, PATIENCE, "the front does not take over")
    (tmp_path / "go").touch()
    assert launcher.wait(PATIENCE) == 0
    assert log.read_text() == "one\ntwo\n"


def lines(launching: Launching, where: str) -> int:
    """How many lines a launcher executes that is not killed."""
    file = launching.cwd / "count"
    env = launching.env | {"KILLED": "both", "KILLED_AT": "count", "KILLED_IN": where}
    env |= {"KILLED_COUNT": str(file)}
    launching.begin(
        "--", "sh", "-c", "exit 3", module="tests.watch.killed", env=env, **SILENT
    ).wait(PATIENCE)
    return int(file.read_text())


#: Lines of a launcher at which it is killed, of all it has; a stride that hits others each time it changes.
STEPS = 12


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["end", "adopt"])
@pytest.mark.parametrize(
    ("where", "who"), [("watcher", "watcher"), ("watcher", "front"), ("watcher", "both"), ("front", "front")]
)
def test_killed_at_any_line(
    launching: Launching, tmp_path: Path, where: str, who: str, policy: str
) -> None:
    """T26: at lines all over the launcher, the invariants hold: nothing runs, each run has one row."""
    total = lines(launching, where)
    for line in range(1, total, max(1, total // STEPS)):
        before = len(launching.past())
        (tmp_path / "ran").unlink(missing_ok=True)
        words = ("--grace", "0.2", "--on_orphan", policy, "--", "sh", "-c", "echo >> ran; exit 3")
        _killed(launching, who, str(line), *words, where=where)
        added = len(_settled(launching)) - before
        runs = (tmp_path / "ran").read_text().count("\n") if (tmp_path / "ran").exists() else 0
        assert runs <= added <= 1, f"line {line} of {total}: {runs} runs, {added} rows"
