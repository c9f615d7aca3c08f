"""A node on the bus in asyncio code: the same as ``Bus``, with ``await``. Knows all of this room but node.

It waits for sockets by their descriptor and then takes all that is there: awaiting each message, as
zmq.asyncio does, costs ten microseconds for every one. Handlers are awaited in the order of messages, no
task each. Everything belongs to the event loop's thread, but ``stop``, which any may call.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar, overload

import msgspec
import zmq

from context_bus.bus import requests, sockets
from context_bus.bus.dispatch import Handler, inspect_handler
from context_bus.bus.listening import BusStats, Channel, Listening, barrier_filters
from context_bus.bus.publisher import BATCH, Publisher
from context_bus.errors import BusError, NotConnected, SendTimeout
from context_bus.kernel.message import SEPARATOR

#: How a slow handler's messages wait: all of them in order, or the newest alone.
Delivery = Literal["queue", "conflate"]
#: Messages taken from one socket before the rest of the event loop has its turn.
DRAIN = 256

_log = logging.getLogger(__name__)
T = TypeVar("T")


class AsyncBus:
    """Connects to a forwarder; the arguments are those of ``Bus``."""

    def __init__(
        self,
        listen_on: str,
        publish_to: str,
        *,
        service_name: str = "",
        service_id: str = "",
        transaction: str = "",
        send_timeout: float = 5.0,
        hwm: int = sockets.SUBSCRIBER_HWM,
    ) -> None:
        self.listen_on = listen_on
        self.publish_to = publish_to
        self.send_timeout = send_timeout
        self._context = sockets.new_context()
        #: Never waits: this node does, in the event loop.
        self.publisher = Publisher(
            publish_to,
            service_id=service_id,
            service_name=service_name,
            transaction=transaction,
            send_timeout=0.0,
            zmq_context=self._context,
        )
        self._listening = Listening(self._context, listen_on, self._answer, hwm)
        self._requester: _AsyncRequester | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: set[int] = set()
        self._senders: set[asyncio.Future[None]] = set()
        self._arrival: asyncio.Future[None] | None = None
        self._serving = False
        self._stopping = False
        self._closed = False

    # -- joining ---------------------------------------------------------------------------------

    async def connect(self, timeout: float = 5.0) -> None:
        """Join: returns when what is published arrives, here and elsewhere. Raises NotConnected."""
        self._loop = asyncio.get_running_loop()
        self._watch(self.publisher.fileno(), self._read_news)
        await self.barrier(timeout)

    async def barrier(self, timeout: float = 5.0) -> None:
        """Wait until all subscriptions made so far are known at the forwarder. Raises NotConnected."""
        deadline = time.monotonic() + timeout
        sock = self._listening.main.socket
        for prefix in barrier_filters(f"barrier.{secrets.token_hex(6)}"):
            sock.subscribe(prefix)
            seen = await self._heard(prefix, deadline - time.monotonic())
            sock.unsubscribe(prefix)
            if not seen:
                raise NotConnected(
                    f"no forwarder joins {self.publish_to} with {self.listen_on} within {timeout} s: is the context "
                    "provider running, and are the two ports not exchanged?"
                )

    def _watch(self, fd: int, call: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.add_reader(fd, call)
        self._readers.add(fd)

    def _read_news(self) -> None:
        self.publisher.read_news()
        for sender in self._senders:
            if not sender.done():
                sender.set_result(None)

    async def _heard(self, prefix: bytes, timeout: float) -> bool:
        """Wait until a filter is known to the publisher; says whether it is."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()

        def call() -> None:
            loop.call_soon_threadsafe(_resolve, heard)

        if self.publisher.call_when_heard(prefix, call):
            return True
        try:
            async with asyncio.timeout(timeout):
                await heard
        except TimeoutError:
            return False
        finally:
            self.publisher.forget_call(prefix, call)
        return True

    async def wait_for_subscriber(self, topic: str, timeout: float) -> None:
        """Wait until somebody listens to the topic. Raises NobodyListens."""
        if not await self._heard(topic.encode() + SEPARATOR, timeout):
            self.publisher.wait_for_subscriber(topic, 0)

    def subscribe(self, topic: str, handler: Handler, type: Any = None, policy: Delivery = "queue") -> None:
        """Call or await a handler for each message of a topic; see ``Bus.subscribe``.

        After ``connect``, ``await barrier()`` says when the bus knows of it.
        """
        self._listening.add(topic, inspect_handler(handler, type), conflate=policy == "conflate")
        if self._serving:
            self._watch_listeners()

    # -- sending ---------------------------------------------------------------------------------

    async def publish(self, topic: str, content: object, action: str = "") -> None:
        """Publish to everybody who listens. Raises SendTimeout."""
        try:
            self.publisher.publish(topic, content, action=action)
        except SendTimeout:
            await self._retry(lambda: self.publisher.publish(topic, content, action=action))

    async def publish_many(self, topic: str, contents: Iterable[object], action: str = "") -> int:
        """Publish many contents in few frames; receivers get them one by one. Raises SendTimeout."""
        pending = list(contents)
        for start in range(0, len(pending), BATCH):
            part = pending[start : start + BATCH]
            try:
                self.publisher.publish_many(topic, part, action=action)
            except SendTimeout:
                await self._retry(lambda part=part: self.publisher.publish_many(topic, part, action=action))  # type: ignore[misc]
        return len(pending)

    async def _retry(self, send: Callable[[], object]) -> None:
        """Send again whenever the socket has moved, until it is taken or ``send_timeout`` is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.send_timeout
        while True:
            moved: asyncio.Future[None] = loop.create_future()
            self._senders.add(moved)
            try:
                async with asyncio.timeout_at(deadline):
                    await moved
            except TimeoutError:
                raise SendTimeout(
                    f"the forwarder at {self.publish_to} took no message for {self.send_timeout} s; it was not sent"
                ) from None
            finally:
                self._senders.discard(moved)
            try:
                send()
            except SendTimeout:
                continue
            return

    @overload
    async def request(
        self, topic: str, content: object, timeout: float = 5.0, type: None = None, *, action: str = "request"
    ) -> Any: ...
    @overload
    async def request(
        self,
        topic: str,
        content: object,
        timeout: float = 5.0,
        type: type[T] = ...,
        *,
        action: str = "request",
    ) -> T: ...
    async def request(
        self, topic: str, content: object, timeout: float = 5.0, type: Any = None, *, action: str = "request"
    ) -> Any:
        """Ask, and wait for the first answer; see ``Bus.request``."""
        requester = self._requester
        if requester is None:
            requester = self._requester = _AsyncRequester(self.publisher, self.listen_on, self._context)
            self._watch(requester.fileno(), requester.pump)
        if not requester.ready:
            requester.ready = await self._heard(requester.inbox.encode() + SEPARATOR, timeout)
            if not requester.ready:
                raise NotConnected(f"no forwarder answers at {self.publish_to} within {timeout} s")
        number, reply = requester.new()
        try:
            try:
                requester.send(topic, content, action, number)
            except SendTimeout:
                await self._retry(lambda: requester.send(topic, content, action, number))
            return requests.content_of(await requester.wait(topic, reply, timeout), topic, type)
        finally:
            requester.forget(number)

    async def _answer(
        self, reply_to: str, request_id: str, outcome: object, error: BaseException | None
    ) -> None:
        prefix = reply_to.encode() + SEPARATOR
        if not await self._heard(prefix, requests.INBOX_TIMEOUT):
            _log.info("requester gone: reply_to=%s request_id=%s", reply_to, request_id)
            return
        try:
            try:
                requests.send_reply(self.publisher, reply_to, request_id, outcome, error)
            except SendTimeout:
                await self._retry(
                    lambda: requests.send_reply(self.publisher, reply_to, request_id, outcome, error)
                )
        except SendTimeout as failure:
            _log.warning("reply not sent: reply_to=%s reason=%s", reply_to, failure)

    # -- receiving -------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Run handlers until ``stop``, or until one raises: that is raised here. See ``Bus.serve``."""
        if self._serving:
            raise BusError("this node is served by another task already")
        self._loop = asyncio.get_running_loop()
        self._serving = True
        try:
            self._watch_listeners()
            while not self._stopping:
                # Made before the sockets are looked at: what arrives after that look resolves it.
                self._arrival = self._loop.create_future()
                full = [await self._drain(channel) for channel in self._listening.channels]
                if any(full):
                    await asyncio.sleep(0)
                elif not self._stopping:
                    await self._arrival
        finally:
            self._serving = self._stopping = False
            self._arrival = None
            for channel in self._listening.channels:
                self._unwatch(channel.socket.get(zmq.FD))

    def _watch_listeners(self) -> None:
        for channel in self._listening.channels:
            self._watch(channel.socket.get(zmq.FD), self._arrived)
        self._arrived()

    def _unwatch(self, fd: int) -> None:
        if fd in self._readers and self._loop is not None:
            self._loop.remove_reader(fd)
            self._readers.discard(fd)

    def _arrived(self) -> None:
        if self._arrival is not None:
            _resolve(self._arrival)

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

    def stop(self) -> None:
        """End ``serve`` after the message in hand; from any thread, also before it began."""
        self._stopping = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived)

    def stats(self) -> BusStats:
        """What was sent, received, lost and rejected so far."""
        return self._listening.stats(self.publisher.sent)

    # -- leaving ---------------------------------------------------------------------------------

    async def close(self, linger: float = sockets.LINGER) -> None:
        """Leave; returns when what was published has left, or ``linger`` seconds later. Safe to repeat."""
        if self._closed:
            return
        self._closed = True
        self.stop()
        for fd in list(self._readers):
            self._unwatch(fd)
        if self._requester is not None:
            self._requester.close()
        self._listening.close()
        self.publisher.close(linger)
        await asyncio.to_thread(self._context.term)

    async def __aenter__(self) -> AsyncBus:
        """Connect."""
        try:
            await self.connect()
        except BusError:
            await self.close(0)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _AsyncRequester:
    """Requests of one event loop, and the inbox of their answers."""

    def __init__(
        self, publisher: Publisher, listen_on: str, zmq_context: zmq.Context[zmq.Socket[bytes]]
    ) -> None:
        self.inbox = requests.new_inbox()
        self.ready = False
        #: Frames in the inbox that were no answers, or answers that came too late.
        self.rejected = 0
        self._publisher = publisher
        self._socket = sockets.subscriber_socket(zmq_context, listen_on, hwm=sockets.UNBOUNDED)
        self._socket.subscribe(self.inbox.encode() + SEPARATOR)
        self._waiting: dict[str, asyncio.Future[requests.Reply]] = {}
        self._numbers = itertools.count(1)

    def fileno(self) -> int:
        return self._socket.get(zmq.FD)

    def new(self) -> tuple[str, asyncio.Future[requests.Reply]]:
        number = str(next(self._numbers))
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        return number, reply

    def forget(self, number: str) -> None:
        self._waiting.pop(number, None)

    def send(self, topic: str, content: object, action: str, number: str) -> None:
        self._publisher.publish(topic, content, action=action, request_id=number, reply_to=self.inbox)

    async def wait(self, topic: str, reply: asyncio.Future[requests.Reply], timeout: float) -> requests.Reply:
        try:
            async with asyncio.timeout(timeout):
                return await reply
        except TimeoutError:
            raise requests.nobody_answers(self._publisher, topic, timeout) from None

    def pump(self) -> None:
        """Hand each answer to the one who waits for it."""
        recv, waiting, read = self._socket.recv, self._waiting, requests.read_reply
        try:
            while True:
                frame = recv(zmq.DONTWAIT)
                try:
                    reply = read(frame.partition(SEPARATOR)[2])
                except msgspec.DecodeError:
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
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(
                    NotConnected("the node was closed while a request waited for its answer")
                )
        self._socket.close(0)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
