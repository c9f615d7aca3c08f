"""Tests of the last values that late joiners get: by handlers, over every kind of forwarder."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest

from context_bus.bus.listening import Delivery
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import Subscriber
from context_bus.errors import FrameError, NotConnected
from context_bus.kernel.message import Frame, Message
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving

NewBus = Callable[..., Bus]
#: Joins amid bursts of growing length; some come in the moment that matters.
BURSTS = 150


class Heard:
    """What a handler got: sender, number, content, and whether it was kept."""

    def __init__(self) -> None:
        self.all: list[tuple[str, int, object, bool]] = []

    def __call__(self, message: Message[object]) -> None:
        header = message.header
        self.all.append((str(header.sender), int(header.sequence or 0), message.content, header.kept is True))

    @property
    def contents(self) -> list[object]:
        """What was in them."""
        return [content for _, _, content, _ in self.all]

    @property
    def kept(self) -> list[object]:
        """What was in those that were kept."""
        return [content for _, _, content, kept in self.all if kept]

    def wait_for(self, count: int) -> None:
        """Wait until so many have come."""
        wait_until(lambda: len(self.all) >= count, 10.0, lambda: f"{len(self.all)} of {count} came")


@pytest.fixture(params=["queue", "conflate"])
def policy(request: pytest.FixtureRequest) -> Delivery:
    """How a handler's messages wait."""
    chosen: Delivery = request.param
    return chosen


def test_who_joins_late_gets_the_last_value_and_then_what_follows(new_bus: NewBus, policy: Delivery) -> None:
    """The last of several messages comes first, marked, and live messages after it are not."""
    station, late, heard = new_bus(), new_bus(), Heard()
    station.keep("weather")
    for value in (1, 2, 3):
        station.publish("weather", value)
    with serving(late):
        late.subscribe("weather", heard, policy=policy, last=True)
        heard.wait_for(1)
        station.publish("weather", 4)
        heard.wait_for(2)
    assert [(content, kept) for _, _, content, kept in heard.all] == [(3, True), (4, False)]
    stats = late.stats().topics["weather"]
    assert (stats.received, stats.kept, stats.lost, stats.rejected) == (1, 1, 0, 0)


def test_each_sender_has_a_last_value(new_bus: NewBus, policy: Delivery) -> None:
    """Twenty senders on one topic: all their values come, whatever the policy."""
    senders, late, heard = [new_bus() for _ in range(20)], new_bus(), Heard()
    for number, sender in enumerate(senders):
        sender.keep("weather")
        sender.publish("weather", -1)
        sender.publish("weather", number)
    with serving(late):
        late.subscribe("weather", heard, policy=policy, last=True)
        heard.wait_for(20)
    assert sorted(heard.kept) == list(range(20))  # type: ignore[type-var]


def test_nobody_else_gets_it(new_bus: NewBus) -> None:
    """Nothing comes twice to who listens already, to the topic or to everything."""
    station, heard, everything, later = new_bus(), Heard(), [], Heard()
    early, nosy, other = new_bus(), new_bus(), new_bus()
    early.subscribe("weather", heard, last=True)
    nosy.subscribe("", lambda frame: everything.append(frame), type=Frame)
    station.keep("weather")
    with serving(early, nosy, other):
        station.publisher.wait_for_subscriber("weather", 5.0)
        station.publish("weather", 1)
        for _ in range(10):
            joiner, joined = new_bus(), Heard()
            joiner.subscribe("weather", joined, last=True)
            with serving(joiner):
                joined.wait_for(1)
        other.subscribe("weather", later)
        station.publish("weather", 2)
        later.wait_for(1)
        heard.wait_for(2)
        wait_until(lambda: len(everything) >= 2, 5.0, lambda: everything)
    assert heard.contents == [1, 2]
    assert heard.kept == []
    assert later.contents == [2]
    assert [frame.topic for frame in everything] == ["weather", "weather"]
    assert nosy.stats().rejected == 0
    assert early.stats().topics["weather"].lost == 0


def test_a_second_handler_gets_what_the_first_has_seen(new_bus: NewBus) -> None:
    """What one handler of a node has had is still news to one that joins it later."""
    station, node, first, second = new_bus(), new_bus(), Heard(), Heard()
    station.keep("weather")
    with serving(node):
        node.subscribe("weather", first)
        station.publish("weather", 7)
        first.wait_for(1)
        node.subscribe("weather", second, last=True)
        second.wait_for(1)
        station.publish("weather", 8)
        first.wait_for(2)
        second.wait_for(2)
    assert (first.contents, first.kept) == ([7, 8], [])
    assert (second.contents, second.kept) == ([7, 8], [7])


