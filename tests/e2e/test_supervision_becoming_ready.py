"""Every way to become ready, when it is so and not before; and what follows where it is not in time."""

from __future__ import annotations

import secrets
import shlex
import sys
from typing import NamedTuple

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e import answerer, procs
from tests.e2e.project import Project, Service, free_ports
from tests.e2e.shells import Supervised
from tests.e2e.told import Tell, Told, program

#: Seconds after which a service is ready by time.
AFTER = 0.6
#: The time between two attempts is short here.
EVERY = 'every="0.05" deadline="30"'
#: A directory below that of the context file, which only who is asked in the right place finds.
PLACE = "place"


class Ready(NamedTuple):
    """A provider of services that are not ready yet, and the ports of those that have one."""

    provider: Told
    tcp: int
    http: int


def serving(name: str, port: int) -> str:
    """A line that runs something that answers as its file says."""
    return "exec " + shlex.join([sys.executable, answerer.__file__, str(port), f"{name}.mode"])


@pytest.fixture(scope="module")
def warming(tell_all: Tell) -> Ready:
    """All have a process; whatever makes them ready is still to come."""
    tcp, http = free_ports(2)
    says = "echo nearly open; until [ -e says.go ]; do sleep 0.02; done; echo 'now open' >&2; exec sleep 300"
    asks = "<command><arg>sh</arg><arg>-c</arg><arg>test -e $CONTEXT_BUS_SERVICE.go</arg></command>"
    provider = tell_all(
        program(
            "tcp", serving("tcp", tcp), f'<readiness type="tcp" target="127.0.0.1:{tcp}" {EVERY}/>'
        ),
        program(
            "http",
            serving("http", http),
            f'<readiness type="http" target="http://127.0.0.1:{http}/" {EVERY}/>',
        ),
        program(
            "asked",
            "exec sleep 300",
            f'<process cwd="{PLACE}"/><readiness type="command" {EVERY}>{asks}</readiness>',
        ),
        program("says", says, '<readiness type="log" target="^now o.en$" deadline="30"/>'),
        program("unread", says.replace("says", "unread"), '<readiness type="log" target="^now o.en$" '
                'deadline="30"/><output stdout="null" stderr="unread.log"/>'),
        program("time", "exec sleep 300", f'<readiness type="time" after="{AFTER}"/>'),
        program("at_once", "exec sleep 300"),
    )  # fmt: skip
    (provider.directory / PLACE).mkdir()
    (provider.directory / "tcp.mode").write_text("deaf")
    (provider.directory / "http.mode").write_text("bad")
    provider.start("--start=T1")
    for each in ("tcp", "http", "asked", "says", "unread", "time"):
        provider.until(each, "warming")
    return Ready(provider, tcp, http)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tcp", "tcp.mode"),
        ("http", "http.mode"),
        ("asked", f"{PLACE}/asked.go"),
        ("says", "says.go"),
        ("unread", "unread.go"),
    ],
)
def test_ready_when_it_is_so_and_not_before(warming: Ready, name: str, file: str) -> None:
    """It is shown as warming, with the last complaint of who asks, until what is asked for is there."""
    provider = warming.provider
    complaint = {
        "tcp": f"127.0.0.1:{warming.tcp}: Connection refused",
        "http": "status 500 Broken",
        "asked": "exit code 1",
    }.get(name, "")
    found = wait_until(
        lambda: (each := provider.shell.services()[name])["complaint"] == complaint and each, 20, complaint
    )
    assert isinstance(found, dict)
    assert found["phase"] == "warming"
    assert complaint in provider.shell("ps", name).stdout
    (provider.directory / file).write_text("")
    provider.until(name, "started")
    states = [each.state for each in provider.changes(name)]
    assert states == ["starting", "warming", "started"]
    assert provider.shell.services()[name]["complaint"] == ""


def test_ready_by_time_is_ready_then(warming: Ready) -> None:
    """Not before it has lived that long."""
    started = warming.provider.until("time", "started")
    (began,) = warming.provider.changes("time", "warming")
    assert AFTER - 0.05 <= started.time - began.time < AFTER + 5


def test_program_without_readiness_is_ready_when_it_is_executed(warming: Ready) -> None:
    """It never warms up: nobody is asked."""
    warming.provider.until("at_once", "started")
    assert [each.state for each in warming.provider.changes("at_once")] == ["starting", "started"]


def test_python_service_is_ready_when_it_says_so(project: Project) -> None:
    """Its process is there before: `starting` lasts as long as its setup does."""
    project.write_service("Slow", SLOW)
    go = project.directory / "go"
    file = project.write_context([Service("ts_1", "Slow", configuration={"go": str(go)})])
    provider = Supervised(file, secrets.token_hex(8))
    try:
        provider.start("--start=T1")
        wait_until(lambda: provider.shell.services().get("ts_1", {}).get("pid"), 20, "a process")
        assert provider.shell.services()["ts_1"]["phase"] in {"starting", "created"}
        go.touch()
        provider.shell.until("ts_1", "started")
    finally:
        provider.clean_up()


