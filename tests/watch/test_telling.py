"""Reports of a task on the bus: as those of services, none lost, and nobody held up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.forwarder import Forwarder
from context_bus.bus.subscriber import Subscriber
from context_bus.context.states import State
from context_bus.service.reports import Report, lifecycle_content, update_content
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from context_bus.watch.telling import HEARD_WITHIN, LINGER, Teller
from context_bus.watch.values import Ending, Outcome
from tests.context.live import Live, context, live, service, write_service

#: Seconds that a close may take at most, on a busy machine.
IN_TIME = HEARD_WITHIN + LINGER + 2.0


class Row(NamedTuple):
    """What a teller knows of a task."""

    id: int
    name: str
    pid: int


TASK = Row(9, "backup", 4711)


@pytest.fixture
def local() -> Iterator[LocalBus]:
    """A local bus of the test's own."""
    with LocalBus() as bus:
        yield bus


@pytest.fixture
def ear(local: LocalBus) -> Subscriber:
    """Hears the reports on it."""
    return listening(local)


def listening(bus: LocalBus) -> Subscriber:
    """A listener that the forwarder knows."""
    found = bus.subscriber("control")
    bus.publisher().wait_for_subscriber("control", 10)
    return found


def heard(ear: Subscriber, last: str = "stopped") -> list[dict[str, Any]]:
    """The reports up to the last."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["header"]["action"] != last:
        frame = ear.receive(10)
        assert frame is not None, found
        found.append(msgspec.json.decode(frame[1]))
    return found


def actions(found: list[dict[str, Any]]) -> list[str]:
    """Their verbs."""
    return [each["header"]["action"] for each in found]


def test_reports_have_the_shape_of_those_of_services(local: LocalBus, ear: Subscriber) -> None:
    """The same fields in header and status, and what a task has besides."""
    with Teller(local.publish_to, TASK) as teller:
        teller.started()
        teller.updated({"progress": "12", "info": "half\udcff"})
    with Teller(local.publish_to, TASK, transaction="TX1") as teller:
        teller.failed("exit code 7", 7)
    with Teller(local.publish_to, TASK) as teller:
        teller.stopped(commanded=True, reason="killed on request")
    found = heard(ear)
    assert actions(found) == ["started", "updated", "failed", "stopped"]
    headers = [each["header"] for each in found]
    assert {(each["service_id"], each["service_name"]) for each in headers} == {("task_9", "backup")}
    assert [each["service_transaction"] for each in headers] == ["", "", "TX1", ""]
    assert [each["sequence"] for each in headers] == [1, 2, 1, 1]
    ours = [each["content"]["status"] for each in found]
    assert ours[1] == update_content("success", "task", {"progress": "12", "info": "half?"}).status
    theirs = [
        lifecycle_content(Report.STARTED, "task"),
        lifecycle_content(Report.FAILED, "task", reason="exit code 7"),
        lifecycle_content(Report.STOPPED, "task", commanded=True, reason="killed on request"),
    ]
    expected = [each.status | {"pid": 4711} for each in theirs]
    expected[1]["exit_code"] = 7
    assert [ours[0], ours[2], ours[3]] == expected


def test_signal_that_ended_a_task_is_told(local: LocalBus, ear: Subscriber) -> None:
    """With its name; there is no exit code then."""
    with Teller(local.publish_to, TASK) as teller:
        teller.failed("ended by signal 9 (SIGKILL)", None, "SIGKILL")
    status = heard(ear, "failed")[0]["content"]["status"]
    assert status["signal"] == "SIGKILL"
    assert "exit_code" not in status


def test_feedback_without_news_is_not_told(local: LocalBus, ear: Subscriber) -> None:
    """Whoever watches may read the file as often as it likes; that there is none is news after some."""
    with Teller(local.publish_to, TASK) as teller:
        teller.updated({"progress": "12"})
        assert heard(ear, "updated")
        teller.updated({"progress": "12"})
        teller.stopped()
    assert actions(heard(ear)) == ["stopped"]
    with Teller(local.publish_to, TASK) as teller:
        teller.updated({"progress": "12"})
        assert heard(ear, "updated")
        teller.updated({})
        teller.stopped()
    assert actions(heard(ear)) == ["updated", "stopped"]


def test_every_way_to_end_is_told_as_services_would(local: LocalBus, ear: Subscriber) -> None:
    """Well and on request it has stopped; anything else is a failure."""
    endings = {
        "stopped": Ending("", "", 0, Outcome.DONE, 0),
        "stopped on request": Ending("SIGTERM", "killed on request", None, Outcome.KILLED, 143),
        "failed": Ending("", "exit code 7", 7, Outcome.FAILED, 7),
        "timeout": Ending("SIGTERM", "timeout: no feedback for 3.2 s", None, Outcome.TIMEOUT, 124),
        "not found": Ending("", "command not found: x", 127, Outcome.NOTFOUND, 127),
        "lost": Ending("", "launcher was killed; exit code unknown", None, Outcome.LOST, 255),
    }
    for ending in endings.values():
        with Teller(local.publish_to, TASK) as teller:
            teller.ended(ending)
    found = [heard(ear, action)[0] for action in ("stopped", "stopped", *["failed"] * 4)]
    told = [each["content"]["status"] for each in found]
    assert [each.get("commanded", False) for each in told] == [False, True, *[False] * 4]
    assert [each.get("reason", "") for each in told] == [each.termerror for each in endings.values()]
    assert [each.get("exit_code") for each in told] == [None, None, 7, None, 127, None]
    assert [each.get("signal", "") for each in told[2:]] == ["", "SIGTERM", "", ""]


def test_feedback_may_say_that_a_result_is_none(local: LocalBus, ear: Subscriber) -> None:
    """As the items of a service's own report may."""
    with Teller(local.publish_to, TASK) as teller:
        teller.updated({"result": "failure"})
    assert heard(ear, "updated")[0]["content"]["status"] == {"device_action": "task", "result": "failure"}


