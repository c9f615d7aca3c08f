"""What the tests of the command line share: a call as a shell makes it, and a bus with somebody on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from context_bus.bus.node import Bus
from context_bus.cli.border import Invocation, run
from context_bus.cli.main import context_bus
from context_bus.testing.bus import LocalBus
from tests.cli.scripted import ScriptedProvider
from tests.cli.tasks import Tasks


@dataclass(frozen=True)
class Ended:
    """How a call ended: exit code, and what was printed where."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that an expected error is."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0].removeprefix("error: ")


Call = Callable[..., Ended]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Call ``context-bus`` in this process and see what a shell would see."""

    def make(*args: str) -> Ended:
        capfd.readouterr()
        code = run(context_bus, "context-bus", args, Invocation())
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return make


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBus]:
    """A bus of this test's own, which the environment tells the commands of."""
    with LocalBus() as local:
        monkeypatch.setenv("CONTEXT_BUS_LISTEN", local.listen_on)
        monkeypatch.setenv("CONTEXT_BUS_PUBLISH", local.publish_to)
        yield local


@pytest.fixture
def squares(bus: LocalBus) -> Iterator[Bus]:
    """Somebody who answers requests on topic ``square``, and fails on 13."""
    node = bus.bus(service_name="calculator")

    def square(number: int) -> int:
        if number == 13:
            raise ValueError("unlucky")
        return number * number

    node.subscribe("square", square)
    thread = threading.Thread(target=node.serve, name="squares")
    thread.start()
    yield node
    node.stop()
    thread.join()


@pytest.fixture
def provider(bus: LocalBus) -> Iterator[ScriptedProvider]:
    """A provider on the bus of this test."""
    scripted = ScriptedProvider(bus)
    yield scripted
    scripted.close()


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    """A database of tasks, which the environment tells the commands of."""
    tasks = Tasks(tmp_path / "tasks.db")
    monkeypatch.setenv("CONTEXT_BUS_TASK_DB", str(tasks.path))
    return tasks


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the default database would be; nobody has made it yet."""
    monkeypatch.delenv("CONTEXT_BUS_TASK_DB", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/context_bus/tasks.db"
