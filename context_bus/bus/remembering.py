"""The last message of topics, kept for everybody by one who only listens. Knows sockets, audience and frames.

It answers as the senders themselves do (``keeping``), also for those that have ended, and those that cannot.
To one who joins it must not answer too soon: a message may have passed the forwarder before the joiner was
there, and not have come here yet. So it first sends a mark to itself; what passed the forwarder before the
question has come when the mark has.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import zmq

from context_bus.bus import sockets
from context_bus.bus.audience import Audience
from context_bus.bus.counters import read_envelope
from context_bus.bus.subscriber import topic_filter
from context_bus.errors import NotConnected
from context_bus.kernel.ids import new_token
from context_bus.kernel.kept import PREFIX, topic_of
from context_bus.kernel.message import SEPARATOR, UNREADABLE

#: Senders of one topic whose values are kept; of more, those that have been silent longest are forgotten.
SENDERS = 1_000
#: Messages taken before questions are looked at.
DRAIN = 256
#: Seconds after which a mark that has not come back is sent once more: the forwarder was replaced meanwhile.
MARK_AGAIN = 1.0
#: Milliseconds after which an answer is given again that the queue to the forwarder did not take.
AGAIN_MS = 5

_log = logging.getLogger(__name__)


class _Origin(msgspec.Struct, gc=False):
    service_id: str = ""
    service_name: str = ""
    service_transaction: str = ""
    sender: str = ""
    batch: int = 0


class _Originated(msgspec.Struct, gc=False):
    header: _Origin


class _Batch(msgspec.Struct, gc=False):
    header: dict[str, Any]
    content: list[msgspec.Raw]


_read_origin = msgspec.json.Decoder(_Originated).decode
_read_batch = msgspec.json.Decoder(_Batch).decode
_encode = msgspec.json.Encoder().encode


class Values:
    """The last message of each sender on one topic. Pure.

    A service has one value, however often it is restarted: whoever has its id and transaction is it. Others
    are told apart by the sender in the header, and senders of old, without one, by the service's name.

    Args:
        senders: How many are kept.
    """

    def __init__(self, senders: int = SENDERS) -> None:
        self._senders = senders
        self._bodies: dict[tuple[str, str], bytes] = {}

    def take(self, body: bytes) -> None:
        """Keep a message in place of the one before."""
        try:
            origin = _read_origin(body).header
        except UNREADABLE:
            origin = _Origin()
        if origin.batch:
            body = _last_of(body)
        key = (origin.service_transaction, origin.service_id)
        if not origin.service_id:
            key = ("", origin.sender or origin.service_name)
        self._bodies.pop(key, None)
        if len(self._bodies) >= self._senders:
            del self._bodies[next(iter(self._bodies))]
        self._bodies[key] = body

    def all(self) -> list[bytes]:
        """What is kept, the newest last."""
        return list(self._bodies.values())


def _last_of(body: bytes) -> bytes:
    """The last message of a batch by itself."""
    try:
        batch = _read_batch(body)
    except UNREADABLE:
        return body
    if not batch.content:
        return body
    header = dict(batch.header)
    del header["batch"]
    header["sequence"] = read_envelope(body).header.sequence + len(batch.content) - 1
    return _encode({"header": header, "content": batch.content[-1]})


class Memory:
    """Keeps the last values of topics, and answers for them, in a thread of its own.

    Args:
        listen_on: Where the forwarder serves listeners.
        publish_to: Where it serves publishers.
        topics: Topics to keep; no others are listened to.
        senders: Senders of a topic whose values are kept.
    """

    def __init__(
        self, listen_on: str, publish_to: str, topics: Iterable[str], *, senders: int = SENDERS
    ) -> None:
        self._senders, self._endpoint = senders, publish_to
        self._ready = threading.Event()
        self._context = sockets.new_context()
        with sockets.released_on_failure(self._context):
            self._sub = sockets.subscriber_socket(self._context, listen_on)
            self._pub = sockets.publisher_socket(
                self._context, publish_to, send_timeout=0.0, hwm=sockets.PUBLISHER_HWM
            )
        self._pub.set(zmq.XPUB_VERBOSE, 1)  # else it is silent on who asks a new forwarder again
        self._lock = threading.Lock()
        self._audience = Audience(self._pub, self._lock)
        self._audience.attendant = self
        self._mark = PREFIX + b"." + new_token(6).encode() + SEPARATOR
        self._marked_at = 0.0
        #: Questions since the last mark, those that wait for it to come back, and those it has come back for.
        self._asked: list[bytes] = []
        self._waiting: list[bytes] = []
        self._due: list[tuple[bytes, bytes]] = []
        self._values: dict[bytes, Values] = {}
        self._wanted: frozenset[str] = frozenset(topics)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="last-values", daemon=True)

    def start(self, timeout: float) -> None:
        """Begin; returns when no message of the topics can be missed any more.

        Raises:
            NotConnected: No forwarder answered within so many seconds.
        """
        self.begin()
        if not self._ready.wait(timeout):
            raise NotConnected(f"no forwarder answers at {self._endpoint} within {timeout:g} s")

    def begin(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def want(self, topics: Iterable[str]) -> None:
        """Keep these topics and no others from now on; from any thread."""
        self._wanted = frozenset(topics)
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End; returns when the thread has. What was kept is gone."""
        self._closing = True
        os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join()
        self._sub.close(0)
        self._pub.close(0)
        os.close(self._wake)
        self._context.term()

    # -- in the thread: what the audience tells ------------------------------------------------------

    def asked(self, question: bytes) -> None:
        """Note a question."""
        if question == self._mark:
            self._marked_at = 0.0  # the way to ourselves is there, or there again
            self._ready.set()
        elif topic_of(question).encode() in self._values:
            self._asked.append(question)

    def looked(self, now: float, before: float) -> bool:
        """Send nothing: the thread does when it has looked."""
        return False

    # -- in the thread: its loop ---------------------------------------------------------------------

    def _run(self) -> None:
        poll = select.poll()
        for descriptor in (sockets.descriptor(self._sub), self._audience.descriptor, self._wake):
            poll.register(descriptor, select.POLLIN)
        self._listen()
        self._sub.subscribe(self._mark)  # last, so that the topics are known where it is
        while not self._closing:
            try:
                poll.poll(0 if self._work() else self._patience())
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
                    self._listen()
            except Exception:  # noqa: BLE001  # the border to whatever anybody may send
                _log.exception("could not keep a value")

    def _listen(self) -> None:
        """Set and take back filters as wanted."""
        wanted = {topic.encode() for topic in self._wanted}
        for topic in self._values.keys() - wanted:
            del self._values[topic]
            self._sub.unsubscribe(topic + SEPARATOR)
        for topic in wanted - self._values.keys():
            self._values[topic] = Values(self._senders)
            self._sub.subscribe(topic_filter(topic.decode()))

    def _patience(self) -> int | None:
        """Milliseconds to wait at most."""
        if self._due:
            return AGAIN_MS
        return round(MARK_AGAIN * 1000) if self._waiting or self._asked else None

    def _work(self) -> bool:
        """Take what is there and answer; says whether there may be more."""
        has_more = self._drain()
        self._send_due()
        self._audience.refresh()  # also after sends, which take the signal of news off the descriptor
        self._send_mark()
        self._audience.refresh()
        may_mark = self._asked and not self._marked_at and self._audience.knows(self._mark)
        return has_more or bool(may_mark)

    def _drain(self) -> bool:
        recv, values = self._sub.recv, self._values
        try:
            for _ in range(DRAIN):
                topic, _, body = recv(zmq.DONTWAIT).partition(SEPARATOR)
                known = values.get(topic)
                if known is not None:
                    known.take(body)
                elif topic + SEPARATOR == self._mark:
                    self._mark_is_back()
        except zmq.Again:
            return False
        return True

    def _send_mark(self) -> None:
        """Send the mark for what was asked since the last one, or again if that one does not come back."""
        now = time.monotonic()
        if self._marked_at and now - self._marked_at < MARK_AGAIN:
            return
        if (self._asked or self._waiting) and self._audience.knows(self._mark):
            self._waiting += self._asked
            self._asked = []
            with contextlib.suppress(zmq.Again):
                self._pub.send(self._mark + b"0", zmq.DONTWAIT)
                self._marked_at = now

    def _mark_is_back(self) -> None:
        for question in self._waiting:
            for body in self._values.get(topic_of(question).encode(), _NOTHING).all():
                self._due.append((question, body))
        self._waiting, self._marked_at = [], 0.0

    def _send_due(self) -> None:
        due, self._due = self._due, []
        for place, (question, body) in enumerate(due):
            try:
                self._pub.send(question + body, zmq.DONTWAIT)
            except zmq.Again:
                self._due = due[place:]
                return


_NOTHING = Values()
