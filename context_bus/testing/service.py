"""Run a task or a whole service in a test, on a `LocalBus`, without a provider and without a process.

It is the code that hosts services in earnest, in threads of the test: what the service reports is what
it would report. Knows service and bus; shipped to users, imported by nobody inside the package.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import msgspec

from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import Subscriber
from context_bus.config.model import TaskServiceConf, Value
from context_bus.kernel.ids import new_request
from context_bus.kernel.message import Message
from context_bus.service.boot import Boot, Outcome
from context_bus.service.host import Host
from context_bus.service.reports import CONTROL_TOPIC, ControlContent
from context_bus.service.task import Task
from context_bus.service.taskservice import TaskService
from context_bus.testing.bus import LocalBus

Report = Message[ControlContent]

_read = msgspec.json.Decoder(Report).decode


class ServiceRun:
    """One service that runs while the ``with`` block does.

    Args:
        service: A `Task`, a `TaskService` or a class of the old shape.
        bus: A running local bus.
        configuration: The children of ``configuration``, as text, lists and mappings.
        service_id: Id of the service.
        service_name: Name in its messages; the id if empty.
        transaction: Transaction it belongs to.
        run_now: Run at once; otherwise report ``created`` and wait for `start`.
        grace: Seconds a stop may take.
        state_type: State type in its context; matters to services of the old shape only.

    Example:
        >>> class Greeter(Task):
        ...     name: str = "you"
        ...
        ...     def run(self) -> None:
        ...         self.notify(items={"said": f"hello {self.name}"})
        >>> with LocalBus() as bus, ServiceRun(Greeter, bus, {"name": "World"}) as run:
        ...     run.wait_for("updated").content.status["said"]
        'hello World'
    """

    def __init__(
        self,
        service: type[object],
        bus: LocalBus,
        configuration: Mapping[str, Value] | None = None,
        *,
        service_id: str = "ts_test",
        service_name: str = "",
        transaction: str = "TEST",
        run_now: bool = True,
        grace: float = 5.0,
        state_type: str = "on_start",
    ) -> None:
        conf = TaskServiceConf(
            id=service_id,
            instance=service.__name__,
            service_name=service_name or service_id,
            state_type=state_type,
            configuration=configuration or {},
        )
        self._boot = Boot(conf, transaction, bus.listen_on, bus.publish_to, run_now=run_now, grace=grace)
        self._service = _as_service(service)
        self._subscriber: Subscriber | None = None
        self._host: Host | None = None
        self._thread: threading.Thread | None = None
        #: What the service has reported so far, as far as `wait_for` has read.
        self.reports: list[Report] = []
        #: How it ended; None while it runs.
        self.outcome: Outcome | None = None

    def start(self) -> None:
        """Run the service if it was only created."""
        assert self._host is not None
        self._host.start()

    def stop(self) -> Outcome:
        """Ask the service to stop, and wait for its end."""
        assert self._host is not None
        self._host.stop()
        return self.wait()

    def wait(self, timeout: float = 10.0) -> Outcome:
        """Wait for the end of the service.

        Raises:
            AssertionError: It has not ended in time.
        """
        assert self._thread is not None
        self._thread.join(timeout)
        if self.outcome is None:
            raise AssertionError(f"service {self._boot.conf.id} has not ended within {timeout} s")
        return self.outcome

    def wait_for(self, action: str, timeout: float = 10.0) -> Report:
        """Wait for the next report with this verb; those before it are in `reports`.

        Raises:
            AssertionError: It did not come in time; names what came instead.
        """
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            report = self._next(left)
            if report is not None and report.header.action == action:
                return report
        actions = [report.header.action for report in self.reports]
        raise AssertionError(f"no report {action!r} within {timeout} s; reports so far: {actions}")

    def _next(self, timeout: float) -> Report | None:
        assert self._subscriber is not None
        received = self._subscriber.receive(timeout)
        if received is None:
            return None
        report = _read(received[1])
        if report.header.service_id != self._boot.conf.id:
            return None
        self.reports.append(report)
        return report

    def _wait_until_heard(self, subscriber: Subscriber) -> None:
        """Wait until the bus knows of our subscription; an older one to the topic would hide its absence."""
        tag = f"barrier.{new_request()}"
        subscriber.subscribe(tag)
        with Publisher(self._boot.publish_to) as publisher:
            publisher.wait_for_subscriber(tag, self._boot.connect_timeout)
        subscriber.unsubscribe(tag)

    def _run(self) -> None:
        assert self._host is not None
        outcome = self._host.run()
        self._host.close()
        self.outcome = outcome

    def __enter__(self) -> ServiceRun:
        self._subscriber = Subscriber(self._boot.listen_on)
        self._subscriber.subscribe(CONTROL_TOPIC)
        self._wait_until_heard(self._subscriber)
        self._host = Host(self._boot, lambda: self._service)
        self._thread = threading.Thread(target=self._run, name=self._boot.conf.id, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._subscriber is not None
        try:
            self.stop()
        finally:
            self._subscriber.close()


def _as_service(service: type[object]) -> type[object]:
    if issubclass(service, Task):
        return type(f"Service{service.__name__}", (TaskService,), {"task_class": service})
    return service
