"""A directory with a database of watched tasks, and the scripts to work at it: the black box of a user.

Runs ``tools/control.py`` and ``tools/launch.py`` as processes; imports nothing of context_bus.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.project import TOOLS, run_tool

#: Seconds in which anything here has happened on a machine with far too much to do.
PATIENCE = 20.0
#: A command that says "ready", and ends with the end of its input.
WAITING = ("sh", "-c", "echo ready; read line")

Ended = subprocess.CompletedProcess[str]


class Desk:
    """A directory with a database, and the scripts to work at it."""

    def __init__(self, directory: Path, db: str = "tasks.db") -> None:
        self.directory = directory
        self.db = directory / db

    def run(self, script: str, *args: object) -> Ended:
        return run_tool(script, *args, cwd=self.directory)

    def control(self, *args: object) -> Ended:
        return self.run("control.py", "--db", self.db, *args)

    def done(self, *args: object) -> str:
        """What ``control.py`` printed, having succeeded without a word on stderr."""
        ended = self.control(*args)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        return ended.stdout

    def refused(self, *args: object) -> str:
        """The line with which ``control.py`` refused, having printed nothing."""
        return the_refusal(self.control(*args))

    def launch(self, *args: object) -> Ended:
        return self.run("launch.py", "--db", self.db, *args)

    def tasks(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.done("--list", "--json"))
        assert isinstance(found, dict)
        return found

    def past(self) -> list[dict[str, Any]]:
        return list(json.loads(self.done("--history")).values())

    def sql(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> None:
        """Change the database behind everybody's back."""
        with closing(sqlite3.connect(self.db)) as connection, connection:
            connection.executemany(statement, rows)

    @contextmanager
    def running(self, *options: object, command: Sequence[str] = WAITING) -> Iterator[subprocess.Popen[str]]:
        """A launcher whose command has said that it is ready."""
        words = [sys.executable, str(TOOLS / "launch.py"), "--db", str(self.db), *map(str, options), "--"]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen([*words, *command], cwd=self.directory, text=True, **pipes) as launcher:  # type: ignore[call-overload]
            try:
                assert launcher.stdout is not None
                assert launcher.stdout.readline() == f"Command_line={' '.join(command)}\n"
                assert launcher.stdout.readline() == "ready\n"
                yield launcher
            finally:
                launcher.stdin.close()
                launcher.wait(PATIENCE)


def the_refusal(ended: Ended) -> str:
    """The one line on stderr with which a script refused."""
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    (line,) = ended.stderr.splitlines()
    return line


def run_examples(directory: Path, script: str, *words: str, **changes: str) -> None:
    """Run every example of a help text, as a reader would type it.

    Args:
        directory: Where.
        script: In ``tools/``.
        words: A sub-command.
        changes: What else to put for words of the examples.
    """
    told = run_tool(script, *words, "--help", cwd=directory).stdout.partition("examples:\n")[2].splitlines()
    assert len(told) > 1
    for example in map(str.strip, told):
        name, _, rest = example.partition(" ")
        assert name == script
        for old, new in changes.items():
            rest = rest.replace(old, new)
        line = f"{sys.executable} {TOOLS / name} {rest}"
        ended = subprocess.run(
            ["bash", "-c", line], cwd=directory, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, ""), (example, ended)
