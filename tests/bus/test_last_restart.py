"""Tests of last values in trouble: forwarders that die, listeners that join amid a stream or are slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from context_bus.bus.forwarder import SETTLE, Forwarder, Policy
from context_bus.bus.listening import Delivery
from context_bus.bus.node import Bus
from context_bus.kernel.message import Message
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving
from tests.bus.test_last_values import Heard

#: Joins of the stress test.
JOINS = 500


@pytest.fixture
def mortal() -> Iterator[Forwarder]:
    """A forwarder process that a test may kill."""
    with Forwarder() as forwarder:
        yield forwarder


def _replace(forwarder: Forwarder) -> None:
    forwarder.start(settle=SETTLE)


@pytest.mark.parametrize("policy", ["queue", "conflate"])
def test_a_new_forwarder_brings_what_changed_meanwhile_once(mortal: Forwarder, policy: Delivery) -> None:
    """A value set while nobody forwards comes once; one that did not change does not come again."""
    ends = mortal.listen_on, mortal.publish_to
    with Bus(*ends) as station, Bus(*ends) as idle, Bus(*ends) as listener:
        changed, same = Heard(), Heard()
        station.keep("changed")
        idle.keep("same")
        with serving(listener):
            listener.subscribe("changed", changed, policy=policy, last=True)
            listener.subscribe("same", same, policy=policy, last=True)
            station.publish("changed", 1)
            idle.publish("same", 1)
            changed.wait_for(1)
            same.wait_for(1)
            mortal.kill()
            station.publish("changed", 2)
            _replace(mortal)
            changed.wait_for(2)
            with Bus(*ends) as late:  # asks after them, so they have answered by then
                late_heard = Heard()
                late.subscribe("same", late_heard, last=True)
                with serving(late):
                    late_heard.wait_for(1)
            idle.publish("same", 2)
            same.wait_for(2)
    assert changed.contents == [1, 2]
    assert same.contents == [1, 2]
    assert same.kept == []


def test_what_was_lost_with_a_forwarder_comes_as_kept(mortal: Forwarder) -> None:
    """A listener that was late at the new forwarder has the newest value, and counts what it missed."""
    ends = mortal.listen_on, mortal.publish_to
    with Bus(*ends) as station, Bus(*ends) as listener:
        heard = Heard()
        station.keep("weather")
        listener.subscribe("weather", heard, last=True)
        station.publisher.wait_for_subscriber("weather", 5.0)
        with serving(listener):
            station.publish("weather", 1)
            heard.wait_for(1)
        mortal.kill()
        mortal.start()  # the listener is not served, so it is not back yet
        with Bus(*ends) as witness:
            seen = Heard()
            witness.subscribe("weather", seen)
            with serving(witness):
                for value in range(2, 8):
                    station.publish("weather", value)
                seen.wait_for(1)
                wait_until(lambda: seen.contents[-1] == 7, 5.0, lambda: seen.contents)
        with serving(listener):
            heard.wait_for(2)
            wait_until(lambda: heard.contents[-1] == 7, 5.0, lambda: heard.contents)
        stats = listener.stats().topics["weather"]
    numbers = [number for _, number, _, _ in heard.all]
    assert numbers == sorted(set(numbers))
    assert stats.received + stats.kept + stats.lost == 7
    assert stats.received + stats.kept == len(heard.all)


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "policy"), [("drop", "queue"), ("block", "queue"), ("drop", "conflate")])
def test_joins_in_a_stream_have_no_gap_and_go_never_back(rule: Policy, policy: Delivery) -> None:
    """Each join gets the kept value and from then on every one: nothing twice, left out or older."""
    stopping = threading.Event()
    with LocalBus(policy=rule) as local:
        station, old, heard = local.bus(), local.bus(), []
        station.keep("stream")
        # Besides its own worth: a topic that its last listener leaves is not sent for a moment, and then what
        # comes before the kept value may have gaps.
        old.subscribe("stream", heard.append, type=int)
        station.publisher.wait_for_subscriber("stream", 5.0)

        def stream() -> None:
            number = 0
            while not stopping.wait(0.0003):
                number += 1
                station.publish("stream", number)
            station.publish("stream", -1)

        sender = threading.Thread(target=stream)
        sender.start()
        try:
            with serving(old):
                for _ in range(JOINS if policy == "queue" else JOINS // 10):
                    _join_and_look(local, policy)
                stopping.set()
                wait_until(lambda: bool(heard) and heard[-1] == -1, 10.0)
        finally:
            stopping.set()
            sender.join()
        assert heard == [*range(1, len(heard)), -1]


def _join_and_look(local: LocalBus, policy: Delivery) -> None:
    heard, enough = [], threading.Event()

    def take(message: Message[int]) -> None:
        heard.append((message.header.sequence, message.header.kept is True))
        if len(heard) >= 10:
            enough.set()

    node = Bus(local.listen_on, local.publish_to)
    try:
        node.subscribe("stream", take, policy=policy, last=True)
        node.connect()
        with serving(node):
            assert enough.wait(10.0), heard
        numbers = [number for number, _ in heard]
        assert numbers == sorted(set(numbers)), heard
        if policy == "queue":
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), heard
            assert node.stats().lost == 0
    finally:
        node.close()


def test_a_listener_over_its_mark_gets_the_newest_after_all() -> None:
    """What a dropping forwarder kept from a slow listener is counted, and what it asks for comes in order."""
    with LocalBus(policy="drop", hwm=10) as local:
        station = local.bus()
        station.keep("stream")
        slow, heard = Bus(local.listen_on, local.publish_to, hwm=10), Heard()
        slow.subscribe("stream", heard)
        slow.connect()
        station.publisher.wait_for_subscriber("stream", 5.0)
        for number in range(1, 20_001):
            station.publish("stream", {"number": number, "filling": "x" * 500})
        with serving(slow):
            wait_until(lambda: slow.stats().received > 0, 5.0)
            late = Heard()
            slow.subscribe("stream", late, last=True)
            sent = 20_000

            def publish_and_look() -> bool:
                # What comes while the listener is over its mark is dropped, the newest too: so once more.
                nonlocal sent
                sent += 1
                station.publish("stream", {"number": sent})
                return any(number > 20_000 for _, number, _, _ in late.all)

            wait_until(publish_and_look, 10.0)
            wait_until(lambda: any(number == sent for _, number, _, _ in late.all), 10.0)
        stats = slow.stats().topics["stream"]
        slow.close()
    numbers = [number for _, number, _, _ in late.all]
    assert numbers == sorted(set(numbers))
    assert stats.received + stats.lost + len(late.kept) == sent
