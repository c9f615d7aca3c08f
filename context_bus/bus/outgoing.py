"""What a publisher's messages are put together from. Knows the wire message; must not know sockets."""

from __future__ import annotations

import threading
from typing import TypedDict

import msgspec
from msgspec import UNSET

from context_bus.bus.keeping import Cell
from context_bus.bus.tally import SentCounters
from context_bus.errors import FrameError, SendTimeout
from context_bus.kernel.message import MARK, SEPARATOR, Header

#: Between the pieces of a frame.
SENT_AT, CONTENT = b',"sent_at":', b'},"content":'
_encode = msgspec.json.Encoder().encode
_join = b"".join


class HeaderFields(TypedDict, total=False):
    """Header fields of one message that differ from the publisher's own.

    ``service_id``, ``service_name`` and ``transaction`` say whom the message is about, ``request_id``
    joins a request with its reply, and ``reply_to`` is the topic on which a reply is expected.
    """

    service_id: str | None
    service_name: str | None
    transaction: str | None
    request_id: str | None
    reply_to: str | None


class Lane:
    """What is the same in all messages of one topic and action: the frame up to the sequence number."""

    __slots__ = ("cell", "counter", "prefix")

    def __init__(self, prefix: bytes, counter: list[int], cell: Cell | None) -> None:
        self.prefix = prefix
        self.counter = counter  # of `SentCounters.numbered`, shared by the lanes of a topic
        self.cell = cell  # where the last frame is kept, if it is; shared likewise


class Outgoing:
    """What a publisher has sent, topic by topic, and what of it is kept.

    Args:
        sender: Name in each header, by which receivers count.
        identity: Header fields it fills in where the caller does not.
    """

    def __init__(self, sender: str, identity: Header) -> None:
        self.sender = sender
        self.identity = identity
        self._lock = threading.Lock()
        self._lanes: dict[str, dict[str, Lane]] = {}
        self._cells: dict[str, Cell] = {}
        self._sent = SentCounters()

    def keep(self, *topics: str) -> None:
        """Keep the last message of these topics, for those who join late and ask for it.

        What was sent before is not kept. A value goes with this publisher; a context file may name
        topics in ``KeepLast`` whose values stay.

        Raises:
            FrameError: A topic cannot be sent.
        """
        for topic in topics:
            check_topic(topic)
        with self._lock:
            if topics and not self._cells:
                self._begin_to_keep()
            for topic in topics:
                cell = self._cells.setdefault(topic, Cell())
                for lanes in self._lanes.values():
                    if topic in lanes:
                        lanes[topic].cell = cell

    def _begin_to_keep(self) -> None:
        """Answer from now on; with the lock held."""
        raise NotImplementedError

    def _new_lane(self, topic: str, action: str) -> Lane:
        identity = self.identity
        fields = {
            "action": action,
            "service_id": identity.service_id,
            "service_name": identity.service_name,
            "service_transaction": identity.service_transaction,
            "sender": self.sender,
        }
        # The empty topic stands for inboxes: each answer has another, and no number.
        start, last = (check_topic(topic), b"sequence") if topic else (b"", b"request_id")
        prefix = b'%b%b{"header":%b,"%b":' % (start, SEPARATOR, _encode(fields)[:-1], last)
        with self._lock:
            lane = Lane(prefix, self._sent.of(topic, numbered=True), self._cells.get(topic))
            self._lanes.setdefault(action, {})[topic] = lane
        return lane

    @property
    def sent(self) -> int:
        """Messages sent so far."""
        return self._sent.messages


def frame_of(start: bytes, now: float, text: bytes) -> bytes:
    """A frame from what stands before the time of its header to its end."""
    return _join((start, SENT_AT, _encode(now), CONTENT, text, b"}"))


def not_taken(endpoint: str, seconds: float) -> SendTimeout:
    """Why a message was not sent."""
    return SendTimeout(
        f"the forwarder at {endpoint} took no message for {seconds} s; this was not sent: a listener that "
        "is slower than this publisher holds it up, or the forwarder hangs"
    )


def header_of(
    mine: Header,
    action: str,
    service_id: str | None = None,
    service_name: str | None = None,
    transaction: str | None = None,
    request_id: str | None = None,
    reply_to: str | None = None,
) -> Header:
    """A publisher's own header, but for the fields given."""
    return Header(
        action=action,
        service_id=mine.service_id if service_id is None else service_id,
        service_name=mine.service_name if service_name is None else service_name,
        service_transaction=mine.service_transaction if transaction is None else transaction,
        request_id=request_id or UNSET,
        reply_to=reply_to or UNSET,
    )


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
