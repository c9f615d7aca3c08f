"""Commands reach a provider on this machine whatever becomes of its forwarder."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_bus.testing.wait import wait_until
from tests.e2e.project import Project
from tests.e2e.shells import Supervised, write

SERVICES = """
  <TaskService id="stay" serviceType="Command"><command>sleep 300</command></TaskService>
  <TaskService id="deaf" serviceType="Command">
    <command>sh -c 'trap "" TERM; while :; do sleep 1; done'</command>
    <supervision><stop grace="60"/></supervision>
  </TaskService>
"""


@pytest.fixture
def provider(project: Project) -> Iterator[Supervised]:
    """A provider of both services."""
    found = Supervised(write(project, SERVICES), secrets.token_hex(8))
    found.start("--start=T1")
    try:
        found.shell.until("deaf", "started")
        yield found
    finally:
        found.clean_up()


def door(provider: Supervised) -> Path:
    """The socket."""
    return provider.shell.file.parent / ".context_bus" / provider.shell.file.name / "provider.sock"


def forwarder(provider: Supervised) -> int:
    """Its process."""
    found = provider.shell.json("ps")
    assert isinstance(found, dict)
    return int(found["provider"]["forwarder_pid"])


def test_commands_do_not_wait_for_a_forwarder_that_hangs(provider: Supervised) -> None:
    """It is stopped, and everything can be seen and done all the same."""
    pid = forwarder(provider)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert provider.shell.until("stay", "started")["pid"]
        ended = provider.shell("restart", "stay")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert provider.shell.services()["stay"]["starts"] == 2
        assert provider.shell("stop", "stay").returncode == 0
    finally:
        os.kill(pid, signal.SIGCONT)


def test_who_names_endpoints_means_the_bus(provider: Supervised, project: Project) -> None:
    """The same answer comes that way, and without the socket at all."""
    ends = ("--publish", project.publish_to, "--listen", project.listen_on)
    assert "stay" in provider.shell("ps", *ends).stdout
    door(provider).unlink()
    assert "stay" in provider.shell("ps").stdout
    assert provider.shell("stop", "stay").returncode == 0


def test_a_provider_that_dies_meanwhile_is_told_at_once(provider: Supervised) -> None:
    """Not after the timeout of the command."""
    command = [sys.executable, "-m", "context_bus", "stop", "deaf", "-c", str(provider.shell.file)]
    stopping = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = threading.Timer(40, stopping.kill)
    deadline.start()
    try:
        provider.shell.until("deaf", "stopping")
        provider.kill()
        _, errors = stopping.communicate()
    finally:
        deadline.cancel()
    assert errors == "error: the provider ended before it answered\n"
    assert stopping.returncode == 3


def test_the_socket_ends_with_the_provider(provider: Supervised) -> None:
    """In order it is taken away; a killed one leaves it, and the next takes its place."""
    provider.kill()
    assert door(provider).exists()
    assert provider.shell("ps").returncode == 3
    provider.start("--fresh")  # or it would wait for the one that is deaf
    wait_until(lambda: provider.shell("ps").returncode == 0, 30, "the next provider")
    provider.end()
    assert not door(provider).exists()
