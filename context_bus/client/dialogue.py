"""A question to a provider and the answers to it, by whatever way they travel. Knows messages only."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from context_bus.kernel.closing import Closing
from context_bus.kernel.ids import new_request
from context_bus.kernel.message import UNREADABLE, Header, Message

#: What came: topic, header and undecoded content.
Arrival = tuple[str, Header, msgspec.Raw]

_decode = msgspec.json.Decoder(Message[msgspec.Raw]).decode


class Dialogue(Closing):
    """One question and its answers.

    Args:
        inbox: Topic of the answers.
    """

    def __init__(self, inbox: str) -> None:
        self.inbox = inbox
        self.request_id = new_request()
        self._put_back: deque[Arrival] = deque()

    def renew(self) -> None:
        """Begin another question; a late answer to the one before is none to this one."""
        self.request_id = new_request()

    def ask(self, topic: str, content: object, header: Header) -> None:
        """Send a question that names the inbox."""
        header.request_id, header.reply_to = self.request_id, self.inbox
        self._send(topic, Message(header, content))

    def answers(self, deadline: float) -> Iterator[Arrival]:
        """Messages that arrive until the deadline, those that were put back first.

        On the inbox only those of our request are let through.
        """
        while (left := deadline - time.monotonic()) > 0:
            if self._put_back:
                yield self._put_back.popleft()
                continue
            received = self._receive(left)
            if received is None:
                return
            topic, body = received
            try:
                message = _decode(body)
            except UNREADABLE:
                continue
            if topic != self.inbox or message.header.request_id == self.request_id:
                yield topic, message.header, message.content

    def put_back(self, arrivals: Iterable[Arrival]) -> None:
        """Let messages that were not looked at come again, before all that is still to come."""
        self._put_back.extendleft(reversed([*arrivals]))

    @abstractmethod
    def _send(self, topic: str, message: Message[object]) -> None:
        """Send a message."""

    @abstractmethod
    def _receive(self, timeout: float) -> tuple[str, bytes] | None:
        """Wait for topic and body of the next message; None when none comes in time (seconds)."""
