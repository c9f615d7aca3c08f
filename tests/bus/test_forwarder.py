"""The forwarder as a process: its control, its ends, and what is lost when it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import struct
import threading
import time

import pytest
import zmq

from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.forwarder import SETTLE, Forwarder, run_forwarder
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.subscriber import Subscriber
from context_bus.errors import BusError, EndpointError, NotConnected
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until


def test_steerable_proxy_keeps_its_contract() -> None:
    """What libzmq promises and once took away: STATISTICS gives eight counters, TERMINATE ends the proxy."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    front, back, control = context.socket(zmq.XSUB), context.socket(zmq.XPUB), context.socket(zmq.REP)
    control.bind("inproc://control")
    proxy = threading.Thread(target=zmq.proxy_steerable, args=(front, back, None, control))
    proxy.start()
    remote = context.socket(zmq.REQ)
    remote.connect("inproc://control")
    remote.send(b"STATISTICS")
    parts = remote.recv_multipart()
    assert [struct.unpack("=Q", part) for part in parts] == [(0,)] * 8
    remote.send(b"TERMINATE")
    assert remote.poll(5000)
    remote.recv()
    proxy.join(5)
    assert not proxy.is_alive()
    context.destroy(0)


def test_statistics_count_what_passed() -> None:
    """Each message once, however many listen."""
    with Forwarder() as forwarder, Publisher(forwarder.publish_to) as publisher:
        with Subscriber(forwarder.listen_on) as one, Subscriber(forwarder.listen_on) as two:
            for each, topic in ((one, "a"), (two, "b")):
                each.subscribe("both")
                each.subscribe(topic)
                publisher.wait_for_subscriber(topic, 5)
            for number in range(10):
                publisher.publish("both", number)
            for each in (one, two):
                for _ in range(10):
                    assert each.receive(5)
        # The proxy counts a message after it has sent it.
        wait_until(lambda: forwarder.statistics().sent >= 10, 5, forwarder.statistics)
        statistics = forwarder.statistics()
        assert (statistics.received, statistics.sent) == (10, 10)
        assert statistics.sent_bytes == statistics.received_bytes > 0


def test_stop_ends_the_process_in_order() -> None:
    """And may be repeated; what is asked afterwards is said to be gone."""
    forwarder = Forwarder()
    forwarder.start()
    pid = forwarder.pid
    with pytest.raises(BusError, match="runs already"):
        forwarder.start()
    forwarder.stop()
    forwarder.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(NotConnected, match="does not answer"):
        forwarder.statistics()


def test_busy_port_is_one_clear_line() -> None:
    """It names the address and the remedy; nothing is left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        forwarder = Forwarder(endpoint, "tcp://127.0.0.1:0")
        with pytest.raises(
            EndpointError, match=f"cannot bind {endpoint}: Address already in use; another process"
        ):
            forwarder.start()
        assert not forwarder.is_alive


def test_open_endpoint_is_refused_by_the_process() -> None:
    """The rule stands where the socket is bound."""
    with pytest.raises(EndpointError, match="refused to bind"):
        Forwarder("tcp://*:0").start()
    with Forwarder("tcp://*:0", insecure=True) as forwarder:
        assert forwarder.is_alive


def _owner_that_dies(pipe: multiprocessing.connection.Connection) -> None:
    forwarder = Forwarder()
    forwarder.start()
    pipe.send(forwarder.pid)
    pipe.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def test_forwarder_ends_with_a_killed_owner() -> None:
    """The pipe breaks: no orphan holds the ports."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    owner = spawn.Process(target=_owner_that_dies, args=(theirs,))
    owner.start()
    theirs.close()
    assert ours.poll(20)
    descriptor = os.pidfd_open(ours.recv())
    ours.send("die")
    owner.join(10)
    try:
        wait_until(lambda: _is_over(descriptor), 10, "the forwarder ends")
    finally:
        os.close(descriptor)
        owner.close()
        ours.close()


def _is_over(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


def test_forwarder_thread_ends_when_its_pipe_breaks() -> None:
    """The same code in a thread, as tests use it."""
    ours, theirs = multiprocessing.Pipe()
    ends = ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0")
    thread = threading.Thread(target=run_forwarder, args=(*ends, theirs))
    thread.start()
    assert ours.recv()[0] == "ready"
    ours.close()
    thread.join(5)
    assert not thread.is_alive()
    theirs.close()


def test_killed_forwarder_loses_what_it_held_and_each_is_reported() -> None:
    """1000 messages a second, killed, half a second down: what is missing is known, and little.

    What it held in the instant of the kill is a handful on a calm machine, which a benchmark measures.
    """
    forwarder = Forwarder(free_endpoint(), free_endpoint())
    forwarder.start()
    heard: list[int] = []
    with Bus(forwarder.listen_on, forwarder.publish_to) as node:
        node.subscribe("t", heard.append, type=int)
        node.subscribe("end", lambda _: node.stop())
        server = threading.Thread(target=node.serve)
        server.start()
        ended = threading.Event()
        with Publisher(forwarder.publish_to) as publisher:
            publisher.wait_for_subscriber("end", 5)
            feeder = threading.Thread(target=_feed, args=(publisher, ended))
            feeder.start()
            wait_until(lambda: len(heard) > 300, describe=lambda: len(heard))
            os.kill(forwarder.pid, signal.SIGKILL)
            forwarder.kill()
            assert not ended.wait(0.5)  # the outage
            forwarder.start(settle=SETTLE)
            before = len(heard)
            wait_until(lambda: len(heard) > before + 900, 20, lambda: len(heard))
            ended.set()
            feeder.join()
            publisher.publish("t", -1)
            publisher.publish("end", None)
            server.join(10)
            sent = publisher.sent - 1
        stats = node.stats().topics["t"]
    forwarder.stop()
    assert heard[-1] == -1
    missing = sent - len(heard)
    assert stats.lost == missing == sum(stats.lost_by_sender.values())
    assert missing < 100


def _feed(publisher: Publisher, ended: threading.Event) -> None:
    due, number = time.monotonic(), 0
    while not ended.is_set():
        publisher.publish("t", number)
        number += 1
        due += 0.001
        ended.wait(max(0.0, due - time.monotonic()))


@pytest.mark.parametrize("policy", ["drop", "block"])
def test_slow_listener_under_each_policy(policy: str) -> None:
    """Goal 16: what a listener misses is exactly what it is told; ``block`` loses nothing."""
    count, size = 5_000, 2_000
    with LocalBus(policy=policy, hwm=100) as local:  # type: ignore[arg-type]
        slow, publisher = local.subscriber("t", "end", hwm=10), local.publisher()
        publisher.wait_for_subscriber("end", 5)

        def flood() -> None:
            for _ in range(count):
                publisher.publish("t", "x" * size)

        flooding = threading.Thread(target=flood)
        flooding.start()
        if policy == "drop":
            flooding.join()  # it does not wait for the listener
            wait_until(lambda: local.statistics().received == count, describe=local.statistics)
        received = 0
        while received < count and slow.receive(0.5 if policy == "drop" else 10):
            received += 1
        flooding.join()
        publisher.publish("t", "last")  # a gap shows at the message after it
        while (found := slow.receive(5)) and b'"last"' not in found[1]:
            received += 1
        assert found is not None
        received += 1
        assert slow.received == received
        assert slow.lost == count + 1 - received
        assert (slow.lost > 0) is (policy == "drop")
