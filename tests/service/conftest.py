"""A bus, a place for service code, and a guardian for the tests of this room."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from context_bus.bus.subscriber import Subscriber
from context_bus.config.model import ServiceType, TaskServiceConf, Value
from context_bus.process import spawn
from context_bus.process.child import Child
from context_bus.process.ending import end_now
from context_bus.service.boot import Boot, Outcome
from context_bus.service.host import run_service
from context_bus.testing.bus import LocalBus

#: Seconds in which everything here happens; a test that needs them all has failed.
SOON = 10.0


@pytest.fixture(scope="package", autouse=True)
def _guardian() -> Iterator[None]:
    spawn.warm_up(["context_bus.service.host", "context_bus.service.threads"])
    yield
    spawn.shut_down()


@pytest.fixture
def bus() -> Iterator[LocalBus]:
    with LocalBus() as local:
        yield local


class Site:
    """A directory of services and what they report.

    Args:
        bus: Where they report.
        location: The directory.
    """

    def __init__(self, bus: LocalBus, location: Path) -> None:
        self.bus = bus
        self.location = location
        self.children: list[Child] = []
        #: Reports that were read and not waited for, by service.
        self.unread: dict[str, list[Any]] = defaultdict(list)
        self._subscriber: Subscriber = bus.subscriber("control")

    def write(self, instance: str, task: str, service: str = "") -> str:
        """Write the three files of a service whose task class is called Work; returns its instance."""
        directory = self.location / instance
        directory.mkdir(exist_ok=True)
        (directory / "__init__.py").write_text("")
        (directory / "Work.py").write_text(
            "from context_bus import ControlContent, Message, Task, subscribe\n" + textwrap.dedent(task)
        )
        (directory / f"Service{instance}.py").write_text(
            service
            or "from context_bus import TaskService\nfrom .Work import Work\n"
            f"class Service{instance}(TaskService):\n    task_class = Work\n"
        )
        return instance

    def boot(
        self,
        instance: str,
        configuration: dict[str, Value] | None = None,
        *,
        service_id: str = "ts_1",
        service_name: str = "",
        run_now: bool = True,
        grace: float = 5.0,
        kind: ServiceType = ServiceType.PROCESS,
    ) -> Boot:
        conf = TaskServiceConf(
            id=service_id,
            instance=instance,
            service_name=service_name or service_id,
            service_type=kind,
            configuration={"location": str(self.location), "device_action": "act", **(configuration or {})},
        )
        return Boot(conf, "TX", self.bus.listen_on, self.bus.publish_to, run_now=run_now, grace=grace)

    def spawn(self, boot: Boot) -> Child:
        child = spawn.spawn(boot.conf.id, run_service, boot)
        self.children.append(child)
        return child

    def report(self, service_id: str = "ts_1") -> tuple[str, dict[str, Any]]:
        """The next report of a service: its verb and its status."""
        while not self.unread[service_id]:
            received = self._subscriber.receive(SOON)
            assert received is not None, f"no report of {service_id} within {SOON} s"
            message = msgspec.json.decode(received[1])
            self.unread[message["header"]["service_id"]].append(message)
        message = self.unread[service_id].pop(0)
        return message["header"]["action"], message["content"]["status"]

    def actions(self, count: int, service_id: str = "ts_1") -> list[str]:
        return [self.report(service_id)[0] for _ in range(count)]

    def close(self) -> None:
        end_now(self.children)
        for child in self.children:
            child.close()


def outcome(child: Child) -> Outcome:
    """The last word of a child, after its end."""
    assert child.wait(SOON) is not None, f"{child} has not ended within {SOON} s"
    return Outcome.decode(child.messages()[-1])


@pytest.fixture
def site(bus: LocalBus, tmp_path: Path) -> Iterator[Site]:
    site = Site(bus, tmp_path)
    yield site
    site.close()
