"""Tests of last values that a third party keeps: for senders that have ended, and those of old."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import msgspec
import pytest

from context_bus.bus import remembering
from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.forwarder import SETTLE, Forwarder
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.remembering import Memory, Values
from context_bus.errors import NotConnected
from context_bus.kernel.ids import new_token
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving
from tests.bus.test_last_values import Heard


@pytest.fixture
def memory(local: LocalBus) -> Iterator[Memory]:
    """Somebody who keeps two topics."""
    kept = Memory(local.listen_on, local.publish_to, ("weather", "status"))
    kept.start(5.0)
    yield kept
    kept.close()


class Sender(Publisher):
    """A publisher that knows when what it sent has passed the forwarder."""

    def __init__(self, local: LocalBus, **identity: str) -> None:
        super().__init__(local.publish_to, **identity)  # type: ignore[arg-type]
        self._passed = f"passed.{new_token(4)}"
        self._witness = local.subscriber(self._passed)
        for topic in (self._passed, "weather"):
            self.wait_for_subscriber(topic, 5.0)

    def passed(self) -> None:
        """Wait until all that was sent has come to those who listen to it, or is on its way to them."""
        self.publish(self._passed, None)
        assert self._witness.receive(5.0) is not None


@contextlib.contextmanager
def publisher(local: LocalBus, **identity: str) -> Iterator[Sender]:
    """A sender whose messages reach the listeners of the topic, and that ends then."""
    with Sender(local, **identity) as sender:
        yield sender
        sender.passed()


def last(local: LocalBus, topic: str, count: int) -> Heard:
    """What a late joiner gets, and nothing more until another has come after it."""
    node, heard = Bus(local.listen_on, local.publish_to), Heard()
    node.subscribe(topic, heard, last=True)
    node.connect()
    with serving(node):
        heard.wait_for(count)
        local.bus().connect()
    node.close()
    return heard


def test_values_outlive_their_senders(local: LocalBus, memory: Memory) -> None:
    """Who has ended is still heard; each sender has one value, and topics not named have none."""
    for name in ("a", "b"):
        with publisher(local, sender=name) as sender:
            sender.publish("weather", f"old of {name}")
            sender.publish("weather", f"new of {name}")
            sender.publish("other", 1)
    assert sorted(last(local, "weather", 2).kept) == ["new of a", "new of b"]  # type: ignore[type-var]


def test_a_service_that_was_restarted_has_one_value(local: LocalBus, memory: Memory) -> None:
    """The value of an earlier process of a service does not linger beside that of the next."""
    for run in (1, 2, 3):
        for transaction in ("A", "B"):
            with publisher(local, service_id="station", transaction=transaction) as sender:
                sender.publish("weather", f"{transaction}{run}")
    assert sorted(last(local, "weather", 2).kept) == ["A3", "B3"]  # type: ignore[type-var]


def test_a_batch_leaves_its_last_message(local: LocalBus, memory: Memory) -> None:
    """Of many in one frame the last is kept, with its own number."""
    with publisher(local, sender="a") as sender:
        sender.publish_many("weather", ["x"] * 149 + ["last"])
    assert last(local, "weather", 1).all == [("a", 150, "last", True)]


def test_senders_of_old_have_a_value_each(local: LocalBus, memory: Memory) -> None:
    """Without number and sender they are known by their service."""
    with publisher(local) as sender:
        for name in ("x", "y"):
            for value in (1, 2):
                header = {"action": "", "service_id": name, "service_name": "n", "service_transaction": "T"}
                sender.send("weather", msgspec.json.encode({"header": header, "content": f"{name}{value}"}))
    assert sorted(last(local, "weather", 2).kept) == ["x2", "y2"]  # type: ignore[type-var]


def test_a_sender_that_keeps_it_too_is_heard_once(local: LocalBus, memory: Memory) -> None:
    """Two answer with the same message: the joiner has it once."""
    with publisher(local, sender="a") as sender:
        sender.keep("weather")
        sender.publish("weather", 1)
        sender.publish("weather", 2)
        sender.passed()
        assert last(local, "weather", 1).all == [("a", 2, 2, True)]


def test_rubbish_is_kept_and_harms_nobody(local: LocalBus, memory: Memory) -> None:
    """Bytes that are no message neither end the memory nor hide the values of others."""
    with publisher(local, sender="a") as sender:
        for rubbish in (b"", b"\xff", b"{}", b'{"header":{"batch":3},"content":1}', b"[" * 100_000):
            sender.send("weather", rubbish)
        sender.publish("weather", 1)
    assert last(local, "weather", 1).kept == [1]


def test_topics_can_be_changed(local: LocalBus, memory: Memory) -> None:
    """What is still wanted stays, what is new is kept from then on, the rest is forgotten."""
    with publisher(local, sender="a") as sender:
        sender.publish("weather", 1)
        sender.publish("status", 1)
        memory.want(("weather", "new"))
        sender.wait_for_subscriber("new", 5.0)
        wait_until(lambda: not sender.has_subscriber("status"), 5.0)
        sender.publish("new", 1)
    assert last(local, "new", 1).kept == [1]
    node, heard = local.bus(), Heard()
    node.subscribe("status", heard, last=True)
    node.subscribe("weather", heard, last=True)
    with serving(node):
        heard.wait_for(1)
        local.bus().connect()
    assert len(heard.all) == 1


def test_values_survive_a_forwarder() -> None:
    """The forwarder dies, the senders are gone: a late joiner at its successor has the value."""
    with Forwarder() as forwarder:
        ends = forwarder.listen_on, forwarder.publish_to
        kept = Memory(*ends, ("weather",))
        kept.start(5.0)
        with Publisher(forwarder.publish_to, sender="a") as sender:
            sender.wait_for_subscriber("weather", 5.0)
            sender.publish("weather", 1)
            wait_until(lambda: forwarder.statistics().received >= 1, 5.0)
        waiting, heard = Bus(*ends), Heard()
        waiting.subscribe("weather", heard, last=True)
        waiting.connect()
        with serving(waiting):
            heard.wait_for(1)
            forwarder.kill()
            forwarder.start(settle=SETTLE)
            late, others = Bus(*ends), Heard()
            late.subscribe("weather", others, last=True)
            late.connect()
            with serving(late):
                others.wait_for(1)
            late.close()
            with Bus(*ends) as again:
                again.publish("weather", 2)
                heard.wait_for(2)
        waiting.close()
        kept.close()
    assert others.kept == [1]
    assert heard.contents == [1, 2]


def test_no_forwarder_is_said() -> None:
    """A memory that reaches nobody says so, and can be closed."""
    nobody = Memory(free_endpoint(), free_endpoint(), ("weather",))
    with pytest.raises(NotConnected, match="no forwarder answers"):
        nobody.start(0.05)
    nobody.close()


def test_the_oldest_of_too_many_senders_is_forgotten() -> None:
    """The bound holds, and it is the one silent longest that goes."""
    values = Values(senders=3)
    for name in ("a", "b", "c", "a", "d"):
        values.take(msgspec.json.encode({"header": {"sender": name}, "content": name}))
    assert [msgspec.json.decode(body)["content"] for body in values.all()] == ["c", "a", "d"]
    assert remembering.SENDERS == 1000


def test_a_memory_that_is_behind_does_not_answer_with_an_older_value(local: LocalBus, memory: Memory) -> None:
    """All has passed the forwarder before the joiner came, and is still to be read here: it waits for it."""
    count, batch = 300, 1000
    content = msgspec.json.encode(["x" * 100] * batch)
    with Sender(local) as sender:
        before = local.statistics().received
        for number in range(count):
            header = b'{"header":{"sender":"a","sequence":%d,"batch":%d},"content":%b}'
            sender.send("weather", header % (number * batch + 1, batch, content))
        wait_until(lambda: local.statistics().received - before >= count, 10.0)
        assert last(local, "weather", 1).all[0][:2] == ("a", count * batch)


@pytest.mark.slow
def test_joins_beside_a_stream_see_no_older_value_than_what_they_missed(
    local: LocalBus, memory: Memory
) -> None:
    """The memory answers after all that passed the forwarder before a joiner was there: never with a gap."""
    stopping = threading.Event()

    def stream(sender: Publisher) -> None:
        number = 0
        while not stopping.wait(0.0003):
            number += 1
            sender.publish("weather", number)

    with publisher(local, sender="a") as sender:
        thread = threading.Thread(target=stream, args=(sender,))
        thread.start()
        try:
            for _ in range(200):
                numbers = [number for _, number, _, _ in last(local, "weather", 10).all]
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
        finally:
            stopping.set()
            thread.join()
