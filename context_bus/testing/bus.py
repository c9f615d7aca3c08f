"""A bus for tests: a real forwarder on free ports, in a thread of the test's own process.

It is the code of the real one behind the same sockets, so what passes here passes there; only killing
it takes a process. Knows the bus; shipped to users, imported by nobody inside the package.
"""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection

from context_bus.bus import sockets
from context_bus.bus.aio import AsyncBus
from context_bus.bus.forwarder import READY_TIMEOUT, Policy, Statistics, run_forwarder
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import Subscriber
from context_bus.errors import EndpointError, NotConnected


class LocalBus:
    """A forwarder on free ports, and nodes on it that are closed with it.

    Args:
        policy: What happens to a slow listener.
        hwm: Messages to queue for one listener; the policy's default if None.

    Example:
        >>> with LocalBus() as local:
        ...     node = local.bus()
        ...     heard = []
        ...     node.subscribe("prices", heard.append)
        ...     node.publish("prices", 1.5)
    """

    def __init__(self, *, policy: Policy = "drop", hwm: int | None = None) -> None:
        self.listen_on = ""
        self.publish_to = ""
        self._policy: Policy = policy
        self._hwm = hwm
        self._pipe: Connection | None = None
        self._thread: threading.Thread | None = None
        self._nodes: list[Bus | Publisher | Subscriber] = []

    def start(self) -> None:
        """Start the forwarder; returns when it forwards."""
        ours, theirs = multiprocessing.Pipe()
        self._pipe = ours
        self._thread = threading.Thread(target=self._run, args=(theirs,), name="local-bus", daemon=True)
        self._thread.start()
        answer: list[str] = ["failed", "the local forwarder did not come up"]
        if ours.poll(READY_TIMEOUT):
            answer = list(ours.recv())
        if answer[0] != "ready":
            raise EndpointError(answer[1])
        _, self.publish_to, self.listen_on = answer

    def _run(self, pipe: Connection) -> None:
        with pipe:
            run_forwarder("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", pipe, policy=self._policy, hwm=self._hwm)

    def stop(self) -> None:
        """Close the nodes made here, then the forwarder. Safe to repeat."""
        while self._nodes:
            self._nodes.pop().close()
        if self._pipe is not None and self._thread is not None:
            self._pipe.send("stop")
            self._thread.join()
            self._pipe.close()
        self._pipe = self._thread = None

    def statistics(self) -> Statistics:
        """What has passed so far."""
        if self._pipe is None:
            raise NotConnected("the local bus is not running")
        self._pipe.send("statistics")
        return Statistics(*self._pipe.recv())

    def bus(self, *, service_name: str = "", service_id: str = "", transaction: str = "") -> Bus:
        """A connected node, closed with this bus."""
        node = Bus(
            self.listen_on,
            self.publish_to,
            service_name=service_name,
            service_id=service_id,
            transaction=transaction,
        )
        self._nodes.append(node)
        node.connect()
        return node

    def async_bus(self, *, service_name: str = "", service_id: str = "", transaction: str = "") -> AsyncBus:
        """A node for ``async with``, which connects and closes it."""
        return AsyncBus(
            self.listen_on,
            self.publish_to,
            service_name=service_name,
            service_id=service_id,
            transaction=transaction,
        )

    def publisher(self) -> Publisher:
        """A publisher, closed with this bus; use ``wait_for_subscriber`` before the first message."""
        node = Publisher(self.publish_to)
        self._nodes.append(node)
        return node

    def subscriber(
        self, *topics: str, hwm: int = sockets.SUBSCRIBER_HWM, conflate: bool = False
    ) -> Subscriber:
        """A subscriber of these topics, closed with this bus."""
        node = Subscriber(self.listen_on, hwm=hwm, conflate=conflate)
        self._nodes.append(node)
        for topic in topics:
            node.subscribe(topic)
        return node

    def __enter__(self) -> LocalBus:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