def test_shortest_task_loses_no_report(local: LocalBus, ear: Subscriber) -> None:
    """Its end comes before the connection is up, and all is heard all the same, in order."""
    for _ in range(20):
        began = time.monotonic()
        with Teller(local.publish_to, TASK) as teller:
            teller.started()
            teller.updated({"progress": "100"})
            teller.stopped()
        assert time.monotonic() - began < IN_TIME
        assert teller.unsent == 0
        assert actions(heard(ear)) == ["started", "updated", "stopped"]


def test_flood_of_feedback_is_merged_and_its_end_is_told(local: LocalBus, ear: Subscriber) -> None:
    """A few reports a second; every one that is missing is counted, the newest never is missing."""
    with Teller(local.publish_to, TASK) as teller:
        teller.started()
        began = time.monotonic()
        for number in range(10_000):
            teller.updated({"progress": str(number)})
        took = time.monotonic() - began
        teller.stopped()
    found = heard(ear)
    updates = [each["content"]["status"]["progress"] for each in found[1:-1]]
    assert updates[-1] == "9999"
    assert len(updates) + teller.merged == 10_000
    assert len(updates) <= took / 0.1 + 3


def test_dead_bus_holds_nobody_up_and_is_told_once() -> None:
    """Every call returns at once, the end comes in time, and one line says what was not heard."""
    said: list[str] = []
    endpoint = free_endpoint()
    began = time.monotonic()
    with Teller(endpoint, TASK, say=said.append) as teller:
        teller.started()
        teller.updated({"progress": "12"})
        teller.failed("exit code 1", 1)
    assert time.monotonic() - began < IN_TIME
    assert teller.unsent == 3
    expected = f"nobody listens to its reports on the bus at {endpoint}"
    assert said == [f"task 9 is not reported: {expected}; it runs all the same"]


def test_peer_that_says_nothing_holds_nobody_up() -> None:
    """Something accepts the connection and is no bus."""
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with Teller(f"tcp://127.0.0.1:{mute.getsockname()[1]}", TASK, say=said.append) as teller:
            teller.started()
            teller.stopped()
        assert time.monotonic() - began < IN_TIME
    assert teller.unsent == 2
    assert len(said) == 1


def test_endpoint_that_is_none_is_told() -> None:
    """The task runs all the same."""
    said: list[str] = []
    with Teller("nonsense", TASK, say=said.append) as teller:
        teller.started()
    assert len(said) == 1
    assert said[0].startswith("task 9 is not reported: cannot connect to nonsense")


