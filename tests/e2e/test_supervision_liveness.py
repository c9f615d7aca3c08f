"""Services that run and do not answer any more: noticed by each kind of probe, ended, replaced, and told."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from context_bus.supervise.liveness import SILENCE
from context_bus.testing.wait import wait_until
from tests.e2e import answerer, procs
from tests.e2e.project import Project, Service, free_ports
from tests.e2e.shells import Supervised
from tests.e2e.told import Tell, Told, program

#: Attempts that have to fail, and seconds one may take.
FAILURES, TIMEOUT = 2, 0.5
#: A Python service whose task waits for nothing, which is no reason to be silent.
BUSY = '''
"""A task that computes."""

from context_bus import Task, TaskService


class Busy(Task):
    """Looks at nothing and waits for nothing."""

    def run(self) -> None:
        while not self.stopping:
            sum(range(1000))


class ServiceBusy(TaskService):
    """The service around it."""

    task_class = Busy
'''


class Case(NamedTuple):
    """One service that stops answering.

    Args:
        kind: Of its probe.
        mode: What it is told to do then; nothing where it is frozen.
        reason: What is said of it.
    """

    kind: str
    mode: str
    reason: str


CASES = {
    "tcp": Case("tcp", "deaf", "127.0.0.1:PORT: Connection refused"),
    "http-bad": Case("http", "bad", "status 500 Broken"),
    "http-mute": Case("http", "mute", f"no answer within {TIMEOUT} s"),
    "http-frozen": Case("http", "", f"no answer within {TIMEOUT} s"),
    "command": Case("command", "deaf", "exit code 3: it is deaf"),
}
#: One that answers all the time.
WELL = "well"


class Watched(NamedTuple):
    """The provider of all cases, and the port of each."""

    provider: Told
    ports: dict[str, int]


def served(name: str, kind: str, port: int) -> str:
    """A service that answers, and its probe."""
    line = shlex.join([sys.executable, answerer.__file__, str(port), f"{name}.mode"])
    target = {"tcp": f'target="127.0.0.1:{port}"', "http": f'target="http://127.0.0.1:{port}/"'}.get(kind, "")
    asks = f"! grep -q deaf {name}.mode || {{ echo it is deaf; exit 3; }}"
    probe = f"<command><arg>sh</arg><arg>-c</arg><arg>{asks}</arg></command>" if kind == "command" else ""
    every = f'every="0.1" timeout="{TIMEOUT}"'
    return program(
        name,
        f"exec {line}",
        f'<liveness type="{kind}" {target} {every} failures="{FAILURES}">{probe}</liveness>'
        f'<readiness type="tcp" target="127.0.0.1:{port}" every="0.05"/>'
        '<restart policy="on_failure"/>',
    )


@pytest.fixture(scope="module")
def watched(tell_all: Tell) -> Watched:
    """All services are ready and are watched."""
    kinds = {name: case.kind for name, case in CASES.items()} | {WELL: "http"}
    ports = dict(zip(kinds, free_ports(len(kinds)), strict=True))
    provider = tell_all(*(served(name, kind, ports[name]) for name, kind in kinds.items()))
    for name in kinds:
        (provider.directory / f"{name}.mode").touch()
    provider.start("--start=T1")
    for name in kinds:
        provider.until(name, "started")
    return Watched(provider, ports)


@pytest.mark.parametrize("name", CASES)
def test_who_answers_no_more_is_replaced_and_the_reason_is_told(watched: Watched, name: str) -> None:
    """After so many attempts it is ended as a failure; ps says why, and the next one is asked anew."""
    provider, case = watched.provider, CASES[name]
    first = provider.until(name, "started")
    assert first.pid is not None
    file = provider.directory / f"{name}.mode"
    if case.mode:
        file.write_text(case.mode)
    else:
        os.kill(first.pid, signal.SIGSTOP)
    failed = provider.until(name, "failed")
    file.write_text("")
    said = case.reason.replace("PORT", str(watched.ports[name]))
    expected = f"{FAILURES} attempts in a row to ask it by {case.kind} failed: {said}"
    assert failed.reason == expected
    second = provider.until(name, "started", 2)
    assert second.pid != first.pid
    assert procs.wait_gone([first.pid], 5) == []
    found = provider.shell.services()[name]
    assert (found["phase"], found["starts"], found["last_end"]) == ("started", 2, expected)
    assert f"last: {expected}" in provider.shell("ps", name).stdout


def test_who_answers_is_left_alone(watched: Watched) -> None:
    """Whatever happened to the others, it has been asked all the time and has its first process."""
    assert watched.provider.shell.services()[WELL]["starts"] == 1
    assert [each.state for each in watched.provider.changes(WELL)] == ["starting", "warming", "started"]


def test_frozen_service_is_told_of_as_such(watched: Watched) -> None:
    """At once when it froze, before any probe had failed."""
    name = "http-frozen"
    watched.provider.until(name, "started", 2)
    events = watched.provider.events
    (frozen,) = (
        place
        for place, each in enumerate(events)
        if each["event"] == "ServiceFrozen" and each["service_id"] == name and each["is_frozen"]
    )
    assert frozen < watched.provider.changes(name, "stopping")[0].place


def test_one_failure_is_forgiven(tell: Tell) -> None:
    """Attempts have to fail in a row: one good answer between begins the count anew."""
    asks = "test $(wc -l < asked) -gt 12 || { echo >> asked; test $(($(wc -l < asked) % 2)) = 0; }"
    provider = tell(
        program(
            "a",
            "exec sleep 300",
            '<liveness type="command" every="0.05" failures="2">'
            f"<command><arg>sh</arg><arg>-c</arg><arg>{asks.replace('<', '&lt;').replace('>', '&gt;')}</arg>"
            '</command></liveness><restart policy="on_failure"/>',
        )
    )
    (provider.directory / "asked").touch()
    provider.start("--start=T1")
    wait_until(lambda: len(provider.text("asked").splitlines()) > 12, 20, lambda: provider.text("asked"))
    assert [each.state for each in provider.changes("a")] == ["starting", "started"]


# -- heartbeats ------------------------------------------------------------------------------------

Beat = Callable[[str, str], Supervised]


@pytest.fixture
def beat(project: Project) -> Iterator[Beat]:
    """Make a provider of one Python service that has to give signs of life."""
    made: list[Supervised] = []

    def make(instance: str, supervision: str) -> Supervised:
        file: Path = project.write_context([Service("ts_1", instance)])
        kept = f"<supervision>{supervision}</supervision></TaskService>"
        file.write_text(file.read_text().replace("</TaskService>", kept))
        made.append(Supervised(file, secrets.token_hex(8)))
        return made[-1]

    yield make
    for each in made:
        each.clean_up()


def test_task_that_computes_is_alive(beat: Beat, project: Project) -> None:
    """Its process gives signs of life while its task thinks; so it is stopped as told, too."""
    project.write_service("Busy", BUSY)
    provider = beat("Busy", '<liveness type="heartbeat" every="0.4"/><restart policy="always"/>')
    provider.start("--start=T1")
    first = provider.shell.until("ts_1", "started")
    silent_from = time.monotonic() + SILENCE * 0.4
    wait_until(lambda: time.monotonic() > silent_from + 0.4, 20, "as long as no silence may last")
    found = provider.shell.services()["ts_1"]
    assert (found["pid"], found["starts"], found["phase"]) == (first["pid"], 1, "started")
    assert provider.shell("stop", "ts_1").returncode == 0


def test_lost_heartbeat_without_restart_is_a_failure(beat: Beat) -> None:
    """Its process is ended all the same; nothing hung is kept."""
    provider = beat("Actor", '<liveness type="heartbeat" every="0.3"/>')
    provider.start("--start=T1")
    pid = int(str(provider.shell.until("ts_1", "started")["pid"]))
    os.kill(pid, signal.SIGSTOP)
    found = provider.shell.until("ts_1", "failed")
    assert found["reason"] == "no heartbeat for 0.75 s"
    assert procs.wait_gone([pid], 5) == []
    assert "no heartbeat for 0.75 s" in provider.shell("events", "-n", "100").stdout
