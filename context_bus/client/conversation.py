"""A question on the bus and the answers to it: an inbox of one's own, opened before the question is sent.

Knows the bus room. Everything is proven and nothing slept: the inbox is known at our own publisher,
which shows that the forwarder carries answers, and by then every older listener is known there, too.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from context_bus.bus.publisher import Publisher
from context_bus.bus.requests import new_inbox
from context_bus.bus.subscriber import Subscriber
from context_bus.client.dialogue import Dialogue
from context_bus.client.endpoints import Endpoints
from context_bus.errors import NobodyListens, NotConnected
from context_bus.kernel.message import Message

#: Seconds that a forwarder which is there may take to answer.
CONNECT_TIMEOUT = 2.0


class Conversation(Dialogue):
    """One question and its answers.

    Args:
        endpoints: Both ends of the bus.
        topics: Further topics on which an answer may come.
    """

    def __init__(self, endpoints: Endpoints, topics: tuple[str, ...] = ()) -> None:
        super().__init__(new_inbox())
        self.endpoints = endpoints
        self._topics = topics
        self.publisher = Publisher(endpoints.publish)
        self._subscriber = Subscriber(endpoints.listen, count=False)

    def open(self, timeout: float = CONNECT_TIMEOUT) -> None:
        """Connect; returns when an answer can arrive.

        Raises:
            NotConnected: No forwarder joins the two endpoints.
        """
        deadline = time.monotonic() + timeout
        for topic in self._topics:
            self._subscriber.subscribe(topic)
        # The second filter comes after all that the forwarder knew when the first one proved the way.
        for topic in (self.inbox, f"{self.inbox}.2"):
            self._subscriber.subscribe(topic)
            try:
                self.publisher.wait_for_subscriber(topic, max(0.0, deadline - time.monotonic()))
            except NobodyListens:
                ends = f"{self.endpoints.publish} with {self.endpoints.listen}"
                raise NotConnected(f"no forwarder joins {ends} within {timeout:g} s") from None

    def is_heard(self, topic: str) -> bool:
        """Whether somebody listens to a topic; exact once the conversation is open."""
        return self.publisher.has_subscriber(topic)

    def send(self, topic: str, body: object) -> int:
        """Send a body that names the inbox by itself; returns the size of its JSON in bytes."""
        text = msgspec.json.encode(body)
        self.publisher.send(topic, text)
        return len(text)

    def round_trip(self, body: bytes, timeout: float) -> float | None:
        """Send bytes to our own inbox; returns the seconds until they were here, None if they never were."""
        receive, clock = self._subscriber.receive, time.perf_counter
        began = clock()
        self.publisher.send(self.inbox, body)
        received = receive(timeout)
        took = clock() - began
        return took if received is not None else None

    def close(self) -> None:
        """Close both ends."""
        self._subscriber.close()
        self.publisher.close()

    def _send(self, topic: str, message: Message[object]) -> None:
        self.publisher.send_message(topic, message)

    def _receive(self, timeout: float) -> tuple[str, bytes] | None:
        return self._subscriber.receive(timeout)


def decode(content: msgspec.Raw) -> Any:
    """Decode a content that may be anything JSON can say."""
    return msgspec.json.decode(content)
