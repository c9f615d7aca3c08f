"""Frame by frame: what comes, what counts, what conflating leaves out."""

from __future__ import annotations

import json
import threading

import pytest

from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher, check_topic
from context_bus.errors import FrameError, NotConnected, SendTimeout
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving


def test_receive_gives_topic_and_body(local: LocalBus) -> None:
    """Undecoded; None when nothing came in time."""
    listener, publisher = local.subscriber("t"), local.publisher()
    publisher.wait_for_subscriber("t", 5)
    assert listener.receive(0) is None
    assert listener.receive(0.01) is None
    publisher.publish("t", {"a": "@@@"}, action="updated")
    found = listener.receive(5)
    assert found is not None
    topic, body = found
    message = json.loads(body)
    assert (topic, message["content"], message["header"]["action"]) == ("t", {"a": "@@@"}, "updated")
    listener.unsubscribe("t")


def test_rubbish_is_counted_and_passed_over(local: LocalBus) -> None:
    """Whoever reads everything reads on."""
    listener, publisher = local.subscriber(""), local.publisher()
    assert publisher.audience.wait(b"", 5)
    for frame in (b"", b"no mark", b"\xff@@@{}", b"t@@@not json"):
        publisher._send_frame(frame, 0.0, [0, 0])
    assert listener.receive(5) == ("t", b"not json")
    assert (listener.rejected, listener.received, listener.lost) == (3, 1, 0)


def test_batch_counts_as_its_messages(local: LocalBus) -> None:
    """A reader of frames sees one, and counts what it holds."""
    listener, publisher = local.subscriber("t"), local.publisher()
    publisher.wait_for_subscriber("t", 5)
    publisher.publish_many("t", [1, 2, 3])
    publisher.publish("t", 4)
    assert listener.receive(5)
    assert listener.receive(5)
    assert (listener.received, listener.lost) == (4, 0)


def test_conflate_gives_the_newest_and_counts_the_rest(local: LocalBus) -> None:
    """Goal 16 for conflate: what was left out is known to the message, and is not called lost."""
    node, count = local.bus(), 3_000
    heard: list[int] = []
    begun, release = threading.Event(), threading.Event()

    def on_latest(content: int) -> None:
        heard.append(content)
        begun.set()
        release.wait(10)

    node.subscribe("latest", on_latest, policy="conflate")
    every: list[int] = []
    other = local.bus()
    other.subscribe("latest", every.append, type=int)
    other.subscribe("seen", lambda _: other.stop())
    publisher = local.publisher()
    publisher.wait_for_subscriber("seen", 5)
    with serving(node):
        publisher.publish("latest", 0)
        assert begun.wait(10)
        for number in range(1, count):
            publisher.publish("latest", number)
        publisher.publish("latest", -1)
        publisher.publish("seen", None)
        other.serve()
        release.set()
        wait_until(lambda: heard[-1] == -1, describe=lambda: heard)
    assert every[-1] == -1
    assert len(every) == count + 1
    topic = node.stats().topics["latest"]
    assert heard[-1] == -1
    assert len(heard) < 10
    assert topic.received == len(heard)
    assert (topic.conflated, topic.lost) == (count + 1 - len(heard), 0)
    assert topic.lost_by_sender == {publisher.sender: topic.conflated}


def test_send_times_out_when_nobody_takes_it() -> None:
    """Under ``block`` a reader that does not read holds up the publisher, which is told after its timeout."""
    with (
        LocalBus(policy="block", hwm=10) as local,
        Publisher(local.publish_to, send_timeout=0.05, hwm=10) as publisher,
    ):
        listener = local.subscriber("t", hwm=10)
        publisher.wait_for_subscriber("t", 5)

        def flood() -> None:
            while True:
                publisher.publish("t", "x" * 10_000)

        with pytest.raises(SendTimeout, match=r"took no message for 0\.05 s"):
            flood()
        while listener.receive(0.5):
            pass
        publisher.publish("t", "again")
        assert listener.receive(5)
        assert (listener.received, listener.lost) == (publisher.sent, 0)


def test_closed_publisher_says_so(local: LocalBus) -> None:
    """Not an error of zmq's."""
    publisher = local.publisher()
    publisher.close()
    publisher.close()
    with pytest.raises(NotConnected, match="is closed"):
        publisher.publish("t", 1)
    with pytest.raises(NotConnected, match="is closed"):
        publisher.send("t", b"{}")


@pytest.mark.parametrize("topic", ["", " t", "t ", "a@@@b", "\n"])
def test_topic_that_receivers_would_change_is_refused(local: LocalBus, topic: str) -> None:
    """On every way to send."""
    publisher = local.publisher()
    with pytest.raises(FrameError, match="cannot be sent"):
        check_topic(topic)
    with pytest.raises(FrameError, match="cannot be sent"):
        publisher.publish(topic, 1)
    with pytest.raises(FrameError, match="cannot be sent"):
        publisher.publish_many(topic, [1])
    with pytest.raises(FrameError, match="cannot be sent"):
        publisher.send(topic, b"{}")


def test_conflating_everything_is_refused(local: LocalBus) -> None:
    """One message would be kept for all topics."""
    with pytest.raises(FrameError, match="name the topic"):
        Bus.subscribe(local.bus(), "", lambda _: None, policy="conflate")
