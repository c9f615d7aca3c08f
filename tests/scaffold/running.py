"""Services in real processes on a bus of the test's own, without a provider."""

from __future__ import annotations

import multiprocessing
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from context_bus.bus.node import Bus
from context_bus.config.load import read_context
from context_bus.config.locations import resolve_location
from context_bus.kernel.message import Message
from context_bus.service.boot import Boot, Outcome
from context_bus.service.host import run_service
from context_bus.service.reports import CONTROL_TOPIC, ControlContent
from context_bus.testing.bus import LocalBus

TRANSACTION = "TEST"
#: Seconds to wait for what should come at once; a whole interpreter has to start.
PATIENCE = 15.0
_spawn = multiprocessing.get_context("spawn")


class Services:
    """The services of one context file, started by hand, and what they report.

    Args:
        local: The bus they talk on.
        context: Their context file.
    """

    def __init__(self, local: LocalBus, context: Path) -> None:
        self.conf = read_context(context)
        self.bus = Bus(local.listen_on, local.publish_to)
        self._context = context
        self._reports: queue.Queue[Message[ControlContent]] = queue.Queue()
        self._thread = threading.Thread(target=self.bus.serve)
        self._running: dict[str, tuple[multiprocessing.process.BaseProcess, Connection]] = {}

    def listen(self) -> None:
        """Hear the reports from now on."""
        self.bus.subscribe(CONTROL_TOPIC, self._reports.put, type=Message[ControlContent])
        self.bus.connect()
        self._thread.start()

    def start(self, service_id: str, **configuration: str) -> None:
        """Start a service, some of its configuration replaced."""
        service = self.conf.service(service_id)
        assert service is not None
        boot = Boot(
            replace(service, configuration={**service.configuration, **configuration}),
            TRANSACTION,
            self.bus.listen_on,
            self.bus.publish_to,
            location=str(resolve_location(self._context, service.location)),
        )
        ours, theirs = _spawn.Pipe()
        process = _spawn.Process(target=run_service, args=(theirs, boot))
        process.start()
        theirs.close()
        self._running[service_id] = process, ours

    def expect(self, action: str, service_id: str, *, key: str = "") -> ControlContent:
        """Wait for a report, whose status holds a certain key if one is given; others are passed over."""
        deadline = time.monotonic() + PATIENCE
        passed: list[tuple[str, str, object]] = []
        while True:
            try:
                report = self._reports.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {action} of {service_id} among {passed}") from None
            header = report.header
            if (header.action, header.service_id) == (action, service_id) and (
                not key or key in report.content.status
            ):
                return report.content
            passed.append((header.action, header.service_id, report.content.status))

    def stop(self, service_id: str) -> Outcome:
        """Ask a service to stop, and wait for its last word."""
        self._running[service_id][0].terminate()
        return self.end(service_id)

    def end(self, service_id: str) -> Outcome:
        """Wait for the end of a service."""
        process, channel = self._running.pop(service_id)
        with channel:
            assert channel.poll(PATIENCE), f"{service_id} does not end"
            outcome = Outcome.decode(channel.recv_bytes())
        process.join(PATIENCE)
        process.close()
        return outcome

    def close(self) -> None:
        """End what still runs."""
        for process, channel in self._running.values():
            process.kill()
            process.join()
            channel.close()
        self.bus.stop()
        self._thread.join()
        self.bus.close()


@contextmanager
def services_of(context: Path) -> Iterator[Services]:
    """The services of a context file, none of them running yet."""
    with LocalBus() as local:
        services = Services(local, context)
        services.listen()
        try:
            yield services
        finally:
            services.close()
