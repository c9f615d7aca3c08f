"""Asks who keeps the last value of a topic, and takes what they answer. Knows the bus; must not print.

Nobody can know who keeps a topic: publishers are not listed anywhere. Each answers at once, within a few
milliseconds, so silence for a while after an answer means that all have.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from context_bus.bus import sockets
from context_bus.errors import NobodyListens, NotConnected
from context_bus.kernel.kept import new_question
from context_bus.kernel.message import SEPARATOR, UNREADABLE

#: Seconds without a further answer after which all have answered; a sender that computes may take so long.
QUIET = 0.2


class _Numbered(msgspec.Struct, gc=False):
    sender: str = ""
    sequence: int = 0
    sent_at: float = 0.0
    service_id: str = ""
    service_name: str = ""
    service_transaction: str = ""


class _Kept(msgspec.Struct, gc=False):
    header: _Numbered


_read = msgspec.json.Decoder(_Kept).decode


@dataclass(frozen=True, slots=True)
class LastValue:
    """What one sender said last.

    Args:
        sender: Its name; of senders that give none, that of their service.
        sequence: Number of the message; 0 if it has none.
        sent_at: Seconds since the epoch; 0 if it does not say.
        body: The message.
    """

    sender: str
    sequence: int
    sent_at: float
    body: Any


def last_values(endpoint: str, topic: str, timeout: float) -> list[LastValue]:
    """Ask for the last values of a topic.

    Args:
        endpoint: Where the forwarder serves listeners.
        topic: The topic.
        timeout: Seconds to wait for the first answer.

    Returns:
        One for each sender, the newest last.

    Raises:
        NotConnected: No forwarder is there.
        NobodyListens: Nobody keeps a value of the topic.
    """
    found: dict[str, LastValue] = {}
    for body in _answers(endpoint, topic, timeout):
        value = _value(body)
        known = found.get(value.sender)
        if known is None or value.sequence >= known.sequence:
            found[value.sender] = value
    if not found:
        raise NobodyListens(
            f"nobody keeps a value of topic '{topic}' on the bus at {endpoint}: who publishes it has to "
            "call keep(), or the context file to name it in <KeepLast>"
        )
    return sorted(found.values(), key=lambda value: value.sent_at)


def _answers(endpoint: str, topic: str, timeout: float) -> Iterator[bytes]:
    context = sockets.new_context()
    sock = sockets.subscriber_socket(context, endpoint, hwm=sockets.UNBOUNDED, connected=False)
    links = sockets.link_monitor(sock)
    try:
        sock.subscribe(new_question(topic))
        sockets.connect(sock, endpoint)
        deadline = time.monotonic() + timeout
        if not links.poll(round(timeout * 1000)):
            raise NotConnected(f"nothing answers at {endpoint} within {timeout:g} s; is the context running?")
        while sock.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            yield sock.recv(zmq.DONTWAIT).partition(SEPARATOR)[2]
            deadline = time.monotonic() + QUIET
    finally:
        links.close(0)
        sock.close(0)
        context.term()


def _value(body: bytes) -> LastValue:
    try:
        header, decoded = _read(body).header, msgspec.json.decode(body)
    except UNREADABLE:
        return LastValue("?", 0, 0.0, body.decode(errors="replace"))
    name = "/".join(
        part for part in (header.service_transaction, header.service_id or header.service_name) if part
    )
    return LastValue(header.sender or name or "?", header.sequence, header.sent_at, decoded)
