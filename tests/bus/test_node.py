"""What a node promises, on a forwarder in a thread and on one that is a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.errors import BusError, FrameError, NotConnected
from context_bus.kernel.message import Frame, Header, Message
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving

NewBus = Callable[..., Bus]


class Price(msgspec.Struct):
    """A content."""

    symbol: str
    value: float


def test_publish_reaches_a_typed_handler(new_bus: NewBus) -> None:
    """The handler's annotation says what the content is decoded as."""
    node, heard = new_bus(), []

    def on_price(price: Price) -> None:
        heard.append(price)
        node.stop()

    node.subscribe("prices", on_price)
    node.publish("prices", Price("X", 1.5))
    node.serve()
    assert heard == [Price("X", 1.5)]


def test_message_annotation_gives_header_and_content(new_bus: NewBus) -> None:
    """Message[T] is the whole message, with the routing fields, number, time and sender filled in."""
    node, other = new_bus(), new_bus(service_name="ticker", service_id="ts_1", transaction="T1")
    heard: list[Message[Price]] = []

    def on_price(message: Message[Price]) -> None:
        heard.append(message)
        if len(heard) == 2:
            node.stop()

    node.subscribe("prices", on_price)
    other.publisher.wait_for_subscriber("prices", 5)
    other.publish("prices", Price("X", 1.5), action="updated")
    other.publisher.publish("prices", Price("Y", 2.5), service_id="ts_9", reply_to=None)
    node.serve()
    first, second = (message.header for message in heard)
    assert (first.action, first.service_id, first.service_name, first.service_transaction) == (
        "updated",
        "ts_1",
        "ticker",
        "T1",
    )
    assert (first.sequence, second.sequence, second.service_id) == (1, 2, "ts_9")
    assert first.sender == second.sender == other.publisher.sender
    assert heard[1].content == Price("Y", 2.5)


def test_frame_annotation_gives_undecoded_body(new_bus: NewBus) -> None:
    """What is not a message, as on topic process, is read as it came."""
    node, heard = new_bus(), []

    def on_frame(frame: Frame) -> None:
        heard.append(frame)
        node.stop()

    node.subscribe("process", on_frame)
    node.publisher.send("process", b'{"id": "ts_1", "Task": "a @@@ b"}')
    node.serve()
    assert heard == [Frame("process", b'{"id": "ts_1", "Task": "a @@@ b"}')]


def test_two_handlers_of_one_topic_both_get_it(new_bus: NewBus) -> None:
    """Each decodes as it likes; the message is counted once."""
    node, prices, values = new_bus(), [], []

    def on_price(price: Price) -> None:
        prices.append(price)

    def on_value(content: dict[str, Any]) -> None:
        values.append(content["value"])
        if len(values) == 3:
            node.stop()

    node.subscribe("prices", on_price)
    node.subscribe("prices", on_value)
    for value in (1.0, 2.0, 3.0):
        node.publish("prices", Price("X", value))
    node.serve()
    assert [price.value for price in prices] == values == [1.0, 2.0, 3.0]
    assert node.stats().topics["prices"].received == 3


def test_two_nodes_of_one_topic_both_get_it(new_bus: NewBus) -> None:
    """A topic is not a queue."""
    nodes, heard = [new_bus(), new_bus()], []
    for node in nodes:
        node.subscribe("t", lambda content: heard.append(content))
    new_bus().publish("t", 1)
    with serving(*nodes):
        wait_until(lambda: heard == [1, 1], describe=lambda: heard)


def test_neighbour_topics_are_not_received(new_bus: NewBus) -> None:
    """The filter is exact: neither a longer nor a shorter topic passes."""
    node, heard = new_bus(), []
    node.subscribe("price", lambda content: heard.append(content))
    node.subscribe("end", lambda _: node.stop())
    for topic in ("prices", "pric", "price.x", "price", "end"):
        node.publish(topic, topic)
    node.serve()
    assert heard == ["price"]


def test_empty_topic_hears_everything(new_bus: NewBus) -> None:
    """For tools; a handler of one topic beside it still gets its own."""
    node, everything, prices = new_bus(), [], []

    def on_any(frame: Frame) -> None:
        everything.append(frame.topic)
        if frame.topic == "end":
            node.stop()

    node.subscribe("prices", lambda content: prices.append(content))
    node.subscribe("", on_any)
    for topic in ("prices", "other", "end"):
        node.publish(topic, 1)
    node.serve()
    assert (everything, prices) == (["prices", "other", "end"], [1])


