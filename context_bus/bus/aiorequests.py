"""Requests of one event loop, and the inbox of their answers. Knows requests; must not know handlers."""

from __future__ import annotations

import asyncio
import itertools

import zmq

from context_bus.bus import sockets
from context_bus.bus.publisher import Publisher
from context_bus.bus.requests import Reply, new_inbox, nobody_answers, read_reply
from context_bus.errors import NotConnected
from context_bus.kernel.message import SEPARATOR, UNREADABLE


class AsyncRequester:
    """Sends requests and hands out their answers.

    Args:
        publisher: What sends the requests.
        listen_on: Where the forwarder serves listeners.
        zmq_context: The node's.
    """

    def __init__(
        self, publisher: Publisher, listen_on: str, zmq_context: zmq.Context[zmq.Socket[bytes]]
    ) -> None:
        self.inbox = new_inbox()
        self.ready = False
        #: Frames in the inbox that were no answers, or answers that came too late.
        self.rejected = 0
        self._publisher = publisher
        self._socket = sockets.subscriber_socket(zmq_context, listen_on, hwm=sockets.UNBOUNDED)
        self._socket.subscribe(self.inbox.encode() + SEPARATOR)
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count(1)

    def fileno(self) -> int:
        """A descriptor that turns readable when ``pump`` has something to do."""
        return sockets.descriptor(self._socket)

    def new(self) -> tuple[str, asyncio.Future[Reply]]:
        """Number a request; gives the number and what its answer resolves."""
        number = str(next(self._numbers))
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        return number, reply

    def forget(self, number: str) -> None:
        """Wait no longer for an answer."""
        self._waiting.pop(number, None)

    def send(self, topic: str, content: object, action: str, number: str) -> None:
        """Send a request; raises SendTimeout."""
        self._publisher.ask(topic, content, action, number, self.inbox)

    async def wait(self, topic: str, reply: asyncio.Future[Reply], timeout: float) -> Reply:
        """Wait for an answer; raises RequestTimeout or NobodyListens."""
        # A timer by hand: asyncio.timeout costs three times as much, on each of many requests under way.
        timer = asyncio.get_running_loop().call_later(timeout, _expire, reply)
        try:
            return await reply
        except TimeoutError:
            raise nobody_answers(self._publisher, topic, timeout) from None
        finally:
            timer.cancel()

    def pump(self) -> None:
        """Hand each answer to the one who waits for it."""
        recv, waiting, read = self._socket.recv, self._waiting, read_reply
        try:
            while True:
                frame = recv(zmq.DONTWAIT)
                try:
                    reply = read(frame.partition(SEPARATOR)[2])
                except UNREADABLE:
                    self.rejected += 1
                    continue
                future = waiting.get(reply.header.request_id)
                if future is None or future.done():
                    self.rejected += 1
                else:
                    future.set_result(reply)
        except zmq.Again:
            pass

    def close(self) -> None:
        """Close; waiting requests raise NotConnected."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(
                    NotConnected("the node was closed while a request waited for its answer")
                )
        self._socket.close(0)


def _expire(reply: asyncio.Future[Reply]) -> None:
    if not reply.done():
        reply.set_exception(TimeoutError())
