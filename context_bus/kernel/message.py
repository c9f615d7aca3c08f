"""The wire message: one frame ``topic @@@ json``. Knows errors; must not know zmq.

A frame is split at its first separator only, so a payload may hold the separator. The four routing
fields of the header are always written, since older tools read them without asking; every field
that is younger than they are is left out while it is unset.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from context_bus.errors import FrameError

#: Between topic and JSON on the wire; older senders and readers use exactly this.
SEPARATOR = b" @@@ "
#: What splits a frame; tolerant of missing or extra blanks around it.
MARK = b"@@@"

#: What decoding raises for bytes that are no message: bad JSON or types, text that is not UTF-8, and nesting
#: deeper than the interpreter allows. Anybody may send such bytes, so whoever decodes must expect all three.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a process message was sent: which transition of which service asked for it."""

    trigger: str
    service_id: str
    depth: int = 1


class Header(msgspec.Struct, gc=False):
    """Routing fields of a message, first the four of old, then the additive ones.

    Args:
        action: The verb: ``start``, ``started``, ``updated``, ``request`` and so on, per topic.
        service_id: Id of the service the message is about; on topic ``context`` the context id.
        service_name: Name the message is matched on; ``context``, ``state``, ``all`` are special.
        service_transaction: Transaction the message belongs to.
        sequence: Number of the message among those of one sender on one topic, from 1.
        sent_at: Seconds since the epoch when the message was sent.
        sender: Name of the publisher, new after every restart.
        message_id: Id of this message, where somebody needs to refer to it.
        request_id: Joins a request with its replies.
        reply_to: Topic on which a reply is expected.
        cause: The transition behind a process message.
        batch: The content is a list of this many messages, numbered from ``sequence`` on.
        kept: Set by who receives a kept value, which was sent before anybody here listened; never sent.
    """

    action: str = ""
    service_id: str = ""
    service_name: str = ""
    service_transaction: str = ""
    sequence: int | UnsetType = UNSET
    sent_at: float | UnsetType = UNSET
    sender: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET
    cause: Cause | UnsetType = UNSET
    batch: int | UnsetType = UNSET
    kept: bool | UnsetType = UNSET


class Message(msgspec.Struct, Generic[T], gc=False):
    """A header and a content of the receiver's choosing."""

    header: Header
    content: T


#: A message whose content may be anything JSON can say.
AnyMessage = Message[Any]


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame as it came, for those who read what is not a message (topic ``process``) or everything.

    Args:
        topic: The topic, without the separator.
        body: The JSON text, not looked at.
        kept: It is a kept value, sent before anybody here listened.
    """

    topic: str
    body: bytes
    kept: bool = False


def join_frame(topic: str, body: bytes) -> bytes:
    """Put topic and JSON text into one frame."""
    return topic.encode() + SEPARATOR + body


def split_frame(frame: bytes) -> tuple[str, bytes]:
    """Take a frame apart at its first separator.

    Returns:
        The topic and the JSON text, both without surrounding blanks.

    Raises:
        FrameError: The frame has no separator, no topic, or a topic that is not UTF-8.
    """
    topic, mark, body = frame.partition(MARK)
    if not mark:
        raise FrameError(f"no '@@@' in a frame of {len(frame)} bytes; expected 'topic @@@ json'")
    try:
        text = topic.strip().decode()
    except UnicodeDecodeError:
        raise FrameError("the topic of a frame is not UTF-8; expected 'topic @@@ json'") from None
    if not text:
        raise FrameError("a frame without a topic; expected 'topic @@@ json'")
    return text, body.strip()
