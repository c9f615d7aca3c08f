"""A project on disk: services and context files written by hand, ports of its own.

Knows the context file and the TaskService object of the original wire; imports nothing of context_bus.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import string
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.e2e.wire import Json

#: Directory of the checkout.
ROOT = Path(__file__).resolve().parents[2]
#: What the user calls.
TOOLS = ROOT / "tools"
#: Context id of all contexts here.
CONTEXT_ID = "context001"
TRIGGERS = ("on_start", "on_update", "on_fail", "on_exit")

#: One service that does what its configuration says; enough for most rows.
ACTOR = '''
"""A task that does what its configuration says."""

from pathlib import Path

from context_bus import Task, TaskService


class Acting(Task):
    """Idles, ends, fails or updates."""

    behaviour: str = "idle"
    result: str = "success"
    words: str = ""
    token: str = ""

    def setup(self) -> None:
        if self.behaviour == "fail_in_setup":
            raise RuntimeError("told to fail in setup")

    def run(self) -> None:
        if self.behaviour == "finish":
            return
        if self.behaviour == "fail":
            raise RuntimeError("told to fail")
        if self.behaviour == "fail_once" and not Path(self.token).exists():
            Path(self.token).touch()
            raise RuntimeError("told to fail once")
        if self.behaviour == "update":
            self.notify("updated", result=self.result, items={"words": self.words})
        while not self.wait(3600.0):
            pass


class ServiceActor(TaskService):
    """The service around it."""

    task_class = Acting
'''


@dataclass(frozen=True)
class Service:
    """One TaskService, as an element of a file or as the object of a message."""

    id: str
    instance: str = "Actor"
    service_name: str = ""
    service_type: str = "Process"
    state: str = "on_start"
    transitions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    description: str = "A service of a test"

    @property
    def name(self) -> str:
        """The name messages are matched on."""
        return self.service_name or f"name_of_{self.id}"

    def image(self, location: Path | str) -> Json:
        """The TaskService object as the original's clients send it."""
        state: Json = {"type": self.state}
        for trigger in TRIGGERS:
            action, call = self.transitions.get(trigger, ("", ""))
            state[trigger] = {"action": action, "call": call}
        message = {
            "header": {"action": "start", "service_name": self.name},
            "content": {"configuration": {"location": str(location), **self.configuration}},
        }
        return {
            "Task": {"description": self.description, "message": message, "state": state},
            "id": self.id,
            "instance": self.instance,
            "serviceType": self.service_type,
            "topic": "process",
        }

    def element(self, location: Path | str) -> str:
        """The same as XML."""
        image = self.image(location)
        attributes = " ".join(f"{key}={quoteattr(image[key])}" for key in _ATTRIBUTES)
        states = "".join(_xml(trigger, image["Task"]["state"][trigger]) for trigger in TRIGGERS)
        return (
            f"  <TaskService {attributes}>\n    <Task>\n"
            f"      {_xml('description', self.description)}\n"
            f"      {_xml('message', image['Task']['message'])}\n"
            f"      <state type={quoteattr(self.state)}>{states}</state>\n"
            "    </Task>\n  </TaskService>\n"
        )


_ATTRIBUTES = ("id", "instance", "serviceType", "topic")


def _xml(tag: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_xml(tag, one) for one in value)
    inner = "".join(_xml(*pair) for pair in value.items()) if isinstance(value, dict) else escape(str(value))
    return f"<{tag}>{inner}</{tag}>"


def new_transaction() -> str:
    """A transaction id as the original generated it."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(20))


def free_ports(count: int = 2) -> list[int]:
    """Ports nobody uses now."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in held]


def is_free(port: int) -> bool:
    """Whether a port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def run_tool(
    script: str,
    *args: object,
    cwd: Path | None = None,
    timeout: float = 40.0,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a script of tools/ to its end."""
    return subprocess.run(
        [sys.executable, str(TOOLS / script), *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | dict(environment or {}),
        check=False,
    )


def the_error(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a tool refused, without what its log warned of before."""
    assert ended.returncode not in (0, 70), ended
    assert "Traceback" not in ended.stderr, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.strip() and " WARNING " not in line]
    assert len(lines) == 1, ended.stderr
    return lines[0]


class Project:
    """A directory with Services/, Conf/ and two ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.services = directory / "Services"
        self.conf = directory / "Conf"
        self.services.mkdir(parents=True, exist_ok=True)
        self.conf.mkdir(exist_ok=True)
        self.sub_port, self.pub_port = free_ports()
        self.listen_on = f"tcp://127.0.0.1:{self.sub_port}"
        self.publish_to = f"tcp://127.0.0.1:{self.pub_port}"
        self.write_service("Actor", ACTOR)

    def write_service(self, instance: str, source: str, **others: str) -> Path:
        """Write ``Services/<instance>/Service<instance>.py`` and further modules beside it."""
        home = self.services / instance
        home.mkdir(exist_ok=True)
        (home / "__init__.py").touch()
        for stem, text in {f"Service{instance}": source, **others}.items():
            (home / f"{stem}.py").write_text(text.lstrip("\n"))
        return home

    def write_context(self, services: Sequence[Service] = (), name: str = "Test", **changes: str) -> Path:
        """Write a context file; an element given as empty text is left out."""
        head = {
            "FrontEndEndpoint": self.listen_on,
            "BackendEndpoint": self.publish_to,
            "FrontBind": self.publish_to,
            "BackendBind": self.listen_on,
            "ContextID": CONTEXT_ID,
            "TaskLogName": name,
        } | changes
        lines = [f"  {_xml(tag, text)}\n" for tag, text in head.items() if text]
        lines += [service.element(self.services) for service in services]
        path = self.conf / f"Context-{name}.xml"
        path.write_text(
            "<?xml version='1.0' encoding='utf-8'?>\n<Context>\n" + "".join(lines) + "</Context>\n"
        )
        return path

    def ports_free(self) -> bool:
        """Whether nobody holds the two ports any more."""
        return is_free(self.sub_port) and is_free(self.pub_port)
