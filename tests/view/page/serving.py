"""A provider of programs, and its dashboard as a process of its own. Knows commands from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from context_bus.testing.wait import wait_until
from tests.e2e.project import Project
from tests.e2e.shells import Shell, write

#: One that stays, one that writes a line a second and needs it, one that is not started again.
SERVICES = """
  <TaskService id="stay" serviceType="Command">
    <command>sleep 300</command>
    <supervision><restart policy="always"/></supervision>
  </TaskService>
  <TaskService id="talk" serviceType="Command">
    <command>sh -c 'while :; do echo "a line of talk"; sleep 0.5; done'</command>
    <supervision><requires service="stay"/></supervision>
  </TaskService>
  <TaskService id="frail" serviceType="Command">
    <command>sleep 300</command>
  </TaskService>
"""


class Provider:
    """A provider that runs the services above as transaction T1."""

    def __init__(self, directory: Path) -> None:
        self.file = write(Project(directory), SERVICES)
        self.shell = Shell(self.file)
        self.start()

    def start(self) -> None:
        """Start it; returns when everything runs."""
        call = [
            sys.executable,
            "-m",
            "context_bus",
            "service-context",
            str(self.file),
            "--start=T1",
            "--quiet",
        ]
        self.process = subprocess.Popen(call)
        try:
            wait_until(
                lambda: self.shell("wait", "stay", "talk").returncode == 0,
                30,
                lambda: self.shell("ps"),
            )
        except BaseException:
            self.close()
            raise

    def pid_of(self, service_id: str) -> int:
        """Process of a service."""
        pid = self.shell.services()[service_id]["pid"]
        assert isinstance(pid, int)
        return pid

    def close(self) -> None:
        """End it and everything it runs. Safe to repeat."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)


class Dashboard:
    """The page of a context file at a free port; its words are kept."""

    def __init__(self, file: Path, *options: str) -> None:
        call = [
            sys.executable,
            "-m",
            "context_bus",
            "dashboard",
            "-c",
            str(file),
            "--port=0",
            "--json",
            *options,
        ]
        self.process = subprocess.Popen(
            call,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDEVMODE": "1"},
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.url: str = told["url"]
        self.address: str = told["read_only_url"]
        self.said = ""

    def close(self) -> int:
        """Ctrl-C; returns its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            _, self.said = self.process.communicate(timeout=15)
        return self.process.returncode

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
