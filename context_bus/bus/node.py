"""A node on the bus: publish, handle, request, in blocking code. Knows all of this room but aio.

Publishing and requesting work from any thread. Handlers run one at a time in the thread that calls
``serve``, which alone touches the listening sockets; what others want of them is queued for it.
"""

from __future__ import annotations

import functools
import logging
import secrets
import threading
import time
from collections.abc import Iterable
from typing import Any, TypeVar, overload

from context_bus.bus import requests, sockets
from context_bus.bus.dispatch import Handler, inspect_handler
from context_bus.bus.listening import BusStats, Delivery, Listening, barrier_filters, not_joined
from context_bus.bus.publisher import Publisher
from context_bus.bus.serving import Server
from context_bus.errors import BusError, SendTimeout
from context_bus.kernel.message import SEPARATOR

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Bus:
    """Connects to a forwarder.

    Args:
        listen_on: Where the forwarder serves listeners (the context's ``FrontEndEndpoint``).
        publish_to: Where it serves publishers (``BackendEndpoint``).
        service_name: Header field of what is published; so the next two.
        service_id: See above.
        transaction: See above.
        send_timeout: Seconds a send may wait while the queue to the forwarder is full.
        hwm: Messages to queue here for the handlers before the forwarder has to.
        send_hwm: Messages to queue here for the forwarder before a send waits.
        publisher: What sends, if somebody else has one already on the same forwarder: the node uses it and
            its zmq context and leaves both open. Every publisher is told of all subscriptions there are.
    """

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
        publisher: Publisher | None = None,
    ) -> None:
        self.listen_on = listen_on
        self.publish_to = publish_to
        self._shares_publisher = publisher is not None
        self._context = publisher.zmq_context if publisher is not None else sockets.new_context()
        with sockets.released_on_failure(None if self._shares_publisher else self._context):
            #: Sends for every thread of the node.
            self.publisher = publisher or Publisher(
                publish_to,
                service_id=service_id,
                service_name=service_name,
                transaction=transaction,
                send_timeout=send_timeout,
                hwm=send_hwm,
                zmq_context=self._context,
            )
            self._listening = Listening(self._context, listen_on, self._answer, hwm)
        self.publisher.tally.add(self._listening)
        self._requester: requests.Requester | None = None
        self._lock = threading.RLock()
        self._server = Server(self._listening, self.publisher.audience)
        self._connected = False
        self._closed = False

    # -- joining ---------------------------------------------------------------------------------

    def connect(self, timeout: float = 5.0) -> None:
        """Join: returns when what is published arrives, here and elsewhere. Proven, never slept.

        Raises:
            NotConnected: No forwarder answered in time.
        """
        self._barrier(timeout)
        self._connected = True

    def _barrier(self, timeout: float) -> None:
        # A filter that only we know travels listener -> forwarder -> publisher. The first proves the way; of
        # older listeners the forwarder tells a new publisher in any order, but of our second after them all.
        deadline = time.monotonic() + timeout
        for prefix in barrier_filters(f"barrier.{secrets.token_hex(6)}"):
            self._server.run(functools.partial(self._listening.main.socket.subscribe, prefix))
            seen = self.publisher.audience.wait(prefix, deadline - time.monotonic())
            self._server.run(functools.partial(self._listening.main.socket.unsubscribe, prefix))
            if not seen:
                raise not_joined(self.listen_on, self.publish_to, timeout)

    def subscribe(
        self,
        topic: str,
        handler: Handler,
        type: Any = None,
        policy: Delivery = "queue",
        *,
        last: bool = False,
        timeout: float = 5.0,
    ) -> None:
        """Call a handler for each message of a topic, once ``serve`` runs.

        Several handlers may share a topic; each gets every message.

        Args:
            topic: Exactly this topic; the empty one is every topic.
            handler: Takes one argument. Its annotation says what: a type msgspec knows is the content
                decoded, ``Message[T]`` the whole message, ``Frame`` topic and undecoded body. What it
                returns, if not None, answers a request.
            type: In place of the annotation.
            policy: ``queue`` every message, or ``conflate`` to the newest.
            last: Begin with the last message that each sender keeps, see ``keep``.
            timeout: Seconds the bus may take to know of it, if connected already.

        Raises:
            TypeError: The handler cannot be called so, or is ``async``: that is for ``AsyncBus``.
            NotConnected: The forwarder did not answer in time.
        """
        spec = inspect_handler(handler, type)
        if spec.is_async:
            raise TypeError(f"handler {handler!r} is async; use AsyncBus")
        self._server.run(lambda: self._listening.add(topic, spec, conflate=policy == "conflate", last=last))
        if self._connected:
            self._barrier(timeout)

    # -- sending ---------------------------------------------------------------------------------

    def publish(self, topic: str, content: object, action: str = "") -> None:
        """Publish to everybody who listens; from any thread. Raises SendTimeout."""
        self.publisher.publish(topic, content, action=action)

    def publish_many(self, topic: str, contents: Iterable[object], action: str = "") -> int:
        """Publish many contents in few frames; receivers get them one by one. Raises SendTimeout."""
        return self.publisher.publish_many(topic, contents, action=action)

    def keep(self, *topics: str) -> None:
        """Keep the last message of these topics for those who subscribe later, with ``last=True``."""
        self.publisher.keep(*topics)

    @overload
    def request(
        self, topic: str, content: object, timeout: float = 5.0, type: None = None, *, action: str = "request"
    ) -> Any: ...
    @overload
    def request(
        self,
        topic: str,
        content: object,
        timeout: float = 5.0,
        type: type[T] = ...,
        *,
        action: str = "request",
    ) -> T: ...
    def request(
        self,
        topic: str,
        content: object,
        timeout: float = 5.0,
        type: Any = None,
        *,
        action: str = "request",
    ) -> Any:
        """Ask, and wait for the first answer; from any thread, also from inside a handler.

        Args:
            topic: Where a handler answers.
            content: What it gets.
            timeout: Seconds to wait at most.
            type: What to decode the answer as; anything JSON can say if None.
            action: Verb of the header.

        Raises:
            NobodyListens: No answer, and nobody is there who could.
            RequestTimeout: No answer in time.
            RequestFailed: The handler raised; with its words.
            FrameError: The answer is not of the type asked for.
        """
        return self._get_requester(timeout).request(
            topic, content, action=action, timeout=timeout, type_=type
        )

    def _get_requester(self, timeout: float) -> requests.Requester:
        with self._lock:
            if self._requester is None:
                requester = requests.Requester(self.publisher, self.listen_on, self._context)
                try:
                    requester.connect(timeout)
                except BusError:
                    requester.close()
                    raise
                self._requester = requester
            return self._requester

    def _answer(self, reply_to: str, request_id: str, outcome: object, error: BaseException | None) -> None:
        if not self.publisher.audience.wait(reply_to.encode() + SEPARATOR, requests.INBOX_TIMEOUT):
            _log.info("requester gone: reply_to=%s request_id=%s", reply_to, request_id)
            return
        try:
            requests.send_reply(self.publisher, reply_to, request_id, outcome, error)
        except SendTimeout as failure:
            _log.warning("reply not sent: reply_to=%s reason=%s", reply_to, failure)

    # -- receiving -------------------------------------------------------------------------------

    def serve(self) -> None:
        """Run handlers until ``stop``, or until one raises: that is raised here.

        Frames that are no messages are counted, never raised. A handler that raises while it
        answers a request fails that request alone.
        """
        self._server.serve()

    def stop(self) -> None:
        """End ``serve`` after the message in hand; from any thread, also before it began."""
        self._server.stop()

    def stats(self) -> BusStats:
        """What was sent, received, lost and rejected so far."""
        return self._listening.stats(self.publisher.sent)

    # -- leaving ---------------------------------------------------------------------------------

    def close(self, linger: float = sockets.LINGER) -> None:
        """Leave; returns when what was published has left, or ``linger`` seconds later. Safe to repeat."""
        with self._lock:
            if self._closed:
                return
            self._server.close()
            self._closed = True
            if self._requester is not None:
                self._requester.close()
            if (
                self._shares_publisher
            ):  # that goes on; what this node has received is told with its own last words
                self.publisher.tally.remove(self._listening)
            self._listening.close()
            if not self._shares_publisher:
                self.publisher.close(linger)
                self._context.term()

    def __enter__(self) -> Bus:
        """Connect."""
        try:
            self.connect()
        except BusError:
            self.close(0)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
