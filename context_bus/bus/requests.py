"""Ask over the bus and wait for the answer. Knows publisher, sockets and frames; must not know handlers.

A requester listens on a topic of its own, its inbox, on a socket of its own: so a request works from
any thread, whether or not the node serves, and even from inside a handler.
"""

from __future__ import annotations

import itertools
import math
import os
import select
import threading
import time
from typing import Any

import msgspec
import zmq

from context_bus.bus import sockets
from context_bus.bus.publisher import Publisher
from context_bus.bus.report import INBOX
from context_bus.errors import FrameError, NobodyListens, NotConnected, RequestFailed, RequestTimeout
from context_bus.kernel.ids import new_token
from context_bus.kernel.message import SEPARATOR, UNREADABLE

#: Header action of an answer; so the next.
REPLY = "reply"
#: See above: the handler raised, or could not read the request. The content is ``{"error": text}``.
FAILED = "failed"
#: Seconds a responder waits for the requester's inbox to be known here, when the request was faster.
INBOX_TIMEOUT = 0.25


class _ReplyHeader(msgspec.Struct, gc=False):
    request_id: str
    action: str = ""


class Reply(msgspec.Struct, gc=False):
    """An answer whose content is not decoded yet."""

    header: _ReplyHeader
    content: msgspec.Raw


class _Error(msgspec.Struct):
    error: str = ""


read_reply = msgspec.json.Decoder(Reply).decode
_read_error = msgspec.json.Decoder(_Error).decode


def new_inbox() -> str:
    """A topic that nobody else listens to."""
    return INBOX + new_token(6)


def content_of(reply: Reply, topic: str, type_: Any) -> Any:
    """Decode an answer.

    Raises:
        RequestFailed: The other side said so.
        FrameError: The content is not of the type asked for.
    """
    if reply.header.action == FAILED:
        try:
            text = _read_error(reply.content).error
        except UNREADABLE:
            text = bytes(reply.content).decode(errors="replace")
        raise RequestFailed(f"request to topic {topic!r} failed: {text}")
    try:
        return msgspec.json.decode(reply.content, type=Any if type_ is None else type_)
    except UNREADABLE as error:
        raise FrameError(f"the reply from topic {topic!r} is not what was asked for: {error}") from None


def send_reply(
    publisher: Publisher, reply_to: str, request_id: str, outcome: object, error: BaseException | None
) -> None:
    """Answer a request; raises SendTimeout. The requester's inbox must be known to the publisher."""
    content = outcome if error is None else {"error": f"{type(error).__name__}: {error}"}
    publisher.reply(reply_to, request_id, REPLY if error is None else FAILED, content)


def nobody_answers(publisher: Publisher, topic: str, timeout: float) -> NobodyListens | RequestTimeout:
    """Why a request got no answer."""
    if publisher.has_subscriber(topic):
        return RequestTimeout(f"no reply to a request on topic {topic!r} within {timeout} s")
    return NobodyListens(f"nobody listens to requests on topic {topic!r} on the bus at {publisher.endpoint}")


class _Slot:
    """One request under way."""

    __slots__ = ("reply", "wake")

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.wake = threading.Event()


class Requester:
    """Requests from any thread; the one that waits reads the inbox for all.

    Args:
        publisher: What sends the requests.
        listen_on: Where the forwarder serves listeners.
        zmq_context: The node's.
    """

    def __init__(
        self, publisher: Publisher, listen_on: str, zmq_context: zmq.Context[zmq.Socket[bytes]]
    ) -> None:
        self.inbox = new_inbox()
        #: Frames in the inbox that were no answers, or answers that came too late.
        self.rejected = 0
        self._publisher = publisher
        self._socket = sockets.subscriber_socket(zmq_context, listen_on, hwm=sockets.UNBOUNDED)
        self._socket.subscribe(self.inbox.encode() + SEPARATOR)
        self._reading = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._numbers = itertools.count(1)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        # On the descriptor, which is cheaper: it signals what arrives after the socket was found empty.
        self._poll = select.poll()
        self._poll.register(sockets.descriptor(self._socket), select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)
        self._closed = False

    def connect(self, timeout: float) -> None:
        """Wait until answers can arrive; raises NotConnected."""
        if not self._publisher.audience.wait(self.inbox.encode() + SEPARATOR, timeout):
            raise NotConnected(f"no forwarder answers at {self._publisher.endpoint} within {timeout} s")

    def request(self, topic: str, content: object, *, action: str, timeout: float, type_: Any) -> Any:
        """Send a request and wait for the first answer; raises what ``Bus.request`` says."""
        deadline = time.monotonic() + timeout
        number = str(next(self._numbers))
        slot = self._slots[number] = _Slot()
        try:
            self._publisher.ask(topic, content, action, number, self.inbox)
            while slot.reply is None:
                if time.monotonic() >= deadline:
                    raise nobody_answers(self._publisher, topic, timeout)
                if self._closed:
                    raise NotConnected("the node was closed while a request waited for its answer")
                if self._reading.acquire(blocking=False):
                    try:
                        self._read(slot, deadline)
                    finally:
                        self._reading.release()
                else:
                    slot.wake.wait(deadline - time.monotonic())
                    slot.wake.clear()
        finally:
            del self._slots[number]
            self._pass_on()
        return content_of(slot.reply, topic, type_)

    def _pass_on(self) -> None:
        """Wake one who waits, to read in our place."""
        for slot in list(self._slots.values()):
            if slot.reply is None:
                slot.wake.set()
                return

    def _read(self, mine: _Slot, deadline: float) -> None:
        """Read answers, everybody's, until ours is there."""
        recv = self._socket.recv
        while mine.reply is None and not self._closed:
            try:
                frame = recv(zmq.DONTWAIT)
            except zmq.Again:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._poll.poll(math.ceil(left * 1000))
                continue
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        try:
            reply = read_reply(frame.partition(SEPARATOR)[2])
        except UNREADABLE:
            self.rejected += 1
            return
        slot = self._slots.get(reply.header.request_id)
        if slot is None or slot.reply is not None:
            self.rejected += 1
            return
        slot.reply = reply
        slot.wake.set()

    def close(self) -> None:
        """Close; waiting requests raise NotConnected."""
        if self._closed:
            return
        self._closed = True
        os.eventfd_write(self._wake, 1)
        for slot in list(self._slots.values()):
            slot.wake.set()
        with self._reading:
            self._socket.close(0)
            os.close(self._wake)