def test_published_batch_arrives_one_by_one(new_bus: NewBus) -> None:
    """publish_many is for speed: handlers do not notice, and the numbers go on."""
    node, numbers, lists = new_bus(), [], []

    def on_number(message: Message[int]) -> None:
        numbers.append((message.header.sequence, message.content))

    def on_list(content: list[int]) -> None:
        lists.append(content)

    node.subscribe("n", on_number)
    node.subscribe("lists", on_list)
    node.subscribe("end", lambda _: node.stop())
    node.publish("n", -1)
    assert node.publish_many("n", range(250)) == 250
    node.publish("n", -2)
    node.publish_many("lists", [[1], [2, 3]])
    node.publish("end", None)
    node.serve()
    assert numbers == list(enumerate([-1, *range(250), -2], start=1))
    assert lists == [[1], [2, 3]]
    stats = node.stats()
    assert (stats.received, stats.lost, stats.rejected, stats.sent) == (255, 0, 0, 255)


@pytest.mark.parametrize(
    "frame",
    [
        b"t @@@ ", b"t @@@ null", b"t @@@ []", b"t @@@ {", b"t @@@ \xff\xfe", b't @@@ {"header":{}}',
        b't @@@ {"header":[],"content":1}', b't @@@ {"header":{"sequence":-1,"sender":"x"},"content":"no"}',
        b't @@@ {"header":{"sequence":"1"},"content":1}', b't @@@ {"header":{"batch":3},"content":[1]}',
        b't @@@ {"header":{"batch":-1},"content":1}', b't @@@ {"header":{"batch":2},"content":["a","b"]}',
        b"t @@@ " + b"[" * 100_000,
        b't @@@ {"header":{"sender":"\xff"},"content":1}', b't @@@ {"header":{"x":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_malformed_frame_is_counted_and_not_raised(new_bus: NewBus, frame: bytes) -> None:
    """Any bytes may come over the bus; serve goes on."""
    node, heard = new_bus(), []

    def on_number(content: int) -> None:
        heard.append(content)
        node.stop()

    node.subscribe("t", on_number)
    node.publisher._send_frame(frame, 0.0, [0, 0])
    node.publish("t", 7)
    node.serve()
    assert heard == [7]
    assert node.stats().rejected == 1


def test_bytes_without_topic_are_counted(new_bus: NewBus) -> None:
    """Who hears everything hears rubbish too."""
    node = new_bus()
    node.subscribe("", lambda _: None)
    node.subscribe("end", lambda _: node.stop())
    for frame in (b"", b"@@@", b"no separator", b"\xff @@@ {}", b" @@@ {}"):
        node.publisher._send_frame(frame, 0.0, [0, 0])
    node.publish("end", None)
    node.serve()
    assert node.stats().rejected == 5


def test_rejected_message_is_not_taken_for_lost(new_bus: NewBus) -> None:
    """It arrived; a gap would be a false alarm."""
    node = new_bus()

    def on_number(content: int) -> None:
        if content == 3:
            node.stop()

    node.subscribe("t", on_number)
    for content in (1, "two", 3):
        node.publish("t", content)
    node.serve()
    stats = node.stats()
    assert (stats.received, stats.rejected, stats.lost) == (3, 1, 0)


@pytest.mark.parametrize("annotated", [True, False], ids=["typed", "untyped"])
def test_bytes_that_are_no_message_do_not_end_serve(new_bus: NewBus, annotated: bool) -> None:
    """Not UTF-8, not JSON, nested too deeply: counted, and what follows is delivered."""
    node = new_bus()

    def on_number(content: int) -> None:
        node.stop()

    node.subscribe("t", on_number if annotated else lambda content: node.stop())
    bodies = (b"\xff", b"\xc3\x28", b'{"header": {"action": "\x80"}}', b'{"content":' + b"[" * 100_000, b"")
    for body in bodies:
        node.publisher._send_frame(b"t @@@ " + body, 0.0, [0, 0])
    node.publish("t", 1)
    node.serve()
    assert node.stats().rejected == len(bodies)


def test_handler_that_raises_ends_serve(new_bus: NewBus) -> None:
    """Let it crash: the owner of the handler decides."""
    node = new_bus()
    node.subscribe("t", lambda content: 1 / content)
    node.publish("t", 0)
    with pytest.raises(ZeroDivisionError):
        node.serve()


def test_stop_before_serve_is_not_lost(new_bus: NewBus) -> None:
    """A stop that is faster than its serve counts; the next serve runs again."""
    node = new_bus()
    node.stop()
    node.serve()
    node.subscribe("t", lambda _: node.stop())
    node.publish("t", 1)
    node.serve()


def test_stop_ends_after_the_message_in_hand(new_bus: NewBus) -> None:
    """Not after all that is queued: a slow handler would hold its service for minutes."""
    node, heard = new_bus(), []

    def on_number(content: int) -> None:
        heard.append(content)
        node.stop()

    node.subscribe("t", on_number)
    for number in range(10):
        node.publish("t", number)
    node.serve()
    assert heard == [0]


def test_subscribe_while_another_thread_serves(new_bus: NewBus) -> None:
    """It returns when the bus knows of it: the next message arrives."""
    node, other, heard = new_bus(), new_bus(), threading.Event()
    with serving(node):
        node.subscribe("late", lambda _: heard.set())
        other.publisher.wait_for_subscriber("late", 5)
        other.publish("late", 1)
        assert heard.wait(10)


def test_subscribe_inside_a_handler(new_bus: NewBus) -> None:
    """The serving thread may listen to more."""
    node, heard = new_bus(), []

    def on_first(content: int) -> None:
        node.subscribe("second", on_second)
        node.publish("second", content + 1)

    def on_second(content: int) -> None:
        heard.append(content)
        node.stop()

    node.subscribe("first", on_first)
    node.publish("first", 1)
    node.serve()
    assert heard == [2]


def test_topic_that_cannot_be_subscribed_is_refused(new_bus: NewBus) -> None:
    """Also when another thread serves: the error comes to who asked."""
    node = new_bus()
    with serving(node), pytest.raises(FrameError, match="cannot listen"):
        node.subscribe("a @@@ b", lambda _: None)


def test_second_thread_may_not_serve(new_bus: NewBus) -> None:
    """One owner for the sockets."""
    node, begun = new_bus(), threading.Event()
    node.subscribe("t", lambda _: begun.set())
    with serving(node):
        node.publish("t", 1)
        assert begun.wait(10)
        with pytest.raises(BusError, match="served by another thread"):
            node.serve()


def test_close_inside_a_handler_is_refused(new_bus: NewBus) -> None:
    """It would wait for itself for ever."""
    node = new_bus()
    node.subscribe("t", lambda _: node.close())
    node.publish("t", 1)
    with pytest.raises(BusError, match="let it call stop"):
        node.serve()


async def _async_handler(content: int) -> None:
    """A handler of the other kind."""


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (lambda: None, "takes 0 arguments"),
        (lambda a, b: None, "takes 2 arguments"),
        (_async_handler, "AsyncBus"),
    ],
)
def test_handler_that_cannot_work_is_refused_at_once(
    new_bus: NewBus, handler: Callable[..., object], reason: str
) -> None:
    """Not at the first message."""
    with pytest.raises(TypeError, match=reason):
        new_bus().subscribe("t", handler)


