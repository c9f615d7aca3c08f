"""A launcher in a terminal: the keys do what they do without it."""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch.values import Outcome
from tests.watch.launching import PATIENCE, Launching

#: What the keys send.
CTRL_C, CTRL_Z = b"\x03", b"\x1a"


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: the side of the keyboard, and the side of programs."""
    keyboard, screen = pty.openpty()
    try:
        yield keyboard, screen
    finally:
        os.close(keyboard)
        os.close(screen)


def _begin(launching: Launching, screen: int, *words: str) -> subprocess.Popen[str]:
    """Launch as a shell would: in the foreground of the terminal."""
    return launching.begin(*words, preexec_fn=lambda: _take(screen), **_streams(screen))


def _begin_in_terminal(launching: Launching, screen: int, argv: list[str]) -> subprocess.Popen[str]:
    """Start a shell, which has jobs."""
    process = subprocess.Popen(
        argv, cwd=launching.cwd, env=launching.env, preexec_fn=lambda: _take(screen), **_streams(screen)
    )
    launching.launchers.append(process)
    return process


def _take(screen: int) -> None:
    os.setsid()
    fcntl.ioctl(screen, termios.TIOCSCTTY, 0)


def _streams(screen: int) -> Any:
    return {"stdin": screen, "stdout": screen, "stderr": screen, "text": True}


def _is_pending(pid: int, number: int) -> bool:
    """Whether a signal has not been taken yet; a second one would then be none."""
    text = Path(f"/proc/{pid}/status").read_text()
    (pending,) = (line.split()[1] for line in text.splitlines() if line.startswith("ShdPnd"))
    return bool(int(pending, 16) >> (number - 1) & 1)


def test_interrupt_by_key_reaches_the_command_once(launching: Launching, tmp_path: Path) -> None:
    """It has come from the terminal already, so the launcher does not pass it on."""
    script = "trap 'echo x >> got' INT; touch up; until test -e go; do sleep 0.01; done; exit 4"
    with terminal() as (keyboard, screen):
        launcher = _begin(launching, screen, "--", "sh", "-c", script)
        launching.wait_for(tmp_path / "up")
        os.write(keyboard, CTRL_C)
        launching.wait_for(tmp_path / "got")
        (tmp_path / "go").touch()
        assert launcher.wait(PATIENCE) == 4
    assert (tmp_path / "got").read_text() == "x\n"
    assert launching.only().exitcode == 4


def test_interrupt_by_key_ends_a_command(launching: Launching, tmp_path: Path) -> None:
    """The usual end: signal and code are those of the command."""
    with terminal() as (keyboard, screen):
        launcher = _begin(launching, screen, "--", "sh", "-c", "touch up; exec sleep 300")
        launching.wait_for(tmp_path / "up")
        wait_until(lambda: "sleep" in tree.command_line(launching.wait_running().pid or 0), PATIENCE)
        os.write(keyboard, CTRL_C)
        assert launcher.wait(PATIENCE) == 130
    row = launching.only()
    assert (row.termsignal, row.outcome) == ("SIGINT", Outcome.FAILED)


def test_second_key_kills(launching: Launching, tmp_path: Path) -> None:
    """A command that does not care for the first."""
    with terminal() as (keyboard, screen):
        script = "trap 'touch got' INT; touch up; while :; do sleep 300 & wait; done"
        launcher = _begin(launching, screen, "--grace", "60", "--", "sh", "-c", script)
        launching.wait_for(tmp_path / "up")
        os.write(keyboard, CTRL_C)
        launching.wait_for(tmp_path / "got")
        wait_until(lambda: not _is_pending(launcher.pid, signal.SIGINT), PATIENCE, "it has not heard")
        os.write(keyboard, CTRL_C)
        assert launcher.wait(PATIENCE) == 137
    assert launching.only().outcome is Outcome.KILLED


def test_stopped_by_key_is_not_late(launching: Launching, tmp_path: Path) -> None:
    """Launcher and command stop, so that the shell goes on; the time until ``fg`` does not count."""
    launch = [sys.executable, "-m", "context_bus.watch", "launch", "--db", str(launching.path)]
    launch += ["--max_runtime", "1", "--", "sh", "-c", "touch up; until test -e go; do sleep 0.01; done"]
    shell = f"set -m; {shlex.join(launch)}; touch back; until test -e on; do sleep 0.01; done; fg >&-"
    with terminal() as (keyboard, screen):
        bash = _begin_in_terminal(launching, screen, ["bash", "-c", f"{shell}; exit $?"])
        launching.wait_for(tmp_path / "up")
        os.write(keyboard, CTRL_Z)
        launching.wait_for(tmp_path / "back")
        command = launching.wait_running()
        stopped_at = time.monotonic()
        wait_until(lambda: time.monotonic() > stopped_at + 1.5, PATIENCE, "time to be late")
        assert [task.id for task in launching.tasks()] == [command.id]
        (tmp_path / "on").touch()
        (tmp_path / "go").touch()
        assert bash.wait(PATIENCE) == 0
    row = launching.only()
    assert row.outcome is Outcome.DONE
    assert row.elapsed is not None
    assert row.elapsed > 1.5


def test_command_stays_in_the_foreground(launching: Launching, tmp_path: Path) -> None:
    """It is of the launcher's group and session, so that it can read the terminal."""
    with terminal() as (keyboard, screen):
        launcher = _begin(launching, screen, "--", "sh", "-c", "touch up; read line; test $line = typed")
        launching.wait_for(tmp_path / "up")
        row = tree.read_row(launching.wait_running().pid or 0)
        assert row is not None
        assert row.group == row.session == launcher.pid
        os.write(keyboard, b"typed\n")
        assert launcher.wait(PATIENCE) == 0
