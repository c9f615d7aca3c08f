"""A client of today asks what services use, by the bus and by the provider's own socket."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from context_bus.client.asking import open_conversation
from context_bus.client.dialogue import Dialogue
from context_bus.client.endpoints import Endpoints
from context_bus.client.sampling import top
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import CommandRejected
from context_bus.testing.wait import wait_until
from tests.e2e.project import Project
from tests.e2e.shells import Supervise, Supervised, service

SPIN = "<command>sh -c 'while :; do :; done'</command>"
#: A service whose work is done by a child of a child.
FAMILY = "<command>sh -c 'sh -c \"sleep 300; true\"; true'</command>"


@pytest.fixture
def provider(supervise: Supervise) -> Supervised:
    """A provider of a program that spins and one that has children."""
    made = supervise(service("spin", SPIN, '<restart policy="always"/>'), service("family", FAMILY))
    made.start("--start=T1")
    made.shell.until("family", "started")
    made.shell.until("spin", "started")
    return made


@pytest.fixture(params=["bus", "socket"])
def conversation(
    provider: Supervised, project: Project, request: pytest.FixtureRequest
) -> Iterator[Dialogue]:
    """With it, either way."""
    places = {
        "bus": Endpoints(project.listen_on, project.publish_to),
        "socket": endpoints_of(provider.shell.file, None, None),
    }
    with open_conversation(places[request.param]) as opened:
        yield opened


def test_client_is_told_what_services_use(conversation: Dialogue) -> None:
    """First after half a second, then at once; briefly or with rows and lists."""
    rows = {row.service_id: row for row in top(conversation, "T1", opened_files=True, memory_maps=True)}
    began = time.monotonic()
    brief = {row.service_id: row for row in top(conversation, brief=True)}
    assert time.monotonic() - began < 0.4
    spin, family = rows["spin"].memory, rows["family"].memory
    assert spin is not None
    assert family is not None
    assert spin.cpu_percent > 5.0
    assert spin.children[-1].kind == "thread"
    assert isinstance(spin.memory_map, tuple)
    assert (family.processes, family.children[0].kind) == (2, "process")
    told = brief["spin"].memory
    assert told is not None
    assert told.children == ()
    assert told.cpu_percent > 5.0
    with pytest.raises(CommandRejected, match="T9 is not known here; known: T1"):
        top(conversation, "T9")


def test_process_that_takes_another_ones_place_is_measured_anew(
    provider: Supervised, conversation: Dialogue
) -> None:
    """A service that was killed and started again is shown with its new process, as soon as it has one."""
    before = {row.service_id: row for row in top(conversation, brief=True)}["spin"]
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)

    def after() -> bool:
        row = {row.service_id: row for row in top(conversation, brief=True)}["spin"]
        if row.pid is None or row.pid == before.pid:
            return False  # it is not there yet, or its end is not known yet
        assert row.memory is not None
        return row.memory.cpu_percent > 5.0

    wait_until(after, 20.0, "figures of the next process")
