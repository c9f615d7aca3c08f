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
                is_watched = self._listening.latencies is not None
                full = [
                    await self._drain_sampled(channel)
                    if is_watched
                    else await self._drain(channel, channel.socket.recv, DRAIN) == DRAIN
                    for channel in self._listening.channels
                ]
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

    async def _drain(self, channel: Channel, receive: Callable[[int], bytes], most: int) -> int:
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
                rest = deliver(body)
                if rest is not None:
                    await rest
                if self._stopping:
                    return taken + 1
        except zmq.Again:
            return taken
        return most

    async def _drain_sampled(self, channel: Channel) -> bool:
        """The same, and remember how long one of the messages was on its way."""
        picking = latency.Picking(channel.socket.recv)
        try:
            while picking.taken < latency.BUNCH:
                receive, most = picking.next()
                taken = await self._drain(channel, receive, most)
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
        self._readers.call_soon(self._arrived)
