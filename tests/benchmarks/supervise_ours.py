"""Our own side of the supervision benchmark: every spelling of ours stands in this file and nowhere else.

Programs are task services of type ``Command``; Python services are task services of type ``Process``.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.benchmarks.supervise_peers import free_ports
from tests.benchmarks.supervise_systems import HOME, Load, PythonServices, System, name_of

#: Transaction of every run.
TRANSACTION = "BENCH"
#: What runs us, as a user would who has not installed us.
PROGRAM = (sys.executable, "-m", "context_bus")
#: Options of the provider that let its services live on when it dies, for the next one to find.
KEEP: tuple[str, ...] | None = ("--keep_services",)
#: Class of a listener that misses no event over a reconnect.
LISTENER = "tests.benchmarks.supervise_ours:Listener"
#: Whether the commands have names of their own; before that there was ``conf-command``.
HAS_COMMANDS = (HOME / "context_bus" / "cli" / "commands" / "ps.py").exists()
#: Words of the record for a service that runs.
RUNNING = frozenset({"started", "updated", "running"})
#: Seconds any answer may take.
PATIENCE = 60.0

HEAD = """<Context>
  <FrontEndEndpoint>tcp://127.0.0.1:{listen}</FrontEndEndpoint>
  <BackendEndpoint>tcp://127.0.0.1:{publish}</BackendEndpoint>
  <FrontBind>tcp://127.0.0.1:{publish}</FrontBind>
  <BackendBind>tcp://127.0.0.1:{listen}</BackendBind>
  <ContextID>context001</ContextID>
  <TaskLogName>Bench</TaskLogName>
"""
COMMAND = """  <TaskService id="{name}" serviceType="Command">
    <command>{command}</command>
    <supervision><restart policy="always"/>{stop}</supervision>
  </TaskService>
"""
PYTHON = """  <TaskService id="{name}" instance="Idle" serviceType="Process" topic="process">
    <Task>
      <message>
        <header><action>start</action><service_name>idle</service_name></header>
        <content>
          <configuration>
            <location>{location}</location><directory>{directory}</directory><number>{number}</number>
          </configuration>
        </content>
      </message>
      <state type="on_start"/>
    </Task>
    <supervision><restart policy="always"/><liveness type="heartbeat"/></supervision>
  </TaskService>
