"""The sending side of a node. Knows sockets and the wire message; must not know handlers.

The socket is an XPUB: it sees each subscription arrive through the forwarder, so readiness is a fact
that was read, not a time that was slept. All threads of a node share one publisher, under one lock:
their messages keep their order, and ZeroMQ permits a socket to change threads behind a full fence.
"""

from __future__ import annotations

import functools
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
import zmq
from msgspec import UNSET

from context_bus.bus import sockets
from context_bus.errors import FrameError, NobodyListens, NotConnected, SendTimeout
from context_bus.kernel.ids import new_sender
from context_bus.kernel.message import MARK, SEPARATOR, Header, Message

#: Seconds after which a send first reads what has arrived: libzmq looks at news about once in a millisecond
#: while it sends, and would send past a subscription that is already here.
NEWS_AFTER = 0.0005
#: Messages that publish_many joins in one frame; beyond it the gain is small and the frame is in the way of others.
BATCH = 100

_encode = msgspec.json.Encoder().encode
_time = time.time
T = TypeVar("T")


class _Lane:
    """What is the same in all messages of one topic and action: the frame up to the sequence number."""

    __slots__ = ("counter", "prefix")

    def __init__(self, prefix: bytes, counter: list[int]) -> None:
        self.prefix = prefix
        self.counter = counter  # one number, shared by the lanes of a topic


