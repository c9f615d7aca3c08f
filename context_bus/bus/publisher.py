"""The sending side of a node. Knows sockets, audience and the wire message; must not know handlers.

All threads of a node share one publisher, under one lock: their messages keep their order, and ZeroMQ
permits a socket to change threads behind a full fence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar, Unpack

import msgspec
import zmq
from msgspec import UNSET

from context_bus.bus import reporting, sockets
from context_bus.bus.audience import Audience
from context_bus.bus.keeping import Keeper, last_of
from context_bus.bus.outgoing import (
    CONTENT,
    SENT_AT,
    HeaderFields,
    Outgoing,
    check_topic,
    frame_of,
    header_of,
    not_taken,
)
from context_bus.bus.tally import Tally
from context_bus.errors import NobodyListens, NotConnected
from context_bus.kernel.closing import Closing
from context_bus.kernel.ids import new_sender
from context_bus.kernel.message import MARK, SEPARATOR, Header, Message

#: Seconds after which a send first reads what has arrived: libzmq looks at news about once in a millisecond
#: while it sends, and would send past a subscription that is already here.
NEWS_AFTER = 0.0005
#: Messages that publish_many joins in one frame; with more the gain is small and the frame is in others' way.
BATCH = 100

_encode = msgspec.json.Encoder().encode
_time = time.time
_join = b"".join
T = TypeVar("T")


class Publisher(Outgoing, Closing):
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
        super().__init__(
            sender or new_sender(service_id),
            Header(service_id=service_id, service_name=service_name, service_transaction=transaction),
        )
        self.send_timeout = send_timeout
        context, self._own_context = sockets.own_or_shared(zmq_context)
        #: What its socket, and those of a node that shares it, belong to.
        self.zmq_context = context
        with sockets.released_on_failure(self._own_context):
            self._socket = sockets.publisher_socket(context, endpoint, send_timeout=send_timeout, hwm=hwm)
        # One below zmq.Socket.send, which looks for options we never give: a tenth of the cost of a message.
        self._send: Callable[..., object] = super(zmq.Socket, self._socket).send
        # Called by name where every message passes: ``with`` costs twice as much.
        self._acquire, self._release = self._lock.acquire, self._lock.release
        #: Who listens, as far as this socket was told.
        self.audience = Audience(self._socket, self._lock)
        #: What is counted here, and by a node around it, for who wants to know.
        self.tally = Tally(self.sender, self.identity, self._sent)
        self._keeper: Keeper | None = None
        self._closed = False
        reporting.enter(endpoint, self.tally, self.audience)

    # -- sending ---------------------------------------------------------------------------------

    def publish(
        self, topic: str, content: object, *, action: str = "", **fields: Unpack[HeaderFields]
    ) -> None:
        """Send one message; costs microseconds, waits only while the queue to the forwarder is full.

        Args:
            topic: Routing word.
            content: Anything msgspec can write as JSON.
            action: Verb of the header.
            fields: Header fields that differ from the publisher's own.

        Raises:
            SendTimeout: The queue stayed full for ``send_timeout`` seconds; the message was not sent.
            FrameError: The topic cannot be sent.
        """
        if fields:
            self.send_message(topic, Message(header_of(self.identity, action, **fields), content))
            return
        text = _encode(content)
        try:
            lane = self._lanes[action][topic]
        except KeyError:
            check_topic(topic)
            lane = self._new_lane(topic, action)
        self._acquire()
        try:
            audience, counter, now = self.audience, lane.counter, _time()
            if not 0.0 <= now - audience.looked < NEWS_AFTER:
                audience.read(now)
            number = counter[0] + 1
            # Joined, which costs half of formatting bytes.
            frame = _join((lane.prefix, _encode(number), SENT_AT, _encode(now), CONTENT, text, b"}"))
            self._send(frame)
            counter[0] = number
            counter[1] += len(frame)
            if lane.cell is not None:
                lane.cell.frame = frame
            if audience.waiting:  # sending has taken the signal of news off the descriptor
                audience.read(now)
        except zmq.ZMQError as error:
            raise self._failure(error) from None
        finally:
            self._release()

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
        check_topic(topic)
        lane = self._lanes.get(action, {}).get(topic) or self._new_lane(topic, action)
        counter, pending = lane.counter, list(contents)
        for start in range(0, len(pending), BATCH):
            part = pending[start : start + BATCH]
            text = _encode(part)
            with self._lock:
                self.audience.read(now := _time())
                first = counter[0] + 1
                count = b'%d,"batch":%d' % (first, len(part))
                frame = frame_of(lane.prefix + count, now, text)
                try:
                    self._send(frame)
                except zmq.ZMQError as error:
                    raise self._failure(error) from None
                counter[0] += len(part)
                counter[1] += len(frame)
                counter[2] += len(part) - 1
                if lane.cell is not None:
                    lane.cell.frame = last_of(lane.prefix, counter[0], _encode(now), _encode(part[-1]))
                if self.audience.waiting:
                    self.audience.read(now)
        return len(pending)

    def send(self, topic: str, body: bytes) -> None:
        """Send JSON text that is ready, as it is: nothing is added to its header."""
        frame = check_topic(topic) + SEPARATOR + body
        with self._lock:
            self._send_frame(frame, _time(), self._sent.of(topic), topic)

    def relay(self, frame: bytes) -> None:
        """Send a frame that came from a bus, topic and all, byte for byte."""
        topic = frame.partition(MARK)[0].strip().decode(errors="replace")
        with self._lock:
            self._send_frame(frame, _time(), self._sent.of(topic), topic)

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
            counter = self._sent.of(topic, numbered=numbered)
            header.sequence = counter[0] + 1 if numbered else UNSET
            header.sent_at = now = _time()
            self._send_frame(start + _encode(message), now, counter, topic)

    def ask(self, topic: str, content: object, action: str, request_id: str, reply_to: str) -> None:
        """Publish a request; what ``publish`` does with two fields more, at its speed."""
        check_topic(topic)
        lane = self._lanes.get(action, {}).get(topic) or self._new_lane(topic, action)
        text = _encode(content)
        fields = f',"request_id":"{request_id}","reply_to":"{reply_to}"'.encode()
        with self._lock:
            now = _time()
            number = _encode(lane.counter[0] + 1)
            self._send_frame(frame_of(lane.prefix + number + fields, now, text), now, lane.counter)

    def reply(self, reply_to: str, request_id: str, action: str, content: object) -> None:
        """Publish an answer; not numbered: an inbox lives as long as its requester, a counter as we."""
        lane = self._lanes.get(action, {}).get("") or self._new_lane("", action)
        text, fields = _encode(content), _encode(request_id)
        with self._lock:
            now = _time()
            frame = frame_of(reply_to.encode() + lane.prefix + fields, now, text)
            self._send_frame(frame, now, self._sent.inboxes)

    def _send_frame(self, frame: bytes, now: float, counter: list[int], topic: str = "") -> None:
        """Send and count, with the lock held; and keep it if it is the last of a topic that is kept."""
        if not 0.0 <= now - self.audience.looked < NEWS_AFTER:
            self.audience.read(now)
        try:
            self._send(frame)
        except zmq.ZMQError as error:
            raise self._failure(error) from None
        counter[0] += 1
        counter[1] += len(frame)
        if topic in self._cells:
            self._cells[topic].frame = frame
        if self.audience.waiting:  # sending has taken the signal of news off the descriptor
            self.audience.read(now)

    def _failure(self, error: zmq.ZMQError) -> Exception:
        if error.errno == zmq.EAGAIN:
            return not_taken(self.endpoint, self.send_timeout)
        return NotConnected(f"the publisher to {self.endpoint} is closed") if self._closed else error

    def _begin_to_keep(self) -> None:
        if self._closed:
            raise NotConnected(f"the publisher to {self.endpoint} is closed")
        self._socket.set(zmq.XPUB_VERBOSE, 1)  # else it is silent on who asks a new forwarder again
        self._keeper = Keeper(self.audience, self._lock, self._send, self._cells)

    # -- who listens -----------------------------------------------------------------------------

    def has_subscriber(self, topic: str) -> bool:
        """Whether somebody, anywhere on this bus, is known to listen to exactly this topic."""
        return self.audience.has(topic.encode() + SEPARATOR)

    def wait_for_subscriber(self, topic: str, timeout: float) -> None:
        """Wait until somebody listens to the topic, and that has come through the forwarder to here.

        Args:
            topic: Routing word.
            timeout: Seconds to wait at most.

        Raises:
            NobodyListens: Nobody listened in time.
        """
        if not self.audience.wait(topic.encode() + SEPARATOR, timeout):
            raise NobodyListens(f"nobody listens to topic {topic!r} on the bus at {self.endpoint}")

    # -- the rest --------------------------------------------------------------------------------

    def close(self, linger: float = sockets.LINGER) -> None:
        """Close; with a context of its own, return when all has left, or ``linger`` seconds later."""
        reporting.leave(self.endpoint, self.tally, self.audience)
        if self._keeper is not None:
            self._keeper.close()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.audience.close()
            self._socket.close(round(linger * 1000))
        if self._own_context is not None:
            self._own_context.term()


__all__ = ["BATCH", "Publisher", "check_topic"]
