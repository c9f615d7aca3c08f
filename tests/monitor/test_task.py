"""A monitor as a service on a bus, with a provider that is only a voice."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.node import Bus
from context_bus.kernel.message import Header, Message
from context_bus.monitor.service import ServiceMonitor
from context_bus.monitor.task import Monitor
from context_bus.testing.bus import LocalBus
from context_bus.testing.service import ServiceRun
from context_bus.testing.wait import wait_until

#: Milliseconds in which a frame comes on a busy machine.
PATIENCE = 20_000


@pytest.fixture
def bus() -> Iterator[LocalBus]:
    with LocalBus() as local:
        yield local


@contextmanager
def frames(endpoint: str) -> Iterator[Any]:
    """A function that gives the next frame, taken apart."""
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.rcvtimeo = PATIENCE
    socket.subscribe(b"monitor @@@ ")
    socket.connect(endpoint)
    try:
        yield lambda: json.loads(socket.recv().partition(b" @@@ ")[2])
    finally:
        context.destroy(0)


def tell(bus: Bus, *tasks: dict[str, object], transaction: str = "TEST") -> None:
    """Broadcast who runs, as a provider does."""
    status = {"data": [{transaction: {"tasks": tasks}}], "device_action": "context_info", "result": "success"}
    header = Header("update", "context001", "context", transaction)
    bus.publisher.send_message("control", Message(header, {"status": status}))


def task(service_id: str, pid: int | None, action: str = "started") -> dict[str, object]:
    """One service in a broadcast."""
    return {"service_id": service_id, "action": action, "state": "success", "pid": pid}


def monitor(endpoint: str, frequency: str = "0.1") -> dict[str, Any]:
    """Configuration of a monitor."""
    return {"publisher": {"endpoint": endpoint, "frequency_s": frequency, "type": "pub"}}


def ended_pid() -> int:
    """A process that was, a moment ago."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_frames_follow_the_broadcasts(bus: LocalBus) -> None:
    """An empty frame before the first one; then a row for each service with a process."""
    endpoint, me = free_endpoint(), os.getpid()
    with frames(endpoint) as next_frame, ServiceRun(ServiceMonitor, bus, monitor(endpoint)) as run:
        run.wait_for("started")
        assert next_frame() == {"TEST": []}
        provider = bus.bus(service_name="context")
        provider.connect()
        tell(provider, task("a", me), task("b", None), task("c", me, "stopped"), task("d", ended_pid()))
        rows = wait_until(lambda: next_frame()["TEST"], 20, "rows")
        assert [row["serviceId"] for row in rows] == ["a", "d"]
        alive, dead = rows
        assert (alive["pid"], alive["action"], alive.get("gone", "")) == (me, "started", "")
        assert alive["rss"] > 1.0
        # A dead service in between is a row that says so.
        assert "no process" in dead["gone"]
        assert dead["rss"] == 0.0
        tell(provider, task("a", me), transaction="OTHER")
        tell(provider)
        wait_until(lambda: next_frame() == {"TEST": []}, 20, "no rows")
        provider.close()


def test_monitor_asks_who_runs_when_it_starts_and_when_a_process_stays_away(bus: LocalBus) -> None:
    """What was broadcast before it listened, or was lost on the way, is asked for."""
    endpoint, me = free_endpoint(), os.getpid()
    provider = bus.bus(service_name="context")
    asked: list[str] = []

    def answer(message: Message[Any]) -> Any:
        asked.append(message.header.action)
        return {"tasks": [task("a", ended_pid() if len(asked) == 1 else me)]}

    provider.subscribe("state", answer)
    provider.connect()
    serving = threading.Thread(target=provider.serve)
    serving.start()
    try:
        with frames(endpoint) as next_frame, ServiceRun(ServiceMonitor, bus, monitor(endpoint)):
            wait_until(lambda: any(row["pid"] == me for row in next_frame()["TEST"]), 20, "the right process")
        assert asked == ["request", "request"]
    finally:
        provider.stop()
        serving.join()
        provider.close()


class Slow(Monitor):
    """A look takes two thirds of a period."""

    def _look(self) -> None:
        super()._look()
        self.wait(0.1)


class ServiceSlow(ServiceMonitor):
    """A monitor of many services, in effect."""

    task_class = Slow


def test_frames_come_every_period_however_long_a_look_takes(bus: LocalBus) -> None:
    """The time of the look is taken off the rest: nothing adds up."""
    endpoint = free_endpoint()
    with frames(endpoint) as next_frame, ServiceRun(ServiceSlow, bus, monitor(endpoint, "0.15")):
        times = []
        for _ in range(13):
            next_frame()
            times.append(time.monotonic())
    assert times[-1] - times[0] == pytest.approx(12 * 0.15, abs=0.6)


def test_endpoint_that_is_taken_is_one_line(bus: LocalBus) -> None:
    """It fails at once, and says what to do."""
    context = zmq.Context()
    taken = context.socket(zmq.PUB)
    port = taken.bind_to_random_port("tcp://127.0.0.1")
    try:
        with ServiceRun(ServiceMonitor, bus, monitor(f"tcp://127.0.0.1:{port}")) as run:
            reason = run.wait().reason
    finally:
        context.destroy(0)
    assert reason == (
        f"cannot bind tcp://127.0.0.1:{port}: Address already in use; another process listens there: end it "
        "(`ss -ltnp` names it) or choose another port"
    )


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("tcp://0.0.0.0:6558", "refused to bind tcp://0.0.0.0:6558"),
        ("ipc://{}/precious", "a file is there already; choose another path"),
    ],
)
def test_endpoint_that_must_not_be_bound_is_one_line(
    bus: LocalBus, tmp_path: Path, endpoint: str, words: str
) -> None:
    """Open to others; or a file that libzmq would remove."""
    (tmp_path / "precious").write_text("x")
    with ServiceRun(ServiceMonitor, bus, monitor(endpoint.format(tmp_path))) as run:
        reason = run.wait().reason
    assert words in reason
    assert (tmp_path / "precious").read_text() == "x"


def test_stop_ends_the_rest_at_once(bus: LocalBus) -> None:
    """However long it is until the next frame."""
    endpoint = free_endpoint()
    with frames(endpoint) as next_frame, ServiceRun(ServiceMonitor, bus, monitor(endpoint, "3600")) as run:
        run.wait_for("started")
        outcome = run.stop()
        assert (outcome.kind, outcome.commanded, outcome.reason) == ("stopped", True, "")
        del next_frame


def test_faults_of_the_configuration_fail_it_with_all_of_them(bus: LocalBus) -> None:
    """What no file was checked for may come from a message."""
    with ServiceRun(ServiceMonitor, bus, {"publisher": {"frequency_s": "soon"}}) as run:
        reason = run.wait().reason
    assert "<endpoint> is missing" in reason
    assert '"soon" is no duration' in reason


def test_records_without_a_state_are_said_to_be_none(bus: LocalBus, caplog: pytest.LogCaptureFixture) -> None:
    """A provider that keeps nothing; frames are published all the same."""
    endpoint = free_endpoint()
    conf = monitor(endpoint) | {"monitor_options": {"store_records": "1"}}
    with frames(endpoint) as next_frame, ServiceRun(ServiceMonitor, bus, conf) as run:
        run.wait_for("started")
        assert next_frame() == {"TEST": []}
    assert "records are not kept: this provider keeps no state" in caplog.text