class Publisher:
    """Publishes to a forwarder; safe to use from any thread.

    Args:
        endpoint: Where the forwarder serves publishers (the context's ``BackendEndpoint``).
        sender: Name in each header, by which receivers count; made up if empty.
        service_id: Default for the header field of this name; so the next two.
        service_name: See above.
        transaction: See above.
        send_timeout: Seconds a send may wait while the queue to the forwarder is full.
        hwm: Messages that queue may hold.
        zmq_context: Shared with the node's other sockets; an own one if None.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        sender: str = "",
        service_id: str = "",
        service_name: str = "",
        transaction: str = "",
        send_timeout: float = 5.0,
        hwm: int = sockets.PUBLISHER_HWM,
        zmq_context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.sender = sender or new_sender(service_id)
        self.send_timeout = send_timeout
        #: Header fields this publisher fills in where the caller does not.
        self.identity = Header(
            service_id=service_id, service_name=service_name, service_transaction=transaction
        )
        self._own_context = None if zmq_context else sockets.new_context()
        context = zmq_context or self._own_context
        assert context is not None
        self._socket = sockets.publisher_socket(context, endpoint, send_timeout=send_timeout, hwm=hwm)
        self._fd = self._socket.get(zmq.FD)
        self._send = self._socket.send
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._counters: dict[str, list[int]] = {}
        self._listeners: set[bytes] = set()
        self._waiting: dict[bytes, list[Callable[[], None]]] = {}
        self._looked = 0.0
        self._unnumbered = 0
        self._closed = False

    # -- sending ---------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        content: object,
        *,
        action: str = "",
        service_id: str | None = None,
        service_name: str | None = None,
        transaction: str | None = None,
        request_id: str | None = None,
        reply_to: str | None = None,
    ) -> None:
        """Send one message; costs microseconds, waits only while the queue to the forwarder is full.

        Args:
            topic: Routing word.
            content: Anything msgspec can write as JSON.
            action: Verb of the header.
            service_id: In place of the publisher's own; so the next two.
            service_name: See above.
            transaction: See above.
            request_id: Joins a request with its reply.
            reply_to: Topic on which a reply is expected.

        Raises:
            SendTimeout: The queue stayed full for ``send_timeout`` seconds; the message was not sent.
            FrameError: The topic cannot be sent.
        """
        if not (service_id is service_name is transaction is request_id is reply_to is None):
            header = Header(
                action=action,
                service_id=self.identity.service_id if service_id is None else service_id,
                service_name=self.identity.service_name if service_name is None else service_name,
                service_transaction=self.identity.service_transaction if transaction is None else transaction,
                request_id=request_id or UNSET,
                reply_to=reply_to or UNSET,
            )
            self.send_message(topic, Message(header, content))
            return
        text = _encode(content)
        lane = self._lanes.get((topic, action)) or self._lane(topic, action)
        counter = lane.counter
        with self._lock:
            now = _time()
            if not 0.0 <= now - self._looked < NEWS_AFTER:
                self._read_news(now)
            number = counter[0] + 1
            try:
                self._send(b'%b%d,"sent_at":%b},"content":%b}' % (lane.prefix, number, _encode(now), text))
            except zmq.ZMQError as error:
                raise self._failure(error) from None
            counter[0] = number
            if self._waiting:  # sending has taken the signal of news off the descriptor
                self._read_news(now)

    def publish_many(self, topic: str, contents: Iterable[object], *, action: str = "") -> int:
        """Send many contents, joined in few frames that receivers take apart again; the fastest way.

        Args:
            topic: Routing word.
            contents: As for ``publish``.
            action: Verb of the header of each.

        Returns:
            How many were sent.

        Raises:
            SendTimeout: As ``publish``; the frames before have been sent.
        """
        lane = self._lanes.get((topic, action)) or self._lane(topic, action)
        pending = contents if isinstance(contents, Sequence) else list(contents)
        for start in range(0, len(pending), BATCH):
            part = pending[start : start + BATCH]
            text = _encode(part)
            with self._lock:
                self._read_news(now := _time())
                first = lane.counter[0] + 1
                pieces = (lane.prefix, first, len(part), _encode(now), text)
                try:
                    self._send(b'%b%d,"batch":%d,"sent_at":%b},"content":%b}' % pieces)
                except zmq.ZMQError as error:
                    raise self._failure(error) from None
                lane.counter[0] += len(part)
                if self._waiting:
                    self._read_news(now)
        return len(pending)

    def send(self, topic: str, body: bytes) -> None:
        """Send JSON text that is ready, as it is: nothing is added to its header."""
        frame = check_topic(topic) + SEPARATOR + body
        with self._lock:
            self._send_frame(frame)
            self._unnumbered += 1

    def send_message(self, topic: str, message: Message[T], *, numbered: bool = True) -> None:
        """Send a message whose header is taken as given, but for sequence, time and sender.

        Args:
            topic: Routing word.
            message: Header and content; the header is written to.
            numbered: Whether receivers count; off for topics that live for one reply.
        """
        start = check_topic(topic) + SEPARATOR
        header = message.header
        header.sender = self.sender
        with self._lock:
            counter = self._counters.setdefault(topic, [0]) if numbered else None
            header.sequence = counter[0] + 1 if counter else UNSET
            header.sent_at = _time()
            self._send_frame(start + _encode(message))
            if counter:
                counter[0] += 1
            else:
                self._unnumbered += 1

    def _send_frame(self, frame: bytes) -> None:
        self._read_news(_time())
        try:
            self._send(frame)
        except zmq.ZMQError as error:
            raise self._failure(error) from None
        if self._waiting:  # sending has taken the signal of news off the descriptor
            self._read_news(_time())

    def _lane(self, topic: str, action: str) -> _Lane:
        identity = self.identity
        fields = {
            "action": action,
            "service_id": identity.service_id,
            "service_name": identity.service_name,
            "service_transaction": identity.service_transaction,
            "sender": self.sender,
        }
        prefix = b'%b%b{"header":%b,"sequence":' % (check_topic(topic), SEPARATOR, _encode(fields)[:-1])
        with self._lock:
            lane = _Lane(prefix, self._counters.setdefault(topic, [0]))
            self._lanes[topic, action] = lane
        return lane

    def _failure(self, error: zmq.ZMQError) -> Exception:
        if error.errno == zmq.EAGAIN:
            return SendTimeout(
                f"the forwarder at {self.endpoint} took no message for {self.send_timeout} s; it was not sent: "
                "a listener that is slower than this publisher holds it up, or the forwarder hangs"
            )
        return NotConnected(f"the publisher to {self.endpoint} is closed") if self._closed else error

    # -- who listens -----------------------------------------------------------------------------

    def has_subscriber(self, topic: str) -> bool:
        """Whether somebody, anywhere on this bus, is known to listen to exactly this topic."""
        with self._lock:
            self._read_news(_time())
            return topic.encode() + SEPARATOR in self._listeners

    def wait_for_subscriber(self, topic: str, timeout: float) -> None:
        """Wait until somebody listens to the topic, and that has come through the forwarder to here.

        Args:
            topic: Routing word.
            timeout: Seconds to wait at most.

        Raises:
            NobodyListens: Nobody listened in time.
        """
        if not self.wait_for_filter(topic.encode() + SEPARATOR, timeout):
            raise NobodyListens(f"nobody listens to topic {topic!r} on the bus at {self.endpoint}")

    def wait_for_filter(self, prefix: bytes, timeout: float) -> bool:
        """As ``wait_for_subscriber``, for a filter as ZeroMQ has it; says whether it was seen."""
        wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        signal = functools.partial(os.eventfd_write, wake, 1)
        try:
            return self.call_when_heard(prefix, signal) or self._wait(
                prefix, wake, time.monotonic() + timeout
            )
        finally:
            self.forget_call(prefix, signal)
            os.close(wake)

    def call_when_heard(self, prefix: bytes, call: Callable[[], None]) -> bool:
        """Call back, from any thread, when a filter is known; True, and no call, if it is already."""
        with self._lock:
            self._read_news(_time())
            if prefix in self._listeners:
                return True
            self._waiting.setdefault(prefix, []).append(call)
            return False

    def forget_call(self, prefix: bytes, call: Callable[[], None]) -> None:
        """Take a callback back; safe to repeat."""
        with self._lock:
            calls = self._waiting.get(prefix, [])
            if call in calls:
                calls.remove(call)
            if not calls:
                self._waiting.pop(prefix, None)

    def _wait(self, prefix: bytes, wake: int, deadline: float) -> bool:
        # Two ways to hear of it: the socket has news, or another thread that sends has read them already.
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while True:
            with self._lock:
                self._read_news(_time())
                if prefix in self._listeners:
                    return True
            left = deadline - time.monotonic()
            if left <= 0 or self._closed:
                return False
            poll.poll(left * 1000)

    def read_news(self) -> None:
        """Take in subscriptions that have arrived; for loops that wait on ``fileno``."""
        with self._lock:
            if not self._closed:
                self._read_news(_time())

    def fileno(self) -> int:
        """A descriptor that turns readable when ``read_news`` has something to do."""
        return self._fd

    def _read_news(self, now: float) -> None:
        """Take in subscriptions, with the lock held; asking for events is what makes libzmq look."""
        self._looked = now
        if self._closed:
            return
        sock, listeners = self._socket, self._listeners
        while sock.get(zmq.EVENTS) & zmq.POLLIN:
            try:
                while True:
                    frame = sock.recv(zmq.DONTWAIT)
                    if frame[:1] == b"\x01":
                        listeners.add(frame[1:])
                        for wake in self._waiting.get(frame[1:], ()):
                            wake()
                    elif frame[:1] == b"\x00":
                        listeners.discard(frame[1:])
            except zmq.Again:
                continue

    # -- the rest --------------------------------------------------------------------------------

    @property
    def sent(self) -> int:
        """Messages sent so far."""
        return sum(counter[0] for counter in self._counters.values()) + self._unnumbered

    def close(self, linger: float = sockets.LINGER) -> None:
        """Close; with a context of its own, return when what was queued has left, or ``linger`` seconds later."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._socket.close(round(linger * 1000))
        if self._own_context is not None:
            self._own_context.term()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_topic(topic: str) -> bytes:
    """The topic as it stands in a frame.

    Raises:
        FrameError: It is empty, holds the separator, or has blanks around it, which receivers strip.
    """
    text = topic.encode()
    if not text or MARK in text or text != text.strip():
        raise FrameError(
            f"topic {topic!r} cannot be sent; expected a word without '@@@' and without blanks around it"
        )
    return text


__all__ = ["BATCH", "Publisher", "check_topic"]