def test_every_way_to_publish_is_kept(new_bus: NewBus) -> None:
    """One by one, with header fields, in a batch of which the last counts, and as text that is ready."""
    station = new_bus()
    station.keep("one", "fields", "many", "raw", "marked_later")
    station.publish("one", 1, action="said")
    station.publisher.publish("fields", 2, service_id="other")
    station.publish_many("many", range(250))
    station.publisher.send("raw", b'{"header":{},"content":4}')
    late, heard = new_bus(), {topic: Heard() for topic in ("one", "fields", "many", "raw")}
    for topic, each in heard.items():
        late.subscribe(topic, each, last=True)
    with serving(late):
        for each in heard.values():
            each.wait_for(1)
        station.publish("many", 250)
        heard["many"].wait_for(2)
    assert {topic: each.kept for topic, each in heard.items()} == {
        "one": [1],
        "fields": [2],
        "many": [249],
        "raw": [4],
    }
    assert [number for _, number, _, _ in heard["many"].all] == [250, 251]


def test_a_topic_published_before_is_kept_from_then_on(new_bus: NewBus) -> None:
    """``keep`` may come late: what was sent before it is not kept, what comes after it is."""
    station = new_bus()
    station.publish("weather", 1)
    station.keep("weather")
    late, heard = new_bus(), Heard()
    with serving(late):
        late.subscribe("weather", heard, last=True)
        station.publish("weather", 2)
        heard.wait_for(1)
        other, others = new_bus(), Heard()
        other.subscribe("weather", others, last=True)
        with serving(other):
            others.wait_for(1)
    assert (heard.contents, heard.kept) == ([2], [])
    assert others.kept == [2]


def test_topics_that_are_not_kept_have_no_last_value(new_bus: NewBus) -> None:
    """Of an unmarked topic a late joiner gets what is sent from then on, whatever else is kept."""
    station, late, heard, marked = new_bus(), new_bus(), Heard(), Heard()
    station.keep("marked")
    station.publish("weather", 1)
    station.publish("marked", 1)
    with serving(late):
        late.subscribe("weather", heard, last=True)
        late.subscribe("marked", marked, last=True)
        marked.wait_for(1)
        station.publish("weather", 2)
        heard.wait_for(1)
    assert heard.all[0][2:] == (2, False)


@pytest.mark.parametrize("topic", ["~last.me", "a.b.c", "with blank", "価格", "x" * 200, "~"])
def test_any_topic_can_be_kept(new_bus: NewBus, topic: str) -> None:
    """Whatever a topic is called, its last value is found under it."""
    station, late, heard = new_bus(), new_bus(), Heard()
    station.keep(topic)
    station.publish(topic, 1)
    late.subscribe(topic, heard, last=True)
    with serving(late):
        heard.wait_for(1)
    assert heard.kept == [1]


def test_the_kind_of_handler_does_not_matter(new_bus: NewBus) -> None:
    """Content, message and frame handlers each get it; what cannot be read is counted."""
    station, late = new_bus(), new_bus()
    station.keep("weather")
    station.publish("weather", 5)
    contents: list[int] = []
    frames: list[Frame] = []

    def take_content(content: int) -> None:
        contents.append(content)

    def take_frame(frame: Frame) -> None:
        frames.append(frame)

    def take_text(content: str) -> None:
        raise AssertionError(content)

    late.subscribe("weather", take_text, last=True)
    late.subscribe("weather", take_content, last=True)
    late.subscribe("weather", take_frame, last=True)
    with serving(late):
        wait_until(lambda: bool(contents and frames), 5.0, lambda: (contents, frames))
    assert contents == [5]
    assert [(frame.topic, frame.kept) for frame in frames] == [("weather", True)]
    assert late.stats().topics["weather"].rejected == 1


def test_everything_has_no_last_value(new_bus: NewBus) -> None:
    """Who asks for the last values of every topic is told to name one."""
    with pytest.raises(FrameError, match="name the topic"):
        new_bus().subscribe("", lambda content: None, last=True)


def test_async_nodes_keep_and_catch_up(local: LocalBus, policy: Delivery) -> None:
    """The same in asyncio, between two nodes that do nothing else."""

    async def play() -> tuple[list[object], list[object]]:
        heard, came = Heard(), asyncio.Event()

        async def take(message: Message[object]) -> None:
            heard(message)
            came.set()

        async with local.async_bus() as station, local.async_bus() as late:
            station.keep("weather")
            await station.publish("weather", 1)
            await station.publish("weather", 2)
            late.subscribe("weather", take, policy=policy, last=True)
            serving = asyncio.create_task(late.serve())
            async with asyncio.timeout(5.0):
                await came.wait()
                came.clear()
                await station.publish("weather", 3)
                await came.wait()
            late.stop()
            await serving
        return heard.contents, heard.kept

    assert asyncio.run(play()) == ([2, 3], [2])


