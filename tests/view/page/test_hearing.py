"""Topics of the bus for all pages, and a flood of them."""

from __future__ import annotations

import threading

import pytest

from context_bus.client.endpoints import Endpoints
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from context_bus.view.page.hearing import EVERYTHING, MOST, Hearing
from context_bus.view.page.words import Bytes


class Heard:
    """Whatever a hearing told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.texts: dict[str, list[str]] = {}
        self.left_out = 0
        self.largest = 0

    def __call__(self, topic: str, messages: list[Bytes], left_out: int) -> None:
        with self.lock:
            self.texts.setdefault(topic, []).extend(each.text for each in messages)
            self.left_out += left_out
            self.largest = max(self.largest, len(messages))

    @property
    def count(self) -> int:
        with self.lock:
            return self.left_out + sum(map(len, self.texts.values()))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_topic_is_heard_while_it_is_wanted(heard: Heard) -> None:
    """Two pages want it; when one has left it is still heard, and another topic never was."""
    with LocalBus() as local, local.publisher() as bus:
        hearing = Hearing(lambda: Endpoints(local.listen_on, local.publish_to), heard)
        try:
            hearing.want("a")
            hearing.want("a")
            bus.wait_for_subscriber("a", 5)
            hearing.leave("a")
            bus.publish("b", 0)
            bus.publish("a", 1)
            wait_until(lambda: heard.count == 1, 5, lambda: heard.texts)
            hearing.leave("a")
            wait_until(lambda: not bus.has_subscriber("a"), 5, lambda: "a is still subscribed")
        finally:
            hearing.close()
        assert heard.texts == {"a": ["1"]}


def test_a_flood_is_taken_in_and_its_last_messages_shown(heard: Heard) -> None:
    """Each turn hands on a few, counts the rest, and loses none of the count."""
    many = 20_000
    with LocalBus() as local, local.publisher() as bus:
        hearing = Hearing(lambda: Endpoints(local.listen_on, local.publish_to), heard)
        try:
            hearing.want("flood")
            bus.wait_for_subscriber("flood", 5)
            for number in range(many):
                bus.publish("flood", number)
            wait_until(lambda: f"{many - 1}" in heard.texts.get("flood", ()), 20, lambda: heard.count)
        finally:
            hearing.close()
        assert heard.largest <= MOST
        assert heard.count == many


def test_everything_is_heard_by_a_star(heard: Heard) -> None:
    """Topics that nobody named."""
    with LocalBus() as local, local.publisher() as bus:
        hearing = Hearing(lambda: Endpoints(local.listen_on, local.publish_to), heard)

        def has_come() -> bool:
            bus.publish("some", 1)
            bus.publish("other", 2)
            return {"1", "2"} <= set(heard.texts.get(EVERYTHING, ()))

        try:
            hearing.want(EVERYTHING)
            wait_until(has_come, 10, lambda: heard.texts)
        finally:
            hearing.close()
