"""A node on the bus in asyncio code: the same as ``Bus``, with ``await``. Knows all of this room but node.

Everything belongs to the event loop's thread, but ``stop``, which any may call.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import time
from collections.abc import Iterable
from typing import Any, TypeVar, overload

from context_bus.bus import requests, sockets
from context_bus.bus.aiorequests import AsyncRequester
from context_bus.bus.aiosending import Retries
from context_bus.bus.aioserving import AsyncServer, Readers
from context_bus.bus.dispatch import Handler, inspect_handler
from context_bus.bus.listening import BusStats, Delivery, Listening, barrier_filters, not_joined
from context_bus.bus.publisher import BATCH, Publisher
from context_bus.errors import BusError, NotConnected, SendTimeout
from context_bus.kernel.message import SEPARATOR

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
        send_hwm: int = sockets.PUBLISHER_HWM,
    ) -> None:
        self.listen_on = listen_on
        self.publish_to = publish_to
        self.send_timeout = send_timeout
        self._context = sockets.new_context()
        with sockets.released_on_failure(self._context):
            #: Never waits: this node does, in the event loop.
            self.publisher = Publisher(
                publish_to,
                service_id=service_id,
                service_name=service_name,
                transaction=transaction,
                send_timeout=0.0,
                hwm=send_hwm,
                zmq_context=self._context,
            )
            self._listening = Listening(self._context, listen_on, self._answer, hwm)
        self.publisher.tally.add(self._listening)
        self.publisher.audience.is_attended = True
        self._requester: AsyncRequester | None = None
        self._readers = Readers()
        self._server = AsyncServer(self._listening, self._readers)
        self._retries = Retries(publish_to, send_timeout)
        self._closed = False

    # -- joining ---------------------------------------------------------------------------------

    async def connect(self, timeout: float = 5.0) -> None:
        """Join: returns when what is published arrives, here and elsewhere. Raises NotConnected."""
        self._readers.watch(self.publisher.audience.descriptor, self._read_news)
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
                raise not_joined(self.listen_on, self.publish_to, timeout)

    def _read_news(self) -> None:
        self.publisher.audience.refresh()
        self._retries.moved()

    async def _heard(self, prefix: bytes, timeout: float) -> bool:
        """Wait until a filter is known to the publisher; says whether it is."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()

        def resolve() -> None:
            if not heard.done():
                heard.set_result(None)

        def call() -> None:
            loop.call_soon_threadsafe(resolve)

        if self.publisher.audience.call_when_heard(prefix, call):
            return True
        try:
            async with asyncio.timeout(timeout):
                await heard
        except TimeoutError:
            return False
        finally:
            self.publisher.audience.forget_call(prefix, call)
        return True

    async def wait_for_subscriber(self, topic: str, timeout: float) -> None:
        """Wait until somebody listens to the topic. Raises NobodyListens."""
        if not await self._heard(topic.encode() + SEPARATOR, timeout):
            self.publisher.wait_for_subscriber(topic, 0)

    def subscribe(
        self,
        topic: str,
        handler: Handler,
        type: Any = None,
        policy: Delivery = "queue",
        *,
        last: bool = False,
    ) -> None:
        """Call or await a handler for each message of a topic; see ``Bus.subscribe``.

        After ``connect``, ``await barrier()`` says when the bus knows of it.
        """
        spec = inspect_handler(handler, type)
        self._listening.add(topic, spec, conflate=policy == "conflate", last=last)
        self._server.watch()

    # -- sending ---------------------------------------------------------------------------------

    async def publish(self, topic: str, content: object, action: str = "") -> None:
        """Publish to everybody who listens. Raises SendTimeout."""
        try:
            self.publisher.publish(topic, content, action=action)
        except SendTimeout:
            await self._retries.retry(lambda: self.publisher.publish(topic, content, action=action))

    async def publish_many(self, topic: str, contents: Iterable[object], action: str = "") -> int:
        """Publish many contents in few frames; receivers get them one by one. Raises SendTimeout."""
        pending = list(contents)
        for start in range(0, len(pending), BATCH):
            part = pending[start : start + BATCH]
            send = functools.partial(self.publisher.publish_many, topic, part, action=action)
            try:
                send()
            except SendTimeout:
                await self._retries.retry(send)
        return len(pending)

    def keep(self, *topics: str) -> None:
        """Keep the last message of these topics for those who subscribe later, with ``last=True``."""
        self.publisher.keep(*topics)

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
        self,
        topic: str,
        content: object,
        timeout: float = 5.0,
        type: Any = None,
        *,
        action: str = "request",
    ) -> Any:
        """Ask, and wait for the first answer; see ``Bus.request``."""
        requester = self._requester
        if requester is None:
            requester = self._requester = AsyncRequester(self.publisher, self.listen_on, self._context)
            self._readers.watch(requester.fileno(), requester.pump)
        if not requester.ready:
            requester.ready = await self._heard(requester.inbox.encode() + SEPARATOR, timeout)
            if not requester.ready:
                raise NotConnected(f"no forwarder answers at {self.publish_to} within {timeout} s")
        number, reply = requester.new()
        try:
            try:
                requester.send(topic, content, action, number)
            except SendTimeout:
                await self._retries.retry(lambda: requester.send(topic, content, action, number))
            return requests.content_of(await requester.wait(topic, reply, timeout), topic, type)
        finally:
            requester.forget(number)

    async def _answer(
        self, reply_to: str, request_id: str, outcome: object, error: BaseException | None
    ) -> None:
        prefix = reply_to.encode() + SEPARATOR
        if not self.publisher.audience.knows(prefix) and not await self._heard(
            prefix, requests.INBOX_TIMEOUT
        ):
            _log.info("requester gone: reply_to=%s request_id=%s", reply_to, request_id)
            return
        try:
            try:
                requests.send_reply(self.publisher, reply_to, request_id, outcome, error)
            except SendTimeout:
                await self._retries.retry(
                    lambda: requests.send_reply(self.publisher, reply_to, request_id, outcome, error)
                )
        except SendTimeout as failure:
            _log.warning("reply not sent: reply_to=%s reason=%s", reply_to, failure)

    # -- receiving -------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Run handlers until ``stop``, or until one raises: that is raised here. See ``Bus.serve``."""
        await self._server.serve()

    def stop(self) -> None:
        """End ``serve`` after the message in hand; from any thread, also before it began."""
        self._server.stop()

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
        self._readers.close()
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
