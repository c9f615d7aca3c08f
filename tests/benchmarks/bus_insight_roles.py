"""The processes of the benchmark of insight: raw streams, and our nodes at both ends of one."""

from __future__ import annotations

import contextlib
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import zmq

from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.cli.meter import Rate
from context_bus.cli.rates import measure
from context_bus.client.endpoints import Endpoints
from context_bus.client.insight import BusWatch
from context_bus.kernel.message import Frame
from tests.benchmarks.bus_roles import content_of

TOPIC = b"raw @@@ "
#: A frame of 400 bytes, and the last one of a run.
FRAME, LAST = TOPIC + b"x" * (400 - len(TOPIC)), TOPIC + b"end"


# -- raw: what the forwarder alone can do ----------------------------------------------------------


def plain_proxy(pipe: Connection) -> None:
    """``zmq.proxy`` and nothing else, that loses nothing."""
    context = zmq.Context()
    front, back = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
    back.set(zmq.XPUB_NODROP, 1)
    for sock in (front, back):
        sock.linger = 0
        sock.bind("tcp://127.0.0.1:0")
    pipe.send(tuple(sock.get(zmq.LAST_ENDPOINT).decode().rstrip("\0") for sock in (front, back)))
    with contextlib.suppress(zmq.ContextTerminated):
        zmq.proxy(front, back)


def raw_publisher(pipe: Connection, publish_to: str, count: int) -> None:
    """Send as fast as it is taken."""
    context = zmq.Context()
    sock = context.socket(zmq.XPUB)
    sock.linger = -1
    sock.set(zmq.XPUB_NODROP, 1)
    sock.connect(publish_to)
    while sock.recv() != b"\x01" + TOPIC:
        pass
    pipe.send("up")
    pipe.recv()
    send = sock.send
    pipe.send(time.perf_counter())
    for _ in range(count):
        send(FRAME)
    send(LAST)
    pipe.recv()
    context.destroy(0)


def raw_subscriber(pipe: Connection, listen_on: str) -> None:
    """Take all there is."""
    context = zmq.Context()
    sock = context.socket(zmq.SUB)
    sock.linger = 0
    sock.subscribe(TOPIC)
    sock.connect(listen_on)
    pipe.send("up")
    recv, got = sock.recv, 0
    while recv() != LAST:
        got += 1
    pipe.send((time.perf_counter(), got))
    pipe.recv()
    context.destroy(0)


# -- ours ------------------------------------------------------------------------------------------


def watcher(pipe: Connection, listen_on: str, publish_to: str) -> None:
    """Watch until told to end; tell how many reports came, and the rows."""
    with BusWatch(Endpoints(listen_on, publish_to)) as watching:
        watching.read(5.0)
        pipe.send("up")
        reports = 0
        while not pipe.poll(0):
            reports += watching.read(0.1)
        pipe.recv()
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            reports += watching.read(0.1)
        pipe.send((reports, watching.insight.rows(time.monotonic())))


def flooding(pipe: Connection, publish_to: str, topic: str, seconds: float, rate: float = 0.0) -> None:
    """Publish messages of 400 bytes for some seconds, at a rate or as fast as they are taken.

    Tells how many it sent, in how long, with how much processor time, and when it had sent how many.
    """
    with Publisher(publish_to, service_id="flood", send_timeout=30) as publisher:
        publisher.wait_for_subscriber(topic, 10)
        content = content_of("400 B")
        publish, clock = publisher.publish, time.monotonic
        publish(topic, content)  # what comes before the first that arrives is not known to be missing
        pipe.send(publisher.sender)
        pipe.recv()
        began, cpu, sent = clock(), time.process_time(), 1
        line = [(began, 1)]
        while (now := clock()) < began + seconds:
            for _ in range(20 if not rate else max(0, int((now - began) * rate) - sent)):
                content.number = sent
                publish(topic, content)
                sent += 1
            if now > line[-1][0] + 0.005:
                line.append((clock(), sent))
            if rate:
                time.sleep(0.0005)
        pipe.send((sent, clock() - began, time.process_time() - cpu, line))
        while not pipe.poll(0.1):  # a last word again and again: gaps show when something comes after them
            publish(topic, content)
            sent += 1
        pipe.recv()
        pipe.send(sent)


def hearing(
    pipe: Connection, listen_on: str, publish_to: str, topic: str, pause: float, policy: Any = "queue"
) -> None:
    """Handle messages, each with a pause; at the end tell what came, what was counted, and what it cost."""
    bus = Bus(listen_on, publish_to, hwm=1000)
    heard, ages, began, ended, cpu = 0, [], 0.0, 0.0, 0.0

    def handler(frame: Frame) -> None:
        nonlocal heard, began, ended, cpu
        heard += 1
        ended = time.perf_counter()
        if not began:
            began, cpu = ended, time.process_time()
        if pause and not is_fast.is_set():
            at = frame.body.partition(b'"sent_at":')[2].partition(b"}")[0].partition(b",")[0]
            ages.append(time.time() - float(at))
            time.sleep(pause)

    bus.subscribe(topic, handler, policy=policy)
    bus.connect()
    is_fast = threading.Event()

    def obey() -> None:
        while pipe.recv() == "fast":
            is_fast.set()
        bus.stop()

    thread = threading.Thread(target=obey, daemon=True)
    thread.start()
    pipe.send("up")
    bus.serve()
    thread.join()
    stats = bus.stats().topics[topic]
    pipe.send((heard, ended - began, stats, ages, (time.process_time() - cpu) / heard))
    bus.close()


def measuring(pipe: Connection, listen_on: str, count: int) -> None:
    """Do what ``bus hz`` and ``bus bw`` do; tell each report with its time, and the processor time of all."""
    reports: list[tuple[float, Rate]] = []
    cpu = time.process_time()
    measure(
        listen_on,
        ["flood"],
        window=None,
        count=count,
        timeout=10.0,
        report=lambda rate: reports.append((time.monotonic(), rate)),
    )
    pipe.send((reports, time.process_time() - cpu))
