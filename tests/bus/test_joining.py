"""Ready means ready: nothing is lost by who joins, however much there is to listen to."""

from __future__ import annotations

import pytest

from context_bus.bus.forwarder import Forwarder
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import Subscriber
from context_bus.errors import NobodyListens
from context_bus.testing.wait import wait_until


def test_first_messages_of_a_thousand_joins_arrive(ends: tuple[str, str]) -> None:
    """Goal 12: what a node publishes right after connect arrives, and so does what it is told right after."""
    joins = 500  # on each of two kinds of forwarder
    greeted: list[int] = []
    told: list[int] = []
    with Bus(*ends) as old:

        def on_hello(content: int) -> None:
            greeted.append(content)
            old.publish("welcome", content)
            old.stop()

        old.subscribe("hello", on_hello)
        for number in range(joins):
            new = Bus(*ends)

            def on_welcome(content: int, new: Bus = new) -> None:
                told.append(content)
                new.stop()

            new.subscribe("welcome", on_welcome)
            with new:
                new.publish("hello", number)
                old.serve()
                new.serve()
    assert greeted == told == list(range(joins))


def test_new_publisher_knows_all_older_listeners(ends: tuple[str, str]) -> None:
    """The barrier is passed after the last of them, not somewhere among them."""
    topics = [f"topic.{number}" for number in range(2_000)]
    with Subscriber(ends[0]) as listener, Publisher(ends[1]) as settled:
        for topic in topics:
            listener.subscribe(topic)
        settled.wait_for_subscriber(topics[-1], 10)
        for _ in range(5):
            with Bus(*ends) as new:
                assert all(new.publisher.has_subscriber(topic) for topic in topics[::100])
                for topic in topics:
                    new.publish(topic, 1)
            received = 0
            while received < len(topics) and listener.receive(5):
                received += 1
            assert received == len(topics)
        assert listener.lost == 0


def test_ten_thousand_subscriptions_at_once_all_work(ends: tuple[str, str]) -> None:
    """Goal 15: not one of them is lost on the way to the publisher (libzmq #2258)."""
    _subscribe_at_once(ends, 10_000)


def test_fifty_thousand_subscriptions_at_once_all_work(process_forwarder: Forwarder) -> None:
    """The queues have no bound that some number would find."""
    _subscribe_at_once((process_forwarder.listen_on, process_forwarder.publish_to), 50_000)


def _subscribe_at_once(ends: tuple[str, str], count: int) -> None:
    with Subscriber(ends[0], hwm=0) as listener, Publisher(ends[1]) as publisher:
        for number in range(count):
            listener.subscribe(f"topic.{number}")
        publisher.wait_for_subscriber(f"topic.{count - 1}", 30)
        assert sum(publisher.has_subscriber(f"topic.{number}") for number in range(0, count, 97)) == -(
            -count // 97
        )
        for number in range(count):
            publisher.publish(f"topic.{number}", number)
        received = 0
        while received < count and listener.receive(10):
            received += 1
        assert (received, listener.lost) == (count, 0)


def test_wait_for_subscriber_hears_of_one_who_comes_and_goes(ends: tuple[str, str]) -> None:
    """It is told when the last one has gone."""
    with Publisher(ends[1]) as publisher:
        with pytest.raises(NobodyListens, match="nobody listens to topic 'rare'"):
            publisher.wait_for_subscriber("rare", 0.05)
        assert not publisher.has_subscriber("rare")
        with Subscriber(ends[0]) as listener:
            listener.subscribe("rare")
            publisher.wait_for_subscriber("rare", 5)
            assert publisher.has_subscriber("rare")
        wait_until(lambda: not publisher.has_subscriber("rare"), describe="the unsubscription arrives")