def test_a_subscriber_gets_frames_and_is_told(local: LocalBus) -> None:
    """Frame by frame: the kept one first, told by ``is_kept``, then live ones; counted to the message."""
    publisher = local.publisher()
    publisher.keep("weather")
    publisher.publish("weather", 1)
    publisher.publish("weather", 2)
    subscriber = local.subscriber()
    subscriber.subscribe("weather", last=True)
    first = subscriber.receive(5.0)
    assert first is not None
    assert (first[0], subscriber.is_kept) == ("weather", True)
    assert b'"content":2' in first[1]
    publisher.publish("weather", 3)
    second = subscriber.receive(5.0)
    assert second is not None
    assert not subscriber.is_kept
    assert (subscriber.received, subscriber.lost, subscriber.rejected) == (1, 0, 0)
    subscriber.unsubscribe("weather")
    publisher.publish("weather", 4)
    assert subscriber.receive(0.1) is None


def test_a_subscriber_that_cannot_tell_is_refused(local: LocalBus) -> None:
    """Without counting nothing tells old from new, and a conflating socket has room for one filter."""
    for subscriber in (Subscriber(local.listen_on, count=False), Subscriber(local.listen_on, conflate=True)):
        with subscriber, pytest.raises(ValueError, match="last=True needs"):
            subscriber.subscribe("weather", last=True)


def test_a_closed_publisher_keeps_nothing(local: LocalBus) -> None:
    """After ``close`` it says so; the thread that answered has ended."""
    publisher = Publisher(local.publish_to)
    publisher.keep("weather")
    publisher.close()
    publisher.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "kept-values"]
    other = Publisher(local.publish_to)
    other.close()
    with pytest.raises(NotConnected):
        other.keep("weather")


def test_a_value_goes_with_its_sender(local: LocalBus) -> None:
    """Who has left answers no more: only the successor's value is there."""
    old = Publisher(local.publish_to, service_id="station")
    old.keep("weather")
    old.publish("weather", "old")
    old.close()
    new = Publisher(local.publish_to, service_id="station")
    new.keep("weather")
    new.publish("weather", "new")
    with new:
        late, heard = local.bus(), Heard()
        late.subscribe("weather", heard, last=True)
        with serving(late):
            heard.wait_for(1)
            local.bus().connect()
    assert heard.contents == ["new"]


def test_a_busy_sender_answers_between_its_messages(new_bus: NewBus) -> None:
    """Who sends without a pause is asked on the way, and after its last message, too."""
    station, late = new_bus(), new_bus()
    station.keep("weather", "rare")
    station.publish("rare", 1)
    stopping = threading.Event()

    def send() -> None:
        while not stopping.is_set():
            station.publish("weather", 0)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(20):
            heard = Heard()
            with serving(late):
                late.subscribe("rare", heard, last=True)
                heard.wait_for(1)
    finally:
        stopping.set()
        sender.join()
    heard = Heard()
    with serving(late):
        late.subscribe("rare", heard, last=True)
        heard.wait_for(1)
    assert heard.kept == [1]


def test_a_question_amid_a_burst_is_answered_after_it(local: LocalBus) -> None:
    """A send takes the signal of a question off the descriptor; it is answered all the same."""
    with Publisher(local.publish_to) as publisher:
        publisher.keep("rare")
        publisher.publish("rare", 1)
        late = local.subscriber()
        for burst in range(50, 50 + 5 * BURSTS, 5):
            late.subscribe("rare", last=True)
            for _ in range(burst):
                publisher.publish("stream", 1)
            assert late.receive(5.0) is not None
            late.unsubscribe("rare")


def test_the_same_in_asyncio(local: LocalBus) -> None:
    """There the event loop reads what came, in place of the thread."""

    async def play() -> None:
        async with local.async_bus() as station:
            station.keep("rare")
            await station.publish("rare", 1)
            late = local.subscriber()
            for burst in range(50, 50 + 5 * BURSTS, 5):
                late.subscribe("rare", last=True)
                for _ in range(burst):
                    await station.publish("stream", 1)
                assert await asyncio.to_thread(late.receive, 5.0) is not None
                late.unsubscribe("rare")

    asyncio.run(play())


def test_a_thousand_topics_and_eight_joiners_at_once(local: LocalBus) -> None:
    """Each of eight joiners gets each of a thousand values once."""
    station = local.bus()
    topics = [f"value.{number}" for number in range(1000)]
    station.keep(*topics)
    for number, topic in enumerate(topics):
        station.publish(topic, number)
    joiners = [(Bus(local.listen_on, local.publish_to), Heard()) for _ in range(8)]
    with contextlib.ExitStack() as stack:
        for node, heard in joiners:
            stack.callback(node.close)
            for topic in topics:
                node.subscribe(topic, heard, last=True)
            node.connect()
        with serving(*[node for node, _ in joiners]):
            for _, heard in joiners:
                heard.wait_for(1000)
            local.bus().connect()
    for _, heard in joiners:
        assert sorted(heard.kept) == list(range(1000))  # type: ignore[type-var]
