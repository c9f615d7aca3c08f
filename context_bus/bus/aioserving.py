"""The loop that runs handlers in asyncio. Knows listening; must not send.

It waits for sockets by their descriptor and then takes all that is there: awaiting each message, as
zmq.asyncio does, costs ten microseconds for every one. Handlers are awaited in the order of messages,
no task each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import zmq

from context_bus.bus import latency, sockets
from context_bus.bus.listening import Channel, Listening
from context_bus.errors import BusError
from context_bus.kernel.message import SEPARATOR

#: Messages taken from one socket before the rest of the event loop has its turn.
DRAIN = 256


class Readers:
    """The descriptors that the event loop watches for one node."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched: set[int] = set()

    def watch(self, fd: int, call: Callable[[], object]) -> None:
        """Call back whenever the descriptor is readable."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, call)
        self._watched.add(fd)

    def unwatch(self, fd: int) -> None:
        """Call no more; safe to repeat."""
        if fd in self._watched and self._loop is not None:
            self._loop.remove_reader(fd)
            self._watched.discard(fd)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Run something in the event loop, from any thread; nothing once it is closed."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def close(self) -> None:
        """Call no more for any of them."""
        for fd in list(self._watched):
            self.unwatch(fd)


class AsyncServer:
    """Serves the listening sockets of one node, in one task.

    Args:
        listening: The sockets and their routes.
        readers: Where their descriptors are watched.
    """

    def __init__(self, listening: Listening, readers: Readers) -> None:
        self._listening = listening
        self._readers = readers
        self._arrival: asyncio.Future[None] | None = None
        self._serving = False
        self._stopping = False

    async def serve(self) -> None:
        """Run handlers until ``stop``, or until one raises: that is raised here."""
        if self._serving:
            raise BusError("this node is served by another task already")
        loop = asyncio.get_running_loop()
        self._serving = True
        try:
            self.watch()
            while not self._stopping:
                # Made before the sockets are looked at: what arrives after that look resolves it.
                self._arrival = loop.create_future()
                drain = self._drain if self._listening.latencies is None else self._drain_sampled
                full = [await drain(channel) for channel in self._listening.channels]
                if any(full):
                    await asyncio.sleep(0)
                elif not self._stopping:
                    await self._arrival
        finally:
            self._serving = self._stopping = False
            self._arrival = None
            for channel in self._listening.channels:
                if not channel.socket.closed:
                    self._readers.unwatch(sockets.descriptor(channel.socket))

    def watch(self) -> None:
        """Watch all sockets; while serving, after one was added."""
        if self._serving:
            for channel in self._listening.channels:
                self._readers.watch(sockets.descriptor(channel.socket), self._arrived)
            self._arrived()

    def _arrived(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def _drain(self, channel: Channel) -> bool:
        """Take what is there; says whether there may be more."""
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
                rest = deliver(body)
                if rest is not None:
                    await rest
                if self._stopping:
                    return False
        except zmq.Again:
            return False
        return True

    async def _drain_sampled(self, channel: Channel) -> bool:
        """The same, and remember how long one of the messages was on its way."""
        recv, routes, nowait = channel.socket.recv, channel.routes, zmq.DONTWAIT
        taken, pick, chosen, at = 0, 1, b"", 0.0
        try:
            while taken < latency.BUNCH:
                frame = recv(nowait)
                taken += 1
                if taken == pick:
                    chosen, at, pick = frame, latency.now(), latency.next_pick(taken)
                topic, _, body = frame.partition(SEPARATOR)
                try:
                    deliver = routes[topic]
                except KeyError:
                    found = channel.resolve(frame)
                    if found is None:
                        continue
                    deliver, body = found
                rest = deliver(body)
                if rest is not None:
                    await rest
                if self._stopping:
                    return False
        except zmq.Again:
            return False
        finally:
            if (latencies := self._listening.latencies) and taken:
                latencies.note(chosen, at, taken)
        return True

    def stop(self) -> None:
        """End ``serve`` after the message in hand; from any thread, also before it began."""
        self._stopping = True
        self._readers.call_soon(self._arrived)
