"""The loop that runs handlers, and what other threads want of the sockets it owns. Knows listening.

While a thread serves, it alone touches the listening sockets; what others want of them is an errand
that it runs between two messages.
"""

from __future__ import annotations

import collections
import contextlib
import math
import os
import select
import threading
import time
from collections.abc import Callable

import zmq

from context_bus.bus import latency, sockets
from context_bus.bus.audience import Audience
from context_bus.bus.listening import Channel, Listening
from context_bus.bus.news import WITHIN, News
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
        self._news = News(audience)
        self._owned = threading.Lock()
        self._owner = 0
        self._errands: collections.deque[Callable[[], None]] = collections.deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = False
        self._closed = False
        self._poll = select.poll()
        self._watched = 0

    def serve(self) -> None:
        """Run handlers until ``stop``, or until one raises: that is raised here."""
        if not self._owned.acquire(blocking=False):
            raise BusError("this node is served by another thread already")
        self._owner = threading.get_ident()
        try:
            more = True  # what came before somebody served has signalled already
            while not self._stopping:
                self._wait(0 if more else None)
                more = False
                is_watched = self._listening.latencies is not None
                for channel in self._listening.channels:
                    more |= (
                        self._drain_sampled(channel)
                        if is_watched
                        else self._drain(channel, channel.socket.recv, DRAIN) == DRAIN
                    )
        finally:
            self._stopping = False
            self._owner = 0
            self._owned.release()
            self._run_errands_if_unserved()

    def _wait(self, timeout: int | None) -> None:
        """Wait for a message or an errand.

        On descriptors, which costs a quarter of zmq's own poll: they signal what arrives after a socket was
        found empty, and none of ours is left before it was.
        """
        channels = self._listening.channels
        if len(channels) != self._watched:
            self._watched = len(channels)
            self._poll = select.poll()
            self._poll.register(self._wake, select.POLLIN)
            for channel in channels:
                self._poll.register(sockets.descriptor(channel.socket), select.POLLIN)
        if timeout is None and (quiet := self._news.watch(self._poll, time.monotonic())) < math.inf:
            timeout = math.ceil(quiet * 1000)
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
                self._run_errands()
            elif descriptor == self._news.descriptor:
                self._news.read(time.monotonic())
        self._audience.refresh_after(WITHIN)

    def _drain(self, channel: Channel, receive: Callable[[int], bytes], most: int) -> int:
        """Take so many messages at most; says how many: fewer if there are no more, or ``stop`` came."""
        routes, nowait, taken = channel.routes, zmq.DONTWAIT, 0
        try:
            for taken in range(most):
                frame = receive(nowait)
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
                    return taken + 1
        except zmq.Again:
            return taken
        return most

    def _drain_sampled(self, channel: Channel) -> bool:
        """The same, and remember how long one of the messages was on its way."""
        picking = latency.Picking(channel.socket.recv)
        try:
            while picking.taken < latency.BUNCH:
                receive, most = picking.next()
                taken = self._drain(channel, receive, most)
                picking.taken += taken
                if taken < most or self._stopping:
                    return False
            return True
        finally:
            if (latencies := self._listening.latencies) and picking.taken:
                latencies.note(picking.frame, picking.at, picking.taken)

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
