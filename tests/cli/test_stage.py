"""The stage of the demonstration: it sees what is left, and a provider that does not come up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from context_bus.bus.endpoint import free_endpoint
from context_bus.cli.stage import MARK, Stage, is_taken, with_free_ports
from context_bus.config.load import read_context
from context_bus.config.model import ContextConf, TaskServiceConf
from context_bus.errors import ContextError

ROOT = Path(__file__).resolve().parents[2]


def context(*services: TaskServiceConf) -> ContextConf:
    """A context on ports that nobody uses."""
    listen, publish = free_endpoint(), free_endpoint()
    return ContextConf(listen, publish, publish, listen, "Stage", services=services, file="Context-Stage.xml")


def test_what_is_left_is_seen() -> None:
    """A process that carries the mark and a port that is held are told; then they are gone."""
    conf = context()
    stage = Stage(conf, Path(conf.file))
    assert stage.leftovers() == []
    port = int(conf.front_bind.rpartition(":")[2])
    environment = os.environ | {MARK: stage._mark}
    with (
        socket.create_server(("127.0.0.1", port)),
        subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment
        ) as process,
    ):
        left = stage.leftovers()
        assert any(f"process {process.pid}" in each for each in left)
        assert f"port of {conf.front_bind}" in left
        assert process.stdin is not None
        process.stdin.write(b"\n")
    assert stage.leftovers() == []


def test_provider_that_ends_at_once_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file with faults ends the wait, not a timeout."""
    with pytest.raises(ContextError, match="exit code 2"), Stage(context(), tmp_path / "absent.xml"):
        pass
    assert "no such file" in capfd.readouterr().err


def test_copy_on_other_ports_runs_the_same_services(tmp_path: Path) -> None:
    """Ports change, the code of the services stays where it is."""
    conf = read_context(ROOT / "Conf/Context-EchoAction.xml")
    moved, file = with_free_ports(conf, tmp_path)
    assert read_context(file) == moved
    assert moved.front_bind != conf.front_bind
    assert moved.services[0].location == str(ROOT / "Services")
    assert moved.services[0].instance == conf.services[0].instance


def test_held_port_is_taken() -> None:
    """Also by somebody who only listens."""
    endpoint = free_endpoint()
    assert not is_taken(endpoint)
    with socket.create_server(("127.0.0.1", int(endpoint.rpartition(":")[2]))):
        assert is_taken(endpoint)