def test_stopped_forwarder_holds_nobody_up() -> None:
    """It knows of a listener and takes nothing more: feedback is merged, and the end comes in time."""
    with Forwarder() as forwarder, Subscriber(forwarder.listen_on) as ear:
        ear.subscribe("control")
        with Teller(forwarder.publish_to, TASK) as teller:
            teller.started()
            assert heard(ear, "started")
            os.kill(forwarder.pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                for number in range(1000):
                    teller.updated({"progress": "x" * 100_000, "number": str(number)})
                assert time.monotonic() - began < 2.0
                teller.stopped()
                teller.close()
                assert time.monotonic() - began < 2.0 + IN_TIME
            finally:
                os.kill(forwarder.pid, signal.SIGCONT)
    assert teller.merged > 900


def test_bus_that_comes_later_hears_how_things_stand() -> None:
    """The start and the newest feedback, as soon as somebody listens."""
    publish_to, listen_on = free_endpoint(), free_endpoint()
    with Teller(publish_to, TASK) as teller:
        teller.started()
        for number in range(3):
            teller.updated({"progress": str(number)})
        with Forwarder(publish_to, listen_on), Subscriber(listen_on) as ear:
            ear.subscribe("control")
            found = heard(ear, "updated")
            assert actions(found) == ["started", "updated"]
            assert found[1]["content"]["status"]["progress"] == "2"
            teller.stopped()
            assert actions(heard(ear)) == ["stopped"]


def test_signals_are_left_to_the_watcher(local: LocalBus) -> None:
    """The thread has all blocked that can be: who waits for a child's end must be the one to hear of it."""

    with Teller(local.publish_to, TASK):
        (thread,) = (each for each in threading.enumerate() if each.name == "task-teller")

        def blocked() -> int:
            lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
            return int(next(each for each in lines if "SigBlk" in each).split()[1], 16)

        wait_until(lambda: blocked() >> (signal.SIGCHLD - 1) & 1, 5, lambda: f"{blocked():x}")
        assert signal.SIGCHLD not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_echo_shows_them(local: LocalBus) -> None:
    """``bus echo control`` prints them as those of any service."""
    line = "context-bus bus echo control --count=3 --timeout=20 --field header.action"
    command = [sys.executable, "-m", *line.replace("context-bus", "context_bus", 1).split()]
    command += ["--listen", local.listen_on]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as echo:
        local.publisher().wait_for_subscriber("control", 20)
        with Teller(local.publish_to, TASK) as teller:
            teller.started()
            teller.updated({"progress": "12"})
            teller.stopped()
        assert echo.stdout is not None
        assert echo.stdout.read().split() == ["started", "updated", "stopped"]


def test_provider_takes_no_harm_from_ids_that_it_does_not_know(tmp_path: Path) -> None:
    """Reports of tasks change nothing in a context, even under its transaction; its services report on."""
    conf = context(tmp_path, service(tmp_path, "a", "Loop"))

    async def work() -> None:
        async with live(conf) as here:
            await here.command("start")
            for transaction in ("", "TX1", "TX9"):
                await asyncio.to_thread(tell, conf.backend_endpoint, transaction)
            await here.until(lambda: here.word("control", "task_9").count("stopped") == 3, "told")
            assert here.word("control", "task_9") == ["started", "updated", "stopped"] * 3
            await stays_up(here)

    asyncio.run(work())


#: The body of a task that looks out for tasks that fail.
REACTS = """
    from context_bus import subscribe
    from context_bus.service.reports import ControlContent

    @subscribe("control")
    def heard(self, report: ControlContent) -> None:
        if report.device_action == "task" and report.result == "failure":
            self.notify("updated", result="success", items={"alarm": report.reason})

    def run(self):
        self.wait(1000)
"""


def test_service_that_listens_lets_its_context_react(tmp_path: Path) -> None:
    """A task fails; a service hears of it, and its transition starts another one."""
    write_service(tmp_path, "Reacts", REACTS)
    conf = context(
        tmp_path,
        service(tmp_path, "looks", "Reacts", on_update=("start", "b")),
        service(tmp_path, "b", "Loop", "deferred"),
    )

    def fail() -> None:
        with Teller(conf.backend_endpoint, TASK) as teller:
            teller.started()
            teller.failed("exit code 7", 7)

    async def work() -> None:
        async with live(conf) as here:
            await here.command("start")
            await asyncio.to_thread(fail)
            await here.state("b", State.STARTED)
            assert here.fired() == [("looks", "on_update", "start", "b")]

    asyncio.run(work())


def tell(endpoint: str, transaction: str) -> None:
    """Report a whole task."""
    with Teller(endpoint, TASK, transaction=transaction) as teller:
        teller.started()
        teller.updated({"progress": "12"})
        teller.stopped()


async def stays_up(here: Live) -> None:
    """The context still obeys, and its service is the only one it knows."""
    await here.command("stop")
    await here.state("a", State.STOPPED)
    assert set(here.word("control", "a")) == {"started", "stopped"}
