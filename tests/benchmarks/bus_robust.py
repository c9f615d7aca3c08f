"""What the bus benchmark measures besides speed: joining, many subscriptions, outages, frozen forwarders."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import NamedTuple

from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.forwarder import SETTLE, Forwarder
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import Subscriber
from context_bus.context.forward import forward
from context_bus.process.spawn import shut_down, spawn
from context_bus.testing.wait import wait_until


class Joins(NamedTuple):
    """Seconds for each join, and how many first messages were lost."""

    seconds: list[float]
    lost: int


def joins(count: int) -> Joins:
    """New nodes that publish at once to an old listener."""
    heard = 0
    seconds = []
    with Forwarder() as forwarder, Subscriber(forwarder.listen_on) as old:
        old.subscribe("hello")
        for _ in range(count):
            begin = time.perf_counter()
            node = Bus(forwarder.listen_on, forwarder.publish_to)
            node.connect()
            seconds.append(time.perf_counter() - begin)
            node.publish("hello", 1)
            heard += old.receive(1.0) is not None
            node.close()
    return Joins(seconds, count - heard)


def subscriptions(count: int) -> float:
    """Seconds until the last of many subscriptions made at once is known to a publisher."""
    with (
        Forwarder() as forwarder,
        Publisher(forwarder.publish_to) as publisher,
        Subscriber(forwarder.listen_on) as listener,
    ):
        listener.subscribe("first")
        publisher.wait_for_subscriber("first", 10)
        topics = [f"topic.{number}" for number in range(count)]
        begin = time.perf_counter()
        for topic in topics:
            listener.subscribe(topic)
        publisher.wait_for_subscriber(topics[-1], 30)
        spent = time.perf_counter() - begin
        assert all(publisher.has_subscriber(topic) for topic in topics[:: max(1, count // 100)])
        return spent


def frozen() -> float:
    """Seconds until the forwarder of a provider is known to be stopped."""
    return asyncio.run(_frozen())


async def _frozen() -> float:
    ends = (free_endpoint(), free_endpoint())
    child = await asyncio.to_thread(spawn, "forwarder", forward, *ends, False, 0.0, "drop")
    known = asyncio.Event()
    child.on_stopped(lambda is_stopped: known.set())
    assert child.channel.poll(5)
    assert child.channel.recv()[0] == "ready"
    begin = time.perf_counter()
    os.kill(child.pid, signal.SIGSTOP)
    try:
        await asyncio.wait_for(known.wait(), 10)
        return time.perf_counter() - begin
    finally:
        await asyncio.to_thread(shut_down)


class Outage(NamedTuple):
    """What a killed forwarder cost."""

    lost: int
    reported: int


def outage() -> Outage:
    """A forwarder killed at 1000 messages a second, replaced half a second later."""
    forwarder = Forwarder(free_endpoint(), free_endpoint())
    forwarder.start()
    got = 0

    def on_number(_: int) -> None:
        nonlocal got
        got += 1

    ended = threading.Event()
    with Bus(forwarder.listen_on, forwarder.publish_to) as node, Publisher(forwarder.publish_to) as publisher:
        node.subscribe("t", on_number)
        node.subscribe("end", lambda _: node.stop())
        publisher.wait_for_subscriber("end", 5)

        def feed() -> None:
            due = time.monotonic()
            while not ended.is_set():
                publisher.publish("t", 1)
                due += 0.001
                ended.wait(max(0.0, due - time.monotonic()))

        server, feeder = threading.Thread(target=node.serve), threading.Thread(target=feed)
        server.start()
        feeder.start()
        wait_until(lambda: got > 300)
        forwarder.kill()
        ended.wait(0.5)
        forwarder.start(settle=SETTLE)
        before = got
        wait_until(lambda: got > before + 900, 20)
        ended.set()
        feeder.join()
        publisher.publish("t", -1)
        publisher.publish("end", None)
        server.join(10)
        node.stop()
        lost = publisher.sent - 1 - got
        reported = node.stats().topics["t"].lost
    forwarder.stop()
    return Outage(lost, reported)
