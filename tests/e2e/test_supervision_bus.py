"""The bus under supervised services: it outlives its provider, and what a dead forwarder costs is known."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.bus.node import Bus
from context_bus.testing.wait import wait_until
from tests.e2e import procs
from tests.e2e.project import Project, Service
from tests.e2e.shells import Supervised

_TALKER = '''
"""A service that counts aloud."""

from pathlib import Path

from context_bus import Task, TaskService


class Talking(Task):
    """Publishes numbers, and writes beside the bus how many it has."""

    progress: str

    def run(self) -> None:
        number = 0
        while not self.wait(0.001):
            self.publish("numbers", number)
            number += 1
            Path(self.progress).write_text(str(number))


class ServiceTalker(TaskService):
    """The service around it."""

    task_class = Talking
'''

_LISTENER = '''
"""A service that listens, and says what it heard."""

from context_bus import Task, TaskService, subscribe


class Listening(Task):
    """Keeps all numbers."""

    def setup(self) -> None:
        self.numbers: list[int] = []

    @subscribe("numbers")
    def hear(self, number: int) -> None:
        self.numbers.append(number)

    @subscribe("heard")
    def tell(self, start: int) -> list[int]:
        return self.numbers[start:]


class ServiceListener(TaskService):
    """The service around it."""

    task_class = Listening
'''


@pytest.fixture
def provider(project: Project) -> Iterator[Supervised]:
    """A provider of a listener and a talker, not started yet."""
    project.write_service("Talker", _TALKER)
    project.write_service("Listener", _LISTENER)
    talker = Service("talker", "Talker", configuration={"progress": str(project.directory / "progress")})
    file = project.write_context([Service("listener", "Listener"), talker])
    needs = '<supervision><requires service="listener"/></supervision></TaskService></Context>'
    file.write_text("".join(file.read_text().split("\n")).replace("</TaskService></Context>", needs))
    made = Supervised(file, secrets.token_hex(8))
    yield made
    made.clean_up()


def said(project: Project) -> int:
    """How many numbers were published so far; the file is empty while it is written."""
    return int(wait_until(lambda: _text(project.directory / "progress"), 20, "a number"))


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def pids(provider: Supervised) -> dict[str, object]:
    """Pids of the two services."""
    return {name: each["pid"] for name, each in provider.shell.services().items()}


def test_services_talk_while_nobody_provides(provider: Supervised, project: Project) -> None:
    """Over the forwarder that was kept, and none is lost; the next provider adopts the very processes."""
    provider.start("--start=T1", "--keep_services")
    for each in ("listener", "talker"):
        provider.shell.until(each, "started")
    before = pids(provider)
    with Bus(project.listen_on, project.publish_to) as node:

        def heard(start: int = 0) -> list[int]:
            numbers: list[int] = node.request("heard", start, timeout=20.0)
            return numbers

        provider.kill()
        assert provider.shell("ps").returncode != 0
        mark = said(project)
        wait_until(lambda: heard(mark), 20, "a number that nobody provided for")
        wait_until(lambda: said(project) > mark + 300, 20, lambda: said(project))
        provider.start("--keep_services")
        provider.shell.until("talker", "started")
        assert pids(provider) == before
        assert provider.shell("stop", "talker").returncode == 0
        count = said(project)
        wait_until(lambda: heard(count - 1), 20, lambda: f"number {count - 1}")
        assert heard() == list(range(count))
    assert {each["starts"] for each in provider.shell.services().values()} == {1}
    provider.end()
    assert not procs.marked(provider.mark)


def test_a_killed_forwarder_costs_exactly_what_is_counted(provider: Supervised, project: Project) -> None:
    """What it had taken and not passed on is lost and counted; nobody is restarted for it."""
    provider.start("--start=T1")
    provider.shell.until("talker", "started")
    before, found = pids(provider), provider.shell.json("ps")
    assert isinstance(found, dict)
    forwarder, numbers = found["provider"]["forwarder_pid"], list[int]()
    with Bus(project.listen_on, project.publish_to) as node:
        node.subscribe("numbers", numbers.append, type=int)
        thread = threading.Thread(target=node.serve)
        thread.start()
        try:
            wait_until(lambda: len(numbers) > 100, 20, lambda: len(numbers))
            # Frozen first, it takes numbers into its buffers for certain, and they die with it.
            os.kill(forwarder, signal.SIGSTOP)
            frozen_at = said(project)
            wait_until(lambda: said(project) > frozen_at + 100, 20, lambda: said(project))
            os.kill(forwarder, signal.SIGKILL)
            killed_at = said(project)
            wait_until(lambda: numbers[-1] > killed_at + 100, 20, lambda: (killed_at, numbers[-1]))
            assert provider.shell("stop", "talker").returncode == 0
            last = said(project) - 1
            wait_until(lambda: numbers[-1] == last, 20, lambda: (last, numbers[-1]))
        finally:
            node.stop()
            thread.join()
        lost = node.stats().topics["numbers"].lost
    missing = set(range(numbers[0], last + 1)) - set(numbers)
    assert lost == len(missing) == last + 1 - numbers[0] - len(numbers)
    assert lost >= 50
    after = provider.shell.services()
    assert after["listener"]["pid"] == before["listener"]
    assert {each["starts"] for each in after.values()} == {1}
    now = provider.shell.json("ps")
    assert isinstance(now, dict)
    assert now["provider"]["forwarder_pid"] not in {0, forwarder}
