"""Launchers for tests: started as the library starts them, found again whatever becomes of them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from context_bus.process import tree
from context_bus.testing.wait import wait_until
from context_bus.watch import history, running
from context_bus.watch.database import Database
from context_bus.watch.values import Filter, Past, Task

#: Environment variable of all that one test starts.
TAG = "TEST_OF_LAUNCHING"
#: Seconds for what takes milliseconds.
PATIENCE = 20.0


class Launching:
    """Starts launchers on one database, and ends what is left of them.

    Args:
        path: The database.
        cwd: Where launchers run.
    """

    def __init__(self, path: Path, cwd: Path) -> None:
        self.path, self.cwd = path, cwd
        self.tag = secrets.token_hex(8)
        self.launchers: list[subprocess.Popen[str]] = []

    def begin(self, *words: str, module: str = "context_bus.watch", **how: object) -> subprocess.Popen[str]:
        """Start a launcher: ``begin("--grace", "1", "--", "sleep", "3")``."""
        before = [sys.executable, "-m", module]
        argv = [*before, "launch", "--db", str(self.path), *words]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | how
        given = {"env": self.env, "text": True} | given
        launcher = subprocess.Popen(argv, cwd=self.cwd, **given)  # type: ignore[call-overload]
        self.launchers.append(launcher)
        return launcher  # type: ignore[no-any-return]

    @property
    def env(self) -> dict[str, str]:
        """The environment of launchers."""
        root = str(Path(__file__).parents[2])
        return {**os.environ, TAG: self.tag, "PYTHONPATH": root}

    def run(self, *words: str, **how: object) -> subprocess.CompletedProcess[str]:
        """Launch, and wait for the end."""
        launcher = self.begin(*words, **how)
        out, err = launcher.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(launcher.args, launcher.returncode, out, err)

    # -- what is known ---------------------------------------------------------------------------

    def tasks(self) -> list[Task]:
        """What runs, by the database."""
        with Database(self.path) as database:
            return running.tasks(database)

    def past(self) -> list[Past]:
        """What has ended, the last first."""
        with Database(self.path) as database:
            return list(history.past(database, Filter()))

    def only(self) -> Past:
        """The one row of the history; there is no other, and nothing runs."""
        assert self.tasks() == []
        (row,) = self.past()
        return row

    def wait_running(self) -> Task:
        """The one task that runs, once its pid is known."""
        return wait_until(
            lambda: next((task for task in self.tasks() if task.pid is not None), None),
            PATIENCE,
            "a task that runs",
        )

    def wait_for(self, file: Path) -> None:
        """Wait until a command says by a file that it is so far."""
        wait_until(file.exists, PATIENCE, f"{file.name} is not there")

    def living(self) -> list[tree.Row]:
        """All that was started and has not ended, launchers and daemons too."""
        mark = f"{TAG}={self.tag}".encode()
        rows = (row for row in tree.read_table().values() if not tree.is_gone(row))
        return [row for row in rows if mark in tree.environment_of(row.pid).split(b"\0")]

    def wait_gone(self) -> None:
        """Wait until nothing is left."""
        wait_until(lambda: not self.living(), PATIENCE, lambda: self._words())

    def _words(self) -> str:
        return "; ".join(f"{row.pid} {row.state} {tree.command_line(row.pid)}" for row in self.living())

    def close(self) -> str:
        """End what is left; says what that was."""
        left = self._words()
        for row in self.living():
            tree.send_signal(row.identity, signal.SIGKILL)
        for launcher in self.launchers:
            launcher.kill()
            launcher.wait()
            for stream in (launcher.stdin, launcher.stdout, launcher.stderr):
                if stream is not None:
                    stream.close()
        wait_until(lambda: not self.living(), PATIENCE, self._words)
        return left


@contextmanager
def launching(path: Path, cwd: Path) -> Iterator[Launching]:
    """Launchers on a database; a test that leaves a process behind fails."""
    started = Launching(path, cwd)
    try:
        yield started
    except BaseException:
        started.close()
        raise
    assert not started.close()
