"""Forwarders for the tests of the bus: in a thread, and as a process; both must pass the same tests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from context_bus.bus.forwarder import Forwarder
from context_bus.bus.node import Bus
from context_bus.testing.bus import LocalBus


@pytest.fixture(scope="session", autouse=True)  # begins before the first test counts what is there
def process_forwarder() -> Iterator[Forwarder]:
    """One real forwarder process for all tests that do not harm it."""
    with Forwarder() as forwarder:
        yield forwarder


@pytest.fixture
def local() -> Iterator[LocalBus]:
    """A local bus of the test's own."""
    with LocalBus() as bus:
        yield bus


@pytest.fixture(params=["local", "process"])
def ends(request: pytest.FixtureRequest, process_forwarder: Forwarder) -> Iterator[tuple[str, str]]:
    """Where to listen and where to publish, on each kind of forwarder."""
    if request.param == "process":
        yield process_forwarder.listen_on, process_forwarder.publish_to
        return
    with LocalBus() as bus:
        yield bus.listen_on, bus.publish_to


@pytest.fixture
def new_bus(ends: tuple[str, str]) -> Iterator[Callable[..., Bus]]:
    """Make connected nodes that are closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **identity: stack.enter_context(Bus(*ends, **identity))


@contextlib.contextmanager
def serving(*nodes: Bus) -> Iterator[None]:
    """Serve nodes in threads meanwhile; what a handler raises is raised here."""
    errors: list[BaseException] = []

    def serve(node: Bus) -> None:
        try:
            node.serve()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=serve, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for node, thread in zip(nodes, threads, strict=True):
            node.stop()
            thread.join()
    if errors:
        raise errors[0]