"""
SERVICE = '''"""Services that do nothing."""
import os

from context_bus import Task, TaskService


class Waiting(Task):
    """Says that it is up, and waits."""

    directory: str
    number: int

    def run(self) -> None:
        """Do nothing, for ever."""
        with open(os.path.join(self.directory, f"{self.number}.{os.getpid()}"), "x"):
            pass
        self.wait(3600)


class ServiceIdle(TaskService):
    """The same as a service."""

    task_class = Waiting
'''


class Ours(System):
    """The provider of a context of programs."""

    name = "ours"
    client = "tests.benchmarks.supervise_ours:Client"
    listener = LISTENER
    keep = KEEP
    statistics = "asked"
    environment: Mapping[str, str] = {"PYTHONPATH": str(HOME)}

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self._listen = free_ports(2)
        self._file = work / "Context-Bench.xml"

    def configure(self, load: Load, *, statistics: bool = False) -> None:
        text = HEAD.format(listen=self._listen, publish=self._listen + 1)
        text += "".join(self._python(load) if isinstance(load, PythonServices) else self._programs(load))
        self._file.write_text(text + "</Context>\n")

    def _programs(self, load: Load) -> Iterator[str]:
        assert not isinstance(load, PythonServices)
        for index, program in enumerate(load):
            stop = f'<stop grace="{program.stop_timeout:g}"/>' if program.stop_timeout is not None else ""
            yield COMMAND.format(name=name_of(index), command=escape(shlex.join(program.argv)), stop=stop)

    def _python(self, services: PythonServices) -> Iterator[str]:
        location = self.work / "Services"
        package = location / "Idle"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("")
        (package / "ServiceIdle.py").write_text(SERVICE)
        for index in range(services.count):
            yield PYTHON.format(
                name=name_of(index), location=location, directory=services.directory, number=index
            )

    def launch(self) -> list[str]:
        return [*PROGRAM, "service-context", str(self._file), f"--start={TRANSACTION}", "--quiet"]

    def address(self) -> str:
        from context_bus.store.place import place_of

        return str(place_of(self._file).door)

    def command(self, verb: str, name: str) -> list[str]:
        where = ["--context_file", str(self._file), "--transaction", TRANSACTION]
        if not HAS_COMMANDS:
            asked = ["--service_name", "state", "--action", "request", "--json"]
            wanted = ["--action", verb, "--task_id", name]
            return [*PROGRAM, "conf-command", *where, *(asked if verb == "status" else wanted)]
        if verb == "status":
            return [*PROGRAM, "ps", *where, "--json"]
        return [*PROGRAM, verb, name, *where]

    def state(self, output: str) -> str:
        try:
            row = _records(json.loads(output))["w0"]
            return str(row.get("phase") or row["action"]) + ", frozen" * bool(row.get("frozen"))
        except (ValueError, KeyError, TypeError):
            return output.strip()[:60] or "?"


class OursPython(Ours):
    """The same with Python services wherever a program would do nothing else than sleep."""

    name = "ours, Python"
    only_python = True


def _records(answer: Any) -> dict[str, Any]:
    """Services by id in any of the forms in which the provider tells of them."""
    if isinstance(answer, dict):
        for key in ("services", "tasks", "record"):
            if key in answer:
                return _records(answer[key])
    rows = answer if isinstance(answer, list) else []
    return {str(row["service_id"]): row for row in rows}


class Client:
    """The client that the commands use, by the provider's own socket.

    Args:
        address: The socket.
    """

    def __init__(self, address: str) -> None:
        from context_bus.client.indoors import Indoors

        self._dialogue = Indoors(address)

    def command(self, action: str, name: str) -> None:
        """Send a command about one service and wait until it is done."""
        self._ask("context", action, "context001", {"TaskService": [{"id": name}]})

    def query(self, action: str, service_id: str = "", **configuration: object) -> Any:
        """Ask for what the provider knows."""
        return self._ask("state", action, service_id, configuration)

    def _ask(self, topic: str, action: str, service_id: str, configuration: object) -> Any:
        """Send one request and return the content of the answer that ends it."""
        import msgspec

        from context_bus.kernel.message import Header

        self._dialogue.renew()
        header = Header(action, service_id, topic, TRANSACTION)
        self._dialogue.ask(topic, {"configuration": configuration}, header)
        for _, told, content in self._dialogue.answers(time.monotonic() + PATIENCE):
            if told.action in {"rejected", "failed"}:
                raise RuntimeError(f"{told.action}: {msgspec.json.decode(content)['reason']}")
            if told.action == "done" or told.action.startswith("reply_"):
                return msgspec.json.decode(content)
        raise TimeoutError("no answer")

    def _running(self, service_id: str = "") -> set[str]:
        rows = self.query("services", service_id)["transactions"][0]["tasks"]
        return {row["service_id"] for row in rows if row["state"] in RUNNING or row["action"] in RUNNING}

    def status(self, name: str) -> bool:
        return name in self._running(name)

    def status_all(self) -> int:
        return len(self._running())

    def stop(self, name: str) -> None:
        self.command("stop", name)

    def start(self, name: str) -> None:
        self.command("start", name)

    def restart(self, name: str) -> None:
        self.command("restart", name)

    def statistics(self, name: str) -> None:
        """Have the figures of all services published every second: CPU, memory, threads, descriptors."""
        port = free_ports(1)
        endpoint = {"endpoint": f"tcp://127.0.0.1:{port}", "frequency_s": 1.0, "type": "pub"}
        self.query("top", brief=True, service=endpoint)

    def close(self) -> None:
        self._dialogue.close()


class Listener:
    """Somebody who is away for a while, and then asks for what he has missed."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = Client(address)
        self._last = 0

    def listen(self, name: str) -> None:
        """Be there."""
        self._last = self._client.query("events", after=0, limit=1)["last"]

    def leave(self, name: str) -> None:
        """Go away."""
        self._client.close()

    def count(self, name: str) -> int:
        """Come back; how many starts of a program can be had."""
        self._client = Client(self._address)
        events = self._client.query("events", after=self._last, limit=0)["events"]
        return sum(
            1 for each in events if each["service_id"] == name and each["data"].get("new") == "started"
        )
