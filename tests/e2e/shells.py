"""A provider of programs for tests: its file, its process, and a shell to command it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.project import Project


class Shell:
    """Calls ``context-bus`` for one provider."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, *args: str, timeout: float = 40.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "context_bus", *args, "-c", str(self.file)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *args: str) -> object:
        ended = self(*args, "--json")
        assert ended.returncode == 0, ended
        return json.loads(ended.stdout)

    def services(self) -> dict[str, dict[str, object]]:
        """Every service by its id; none while there is no provider."""
        ended = self("ps", "--json")
        if ended.returncode:
            return {}
        return {each["service_id"]: each for each in json.loads(ended.stdout)["services"]}

    def until(self, service_id: str, phase: str, deadline: float = 30.0) -> dict[str, object]:
        """Wait until a service is in a state; returns how it is then."""
        found = wait_until(
            lambda: (each := self.services().get(service_id)) and each["phase"] == phase and each,
            deadline,
            lambda: f"{service_id} to be {phase}: {self('ps').stdout}",
        )
        assert isinstance(found, dict)
        return found

    def started_again(self, service_id: str, times: int) -> dict[str, object]:
        """Wait until a service has had so many processes; returns how it is then."""
        found = wait_until(
            lambda: (each := self.services().get(service_id, {})).get("starts") == times and each,
            30,
            lambda: f"{times} starts of {service_id}: {self('ps').stdout}",
        )
        assert isinstance(found, dict)
        return found


def write(project: Project, services: str) -> Path:
    """A context file of these services on the project's ports."""
    file = project.directory / "Context-Supervised.xml"
    file.write_text(
        "<Context>"
        f"<FrontEndEndpoint>{project.listen_on}</FrontEndEndpoint>"
        f"<BackendEndpoint>{project.publish_to}</BackendEndpoint>"
        f"<FrontBind>{project.publish_to}</FrontBind><BackendBind>{project.listen_on}</BackendBind>"
        f"<TaskLogName>Supervised</TaskLogName>{services}</Context>"
    )
    return file


class Supervised:
    """``context-bus service-context`` as a process; whatever it leaves is killed at the end.

    Args:
        file: The context file.
        mark: By which all that it starts is known.
        wrapper: Command that runs the provider in surroundings of its own, and becomes it.
    """

    def __init__(self, file: Path, mark: str, wrapper: Sequence[str] = ()) -> None:
        self.shell, self.mark, self._wrapper = Shell(file), mark, wrapper
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a provider, after the one before has ended."""
        if self.process is not None:
            self.process.wait(20)
        command = [sys.executable, "-m", "context_bus", "service-context", str(self.shell.file), "--quiet"]
        self.process = subprocess.Popen(
            [*self._wrapper, *command, *options],
            env=os.environ | {procs.MARK: self.mark},
            stdin=subprocess.DEVNULL,
        )
        return self.process

    def kill(self) -> None:
        """Kill it with -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        """End it in order, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def clean_up(self) -> None:
        """Kill what a failed test left."""
        try:
            self.end()
        except subprocess.TimeoutExpired:
            assert self.process is not None
            self.process.kill()
            self.process.wait(10)
        finally:
            # Again until none is left: what is kept has a guardian, and its death takes others along, so
            # that one of those that were just seen need not be there any more.
            wait_until(lambda: self._kill_rest() == 0, 10, lambda: procs.marked(self.mark))

    def _kill_rest(self) -> int:
        left = procs.marked(self.mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(left)


class Supervise(Protocol):
    """Makes a provider of some services; what is left of it is ended with the test."""

    def __call__(self, *services: str) -> Supervised: ...


def service(service_id: str, command: str, supervision: str = "") -> str:
    """One program as a service; the command as the element that it is."""
    kept = f"<supervision>{supervision}</supervision>" if supervision else ""
    return f'<TaskService id="{service_id}" serviceType="Command">{command}{kept}</TaskService>'