def test_python_service_that_does_not_say_so_in_time_has_failed(project: Project) -> None:
    """It is ended where it hangs."""
    project.write_service("Slow", SLOW)
    file = project.write_context(
        [Service("ts_1", "Slow", configuration={"go": str(project.directory / "go")})]
    )
    kept = '<supervision><readiness deadline="0.7"/></supervision></TaskService>'
    file.write_text(file.read_text().replace("</TaskService>", kept))
    provider = Supervised(file, secrets.token_hex(8))
    try:
        provider.start("--start=T1")
        found = provider.shell.until("ts_1", "failed")
        assert found["reason"] == "not ready within 0.7 s; see its log or raise the deadline"
        assert (found["pid"], found["starts"]) == (None, 1)
    finally:
        provider.clean_up()


SLOW = '''
"""A task that takes its time to be ready."""

import time
from pathlib import Path

from context_bus import Task, TaskService


class Slow(Task):
    """Waits for a file in its setup."""

    go: str = ""

    def setup(self) -> None:
        while not Path(self.go).exists():
            time.sleep(0.02)

    def run(self) -> None:
        while not self.wait(3600.0):
            pass


class ServiceSlow(TaskService):
    """The service around it."""

    task_class = Slow
'''


# -- not in time -----------------------------------------------------------------------------------

LATE = 'deadline="0.4" every="0.05"'


@pytest.fixture(scope="module")
def late(tell_all: Tell) -> Ready:
    """A provider of services that are never ready."""
    tcp, http = free_ports(2)
    never = '<readiness type="command" ' + LATE + "><command>/bin/false</command></readiness>"
    provider = tell_all(
        program("tcp", "exec sleep 300", f'<readiness type="tcp" target="127.0.0.1:{tcp}" {LATE}/>'),
        program(
            "http",
            "exec sleep 300",
            f'<readiness type="http" target="http://127.0.0.1:{http}" {LATE}/>',
        ),
        program("asked", "exec sleep 300", never),
        program("says", "echo no; exec sleep 300", '<readiness type="log" target="yes" deadline="0.4"/>'),
        program(
            "again",
            "sleep 300 & wait",
            f'{never}<restart policy="on_failure" delay="0.1" jitter="0" max_restarts="2"/>',
        ),
        program("ends", "exit 0", f'<readiness type="tcp" target="127.0.0.1:{tcp}" {EVERY}/>'
                '<restart policy="always" delay="0.1" max_restarts="1"/>'),
    )  # fmt: skip
    provider.start("--start=T1")
    return Ready(provider, tcp, http)


@pytest.mark.parametrize("name", ["tcp", "http", "asked", "says"])
def test_who_is_not_ready_in_time_is_ended_and_says_why(late: Ready, name: str) -> None:
    """Its process is gone; without a restart policy that is the end of it, and its start has failed."""
    provider = late.provider
    failed = provider.until(name, "failed")
    warming = provider.until(name, "warming")
    why = {
        "tcp": f": 127.0.0.1:{late.tcp}: Connection refused",
        "http": f": 127.0.0.1:{late.http}: Connection refused",
        "asked": ": exit code 1",
        "says": "; see its log or raise the deadline",
    }[name]
    assert failed.reason == f"not ready within 0.4 s{why}"
    assert failed.time - warming.time >= 0.3
    assert procs.wait_gone([warming.pid or 0], 5) == []
    found = provider.shell.services()[name]
    assert (found["phase"], found["reason"], found["wanted"]) == ("failed", failed.reason, False)
    assert not provider.changes(name, "started")


def test_who_is_never_ready_is_tried_again_and_given_up(late: Ready) -> None:
    """Backoff and fatal both tell of the deadline; nothing of three processes is left."""
    provider = late.provider
    fatal = provider.until("again", "fatal")
    missed = "not ready within 0.4 s: exit code 1"
    assert [each.reason for each in provider.changes("again", "backoff")] == [
        f"{missed}; again in 0.1 s (restart 1)",
        f"{missed}; again in 0.2 s (restart 2)",
    ]
    assert fatal.reason.startswith(f"fatal: restarted 2 times within 10 s, last: {missed} after 0.")
    pids = [each.pid or 0 for each in provider.changes("again", "warming")]
    assert len(set(pids)) == 3
    assert procs.wait_gone(pids, 5) == []
    assert "not ready within 0.4 s" in provider.shell("ps", "again").stdout
    ended = provider.shell("restart", "again")
    assert ended.returncode == 5
    assert "fatal" in ended.stdout + ended.stderr


def test_who_ends_before_it_is_ready_has_failed_to_boot(late: Ready) -> None:
    """Even with exit code 0: the next start waits, and too many are too many."""
    fatal = late.provider.until("ends", "fatal")
    assert "restarted 1 times" in fatal.reason
    assert [each.state for each in late.provider.changes("ends")].count("warming") == 2
    (waited,) = late.provider.changes("ends", "backoff")
    assert waited.reason.startswith("ended; again in 0.")