def test_connect_without_a_forwarder_says_so() -> None:
    """One clear line, in the time given, and nothing left open."""
    node = Bus(free_endpoint(), free_endpoint())
    with pytest.raises(NotConnected, match="is the context provider running"):
        node.connect(timeout=0.1)
    node.close()
    with pytest.raises(BusError, match="expected tcp"):
        Bus("tcp//127.0.0.1:1", free_endpoint()).close()


def test_message_published_just_before_close_arrives(ends: tuple[str, str], new_bus: NewBus) -> None:
    """Close waits until the last word has left."""
    node, heard = new_bus(), []

    def on_number(content: int) -> None:
        heard.append(content)
        if content == 4:
            node.stop()

    node.subscribe("t", on_number)
    for number in range(5):
        with Publisher(ends[1]) as publisher:
            publisher.wait_for_subscriber("t", 5)
            publisher.publish("t", number)
    node.serve()
    assert heard == [0, 1, 2, 3, 4]


def test_threads_of_a_node_share_a_publisher(new_bus: NewBus) -> None:
    """Numbers follow the order of sending, whoever sends."""
    node, total = new_bus(), 4 * 500
    seen = 0

    def on_number(content: int) -> None:
        nonlocal seen
        seen += 1
        if seen == total:
            node.stop()

    node.subscribe("t", on_number)
    threads = [
        threading.Thread(target=lambda: [node.publish("t", 1) for _ in range(total // 4)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    node.serve()
    for thread in threads:
        thread.join()
    stats = node.stats()
    assert (stats.received, stats.lost, stats.sent) == (total, 0, total)


def test_frame_of_an_old_sender_is_read(new_bus: NewBus) -> None:
    """Indented JSON, four header fields, no number."""
    node, heard = new_bus(), []

    def on_control(message: Message[dict[str, Any]]) -> None:
        heard.append(message)
        node.stop()

    node.subscribe("control", on_control)
    node.publisher.send(
        "control",
        b'{\n    "content": {\n        "status": {}\n    },\n    "header": {\n        "action": "started",\n'
        b'        "service_id": "ts001",\n        "service_name": "n",\n'
        b'        "service_transaction": "T"\n    }\n}',
    )
    node.serve()
    assert heard == [Message(Header("started", "ts001", "n", "T"), {"status": {}})]
    assert node.stats().topics["control"].received == 1
