"""A provider on a stage: run as its own process, watched from outside, and proven gone at the end.

Knows processes and ports as the system shows them; the provider is only spoken to over the bus.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from context_bus.bus.endpoint import free_endpoint, split_endpoint
from context_bus.client.conversation import Conversation
from context_bus.client.endpoints import Endpoints
from context_bus.client.joining import LISTEN_TIMEOUT
from context_bus.config.locations import resolve_location
from context_bus.config.model import ContextConf
from context_bus.config.writers import write_xml
from context_bus.errors import ContextError, NobodyListens, NotConnected
from context_bus.process import tree

#: Environment variable by which everything that stems from one provider is found, wherever it went.
MARK = "CONTEXT_BUS_STAGE"
#: Seconds a provider may take to come up.
READY_TIMEOUT = 15.0
#: Seconds a provider may take to end in order, before it is killed.
END_TIMEOUT = 10.0
#: Seconds in which a process that ends because another has ended is gone.
MOMENT = 3.0


class Stage:
    """One provider as a process of its own; use as a context manager.

    Args:
        conf: The context.
        file: Its file, as the provider is to be called with it.
        arguments: Further arguments of ``service-context``.
    """

    def __init__(self, conf: ContextConf, file: Path, arguments: Sequence[str] = ()) -> None:
        self.endpoints = Endpoints(conf.front_end_endpoint, conf.backend_endpoint)
        self._mark = secrets.token_hex(8)
        self._command = [sys.executable, "-m", "context_bus", "service-context", str(file), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, env=os.environ | {MARK: self._mark})
        try:
            self._wait_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def wait_end(self) -> int:
        """Wait until the provider has ended by itself.

        Returns:
            Its exit code.

        Raises:
            ContextError: It does not end.
        """
        assert self._process is not None
        try:
            return self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise ContextError(f"the provider did not end within {END_TIMEOUT:g} s") from None

    def terminate(self) -> int:
        """Tell the provider to end, as an operator would, and wait for it; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait_end()

    def leftovers(self) -> list[str]:
        """What is still there of the provider: processes, ports; empty when it is gone without a trace."""
        ports = [end for end in (self.endpoints.listen, self.endpoints.publish) if is_taken(end)]
        return [*_marked(self._mark), *(f"port of {port}" for port in ports)]

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_TIMEOUT
        with Conversation(self.endpoints) as conversation:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    conversation.open(LISTEN_TIMEOUT)
                    conversation.publisher.wait_for_subscriber("context", LISTEN_TIMEOUT)
                    return
                except (NotConnected, NobodyListens):
                    continue
        if self._process.poll() is None:
            raise ContextError(f"the provider did not come up within {READY_TIMEOUT:g} s")
        raise ContextError(f"the provider ended with exit code {self._process.returncode}; see above")

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()  # its services and its forwarder die with it
            process.wait()


def with_free_ports(conf: ContextConf, directory: Path) -> tuple[ContextConf, Path]:
    """The same context on ports that nobody uses, written to a file of the same name.

    Args:
        conf: The context.
        directory: Where to write it.

    Returns:
        The context and its file.
    """
    listen, publish = free_endpoint(), free_endpoint()
    services = tuple(
        replace(
            service,
            configuration={
                **service.configuration,
                "location": str(resolve_location(conf.file, service.location)),
            },
        )
        for service in conf.services
    )
    file = directory / Path(conf.file).name
    moved = replace(
        conf,
        front_end_endpoint=listen,
        backend_bind=listen,
        backend_endpoint=publish,
        front_bind=publish,
        services=services,
        file=str(file),
    )
    file.write_bytes(write_xml(moved))
    return moved, file


def is_taken(endpoint: str) -> bool:
    """Whether somebody listens at a TCP endpoint of this machine."""
    transport, host, port = split_endpoint(endpoint)
    if transport != "tcp":
        return False
    with socket.socket() as probe:
        # As a provider binds: connections of the past that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return True
    return False


def _marked(mark: str) -> list[str]:
    """Living processes that carry the mark, and are not just about to end."""
    needle = f"{MARK}={mark}".encode()
    found = [row for row in tree.read_table().values() if needle in tree.environment_of(row.pid).split(b"\0")]
    # What multiprocessing starts beside a forkserver ends when it sees that its owner has ended.
    left = tree.wait_gone([row.identity for row in found], MOMENT)
    return [f"process {one.pid} ({tree.command_line(one.pid) or 'gone meanwhile'})" for one in left]
