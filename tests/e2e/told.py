"""A provider of programs whose every event a test can read, with its time.

It prints its events as JSON into a file: whoever waits for one starts no process for that, and what lies
between two is known to the millisecond. What it says on standard error is read when it has ended.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from xml.sax.saxutils import escape, quoteattr

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.project import Project
from tests.e2e.shells import Supervised, write

#: Seconds that anything may take before it is a failure; the machine is shared.
PATIENCE = 30.0


class Change(NamedTuple):
    """One change of the state of one service.

    Args:
        place: How many events the provider printed before.
        time: When, in seconds since the epoch.
        service_id: Whose.
        state: The new one.
        reason: Why.
        pid: Of its process, if it has one.
    """

    place: int
    time: float
    service_id: str
    state: str
    reason: str
    pid: int | None


def program(service_id: str, line: str, supervision: str = "", state: str = "on_start") -> str:
    """A service that runs a line of shell, kept as said, as XML."""
    kept = f"<supervision>{supervision}</supervision>" if supervision else ""
    return (
        f"<TaskService id={quoteattr(service_id)} serviceType='Command'>"
        f"<command><arg>/bin/sh</arg><arg>-c</arg><arg>{escape(line)}</arg></command>"
        f"<Task><state type='{state}'/></Task>{kept}</TaskService>"
    )


class Told(Supervised):
    """A provider and what it printed.

    Args:
        project: Where its file goes, and on which ports it is.
        services: Its services as XML.
    """

    def __init__(self, project: Project, *services: str) -> None:
        super().__init__(write(project, "".join(services)), secrets.token_hex(8))
        self.directory = project.directory
        self._out, self._err = self.directory / "told.json", self.directory / "errors.json"

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it; what it says goes to files."""
        command = [sys.executable, "-m", "context_bus", "service-context", str(self.shell.file), "--json"]
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self.process = subprocess.Popen(
                [*command, *options],
                env=os.environ | {procs.MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        return self.process

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """What it has printed so far; what is no event was written by a service that inherits its output."""
        lines = self._out.read_text().splitlines() if self._out.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    @property
    def errors(self) -> list[str]:
        """What it logged as an error, or did not catch at all."""
        lines = self._err.read_text().splitlines() if self._err.exists() else []
        return [line for line in lines if '"level":"error"' in line or line[:1] != "{"]

    def changes(self, service_id: str, state: str = "") -> list[Change]:
        """The changes of a service, or those to one state."""
        found = [
            Change(place, *(each[key] for key in ("time", "service_id", "new", "reason", "pid")))
            for place, each in enumerate(self.events)
            if each["event"] == "ServiceChanged" and each["service_id"] == service_id
        ]
        return [each for each in found if state in ("", each.state)]

    def until(self, service_id: str, state: str, count: int = 1) -> Change:
        """Wait until a service has come to a state for the ``count``-th time."""

        def told() -> str:
            return f"{service_id} {state} {count} times: {self.changes(service_id)}\n{self._err.read_text()}"

        found = wait_until(lambda: self.changes(service_id, state)[count - 1 : count], PATIENCE, told)
        return found[0]

    def text(self, path: str) -> str:
        """What stands in a file beside the context file; empty if there is none."""
        file: Path = self.directory / path
        return file.read_text() if file.exists() else ""


class Tell(Protocol):
    """Makes a provider of some services; what is left of it is ended with the test."""

    def __call__(self, *services: str) -> Told: ...
