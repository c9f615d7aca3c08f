"""Nothing outlives a provider, however it ends; and a provider outlives its services.

Processes are found by a mark in their environment, so a service in a session of its own, or one that
was adopted by init, cannot hide. Row 30 of the checklist holds the three orderly ends.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e import procs
from tests.e2e.blackbox import Provider
from tests.e2e.project import Project, Service, run_tool, the_error
from tests.e2e.wire import PATIENCE

#: How long anything may live after kill -9 of its provider, in seconds.
GONE_WITHIN = 1.0

_PARENT = '''
"""A service with children of its own: one in its session, one that left it."""

import subprocess

from context_bus import Task, TaskService


class Parenting(Task):
    """Starts two sleepers and says their pids."""

    ignores: bool = False

    def run(self) -> None:
        sleepers = [subprocess.Popen(["sleep", "3600"], start_new_session=own) for own in (False, True)]
        self.notify("updated", items={"sleepers": [sleeper.pid for sleeper in sleepers]})
        while not self.wait(3600.0):
            pass
        while self.ignores:
            subprocess.run(["sleep", "3600"])


class ServiceParent(TaskService):
    """The service around it."""

    task_class = Parenting
'''

SERVICES = (
    Service("ts_parent", "Parent"),
    Service("ts_later", state="on_update"),
    Service("ts_thread", service_type="Thread"),
    Service("ts_plain"),
)


def _start(provider: Provider, transaction: str) -> set[int]:
    """Start one service of each kind; returns every process there is then."""
    provider.project.write_service("Parent", _PARENT)
    provider.command("start", transaction, SERVICES)
    wire, deadline = provider.wire, time.monotonic() + PATIENCE
    pids = {wire.report("started", one, transaction).status["pid"] for one in ("ts_plain", "ts_thread")}
    pids.add(wire.report("created", "ts_later", transaction).status["pid"])
    said = wire.report("updated", "ts_parent", transaction).status
    pids |= {*said["sleepers"], wire.report("started", "ts_parent", transaction).status["pid"]}
    # A process that is just being executed has no environment yet, and so no mark.
    while not pids <= (everything := set(provider.processes())):
        assert all(map(procs.state, pids - everything)), f"gone: {pids - everything}\n{provider.output}"
        assert time.monotonic() < deadline, f"without the mark: {pids - everything}\n{provider.output}"
    return everything


@pytest.fixture
def running(project: Project, transaction: str) -> Provider:
    """A provider that is not started yet, of a project with the services written."""
    return Provider(project, project.write_context(SERVICES))


@pytest.mark.parametrize("way", ["exit", "SIGTERM", "SIGINT"])
def test_orderly_end_takes_grandchildren_along(running: Provider, transaction: str, way: str) -> None:
    """By command or signal: every service says stopped; its children, also those that left, are gone."""
    with running as provider:
        _start(provider, transaction)
        if way == "exit":
            provider.command("exit", transaction)
        else:
            provider.process.send_signal(signal.Signals[way])
        provider.wait_end()
        for service in SERVICES:
            provider.wire.report("stopped", service.id, transaction, timeout=1.0)


def test_ctrl_c_on_the_terminal_is_orderly(running: Provider, transaction: str) -> None:
    """SIGINT to the whole process group, as a terminal sends it: in order, without tracebacks."""
    with running as provider:
        _start(provider, transaction)
        os.killpg(provider.process.pid, signal.SIGINT)
        provider.wait_end()
        for service in SERVICES:
            provider.wire.report("stopped", service.id, transaction, timeout=1.0)
        assert "Traceback" not in provider.output
        assert "KeyboardInterrupt" not in provider.output


def test_closed_terminal_leaves_nothing(project: Project, transaction: str) -> None:
    """The SIGHUP of a terminal that goes away ends everything; any other reloads the file."""
    master, terminal = os.openpty()
    with Provider(project, project.write_context(SERVICES), terminal=terminal) as provider:
        os.close(terminal)
        _start(provider, transaction)
        os.close(master)
        provider.wait_end()


def test_two_signals_end_it_all_the_same(running: Provider, transaction: str) -> None:
    """An impatient second Ctrl-C leaves nothing either."""
    with running as provider:
        _start(provider, transaction)
        provider.process.send_signal(signal.SIGINT)
        provider.process.send_signal(signal.SIGINT)
        provider.wait_end()


def test_killed_provider_leaves_nothing_after_a_second(running: Provider, transaction: str) -> None:
    """kill -9 of the provider: services, their children, thread host and forwarder are gone in 1 s."""
    with running as provider:
        everything = _start(provider, transaction)
        start = time.monotonic()
        provider.process.kill()
        left = procs.wait_gone(everything, GONE_WITHIN)
        took = time.monotonic() - start
        assert not left, {pid: cmd for pid, cmd in provider.processes().items() if pid in left}
        assert took < GONE_WITHIN
        assert provider.wait_end() == -signal.SIGKILL


def test_killed_provider_while_services_start_leaves_nothing(running: Provider, transaction: str) -> None:
    """The same in the middle of starting twenty services, at the moment the first one reports."""
    with running as provider:
        services = [Service(f"ts_{number}") for number in range(20)]
        provider.command("start", transaction, services)
        provider.wire.wait_for(lambda seen: seen.is_report, "a first report")
        provider.process.kill()
        provider.process.wait(PATIENCE)
        left = procs.wait_none_marked(provider.mark, GONE_WITHIN)
        assert not left


def test_new_provider_starts_where_one_was_killed(running: Provider, transaction: str) -> None:
    """After kill -9 the same file can be served again at once: the ports are free."""
    with running as provider:
        _start(provider, transaction)
        provider.process.kill()
        provider.process.wait(PATIENCE)
        assert not procs.wait_none_marked(provider.mark, GONE_WITHIN)
        with Provider(provider.project, provider.context_file) as second:
            # What was running has been brought back, so it is started already.
            assert second.ask("restart", transaction, [Service("ts_plain")])["verbs"][-1] == "done"


def test_killed_service_is_reported_and_its_children_are_gone(running: Provider, transaction: str) -> None:
    """kill -9 of a service: failed is reported, its own children go with it, siblings stay."""
    with running as provider:
        _start(provider, transaction)
        wire = provider.wire
        pid = wire.report("started", "ts_parent", transaction).status["pid"]
        sleepers = wire.report("updated", "ts_parent", transaction).status["sleepers"]
        os.kill(pid, signal.SIGKILL)
        failed = wire.report("failed", "ts_parent", transaction, timeout=5.0)
        assert failed.status["result"] == "failure"
        assert procs.wait_gone([pid, *sleepers], GONE_WITHIN) == []
        plain = wire.report("started", "ts_plain", transaction).status["pid"]
        assert procs.state(plain) not in ("", "Z")
        assert procs.zombies_of(provider.process.pid) == []


def test_service_that_does_not_obey_is_ended(running: Provider, transaction: str) -> None:
    """A task that ignores its stop is killed after the grace, tree and all; exit is not held up."""
    with running as provider:
        provider.project.write_service("Parent", _PARENT)
        deaf = Service("ts_deaf", "Parent", configuration={"ignores": "true"})
        provider.command("start", transaction, [deaf])
        provider.wire.report("updated", "ts_deaf", transaction)
        provider.command("exit", transaction)
        provider.wait_end(timeout=30.0)


def test_killed_forwarder_is_replaced(running: Provider, transaction: str) -> None:
    """kill -9 of the forwarder: the bus comes back on the same ports, services are still commanded."""
    with running as provider:
        before = set(provider.processes())
        provider.command("start", transaction, [Service("ts_plain")])
        pid = provider.wire.report("started", "ts_plain", transaction).status["pid"]
        holder = _listener_of(provider.project.pub_port, before)
        assert holder != provider.process.pid, "the provider itself forwards"
        os.kill(holder, signal.SIGKILL)
        assert procs.wait_gone([holder], PATIENCE) == []
        provider.wire.forget_listeners()
        provider.wire.wait_listener(b"context")
        provider.wire.wait_recorder()
        assert provider.ask("stop", transaction)["verbs"][-1] == "done"
        assert procs.wait_gone([pid], PATIENCE) == []


def _listener_of(port: int, pids: set[int]) -> int:
    """Which of some processes listens on a TCP port, by inode as the kernel lists it."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    inodes = {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    for pid in pids:
        for number in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{number}").removeprefix("socket:[").rstrip("]") in inodes:
                return pid
    raise AssertionError(f"none of {pids} listens on {port}")


def test_second_provider_leaves_the_first_unharmed(
    running: Provider, transaction: str, tmp_path: Path
) -> None:
    """On the same ports it ends with one line and leaves no process; the first keeps every service."""
    with running as provider:
        everything = _start(provider, transaction)
        mark = "second" + provider.mark
        elsewhere = f"--state={tmp_path}"
        for options, word in (((), str(provider.process.pid)), ((elsewhere,), "127.0.0.1")):
            ended = run_tool(
                "service_context.py", provider.context_file, *options, environment={procs.MARK: mark}
            )
            assert word in the_error(ended)
        assert procs.marked(mark) == {}
        assert everything <= set(provider.processes())
        assert provider.ask("stop", transaction)["verbs"][-1] == "done"
