"""The loop that runs handlers, and what other threads want of the sockets it owns. Knows listening.

While a thread serves, it alone touches the listening sockets; what others want of them is an errand
that it runs between two messages.
"""

from __future__ import annotations

import collections
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

import zmq

from context_bus.bus.audience import Audience
from context_bus.bus.listening import Channel, Listening
from context_bus.errors import BusError
from context_bus.kernel.message import SEPARATOR

#: Messages taken from one socket before the others and the errands are looked at.
DRAIN = 256


class Server:
    """Serves the listening sockets of one node, in one thread at a time.

    Args:
        listening: The sockets and their routes.
        audience: What the publisher is told of listeners; kept up to date on the way.
    """

    def __init__(self, listening: Listening, audience: Audience) -> None:
        self._listening = listening
        self._audience = audience
        self._owned = threading.Lock()
        self._owner = 0
        self._errands: collections.deque[Callable[[], None]] = collections.deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = False
        self._closed = False
        self._items: list[tuple[Any, int]] = []

    def serve(self) -> None:
        """Run handlers until ``stop``, or until one raises: that is raised here."""
        if not self._owned.acquire(blocking=False):
            raise BusError("this node is served by another thread already")
        self._owner = threading.get_ident()
        try:
            while not self._stopping:
                self._wait()
                for channel in self._listening.channels:
                    self._drain(channel)
        finally:
            self._stopping = False
            self._owner = 0
            self._owned.release()
            self._run_errands_if_unserved()

    def _wait(self) -> None:
        """Wait for a message, an errand, or news for the publisher."""
        channels = self._listening.channels
        if len(self._items) != len(channels) + 2:
            fds = (self._wake, self._audience.descriptor)
            self._items = [(item, zmq.POLLIN) for item in (*[each.socket for each in channels], *fds)]
        for item, _ in zmq.zmq_poll(self._items):
            if item == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
                self._run_errands()
            elif item == self._audience.descriptor:
                self._audience.refresh()

    def _drain(self, channel: Channel) -> None:
        """Take what is there; looking whether there is more costs more than taking it."""
        recv, routes, nowait = channel.socket.recv, channel.routes, zmq.DONTWAIT
        try:
            for _ in range(DRAIN):
                frame = recv(nowait)
                topic, _, body = frame.partition(SEPARATOR)
                try:
                    deliver = routes[topic]
                except KeyError:
                    found = channel.resolve(frame)
                    if found is None:
                        continue
                    deliver, body = found
                deliver(body)
                if self._stopping:
                    return
        except zmq.Again:
            pass

    def stop(self) -> None:
        """End ``serve`` after the message in hand; from any thread, also before it began."""
        self._stopping = True
        if not self._closed:
            os.eventfd_write(self._wake, 1)

    def run(self, errand: Callable[[], object]) -> None:
        """Do something with the listening sockets: here if nobody serves, else in the thread that does."""
        if self._owner == threading.get_ident():
            errand()
            return
        done = threading.Event()
        errors: list[Exception] = []

        def task() -> None:
            try:
                errand()
            except Exception as error:  # noqa: BLE001 - it belongs to the thread that asked
                errors.append(error)
            finally:
                done.set()

        self._errands.append(task)
        os.eventfd_write(self._wake, 1)
        self._run_errands_if_unserved()
        done.wait()
        if errors:
            raise errors[0]

    def _run_errands_if_unserved(self) -> None:
        # Whoever lets go of the lock looks once more, so that no errand is left between two who hold it.
        while self._errands and self._owned.acquire(blocking=False):
            try:
                self._run_errands()
            finally:
                self._owned.release()

    def _run_errands(self) -> None:
        while self._errands:
            self._errands.popleft()()

    def close(self) -> None:
        """Stop, and return when nobody serves any more; nothing is served or run from then on.

        Raises:
            BusError: It is called by a handler, which would wait for itself.
        """
        if self._owner == threading.get_ident():
            raise BusError("a handler cannot close its own node; let it call stop(), and close after serve()")
        self.stop()
        self._owned.acquire()
        self._closed = True
        os.close(self._wake)
