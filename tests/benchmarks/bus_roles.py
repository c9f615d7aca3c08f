"""The processes of the bus benchmark: one role each, ours beside bare pyzmq with msgspec.

The bare side is what a careful user writes by hand for one message type: a Struct with header and
content, one kept socket, number and time set, gaps counted.
"""

from __future__ import annotations

import asyncio
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import zmq

from context_bus.bus.aio import AsyncBus
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher

TOPIC = "process"
SEPARATOR = b" @@@ "
#: Seconds between repetitions of the last message: the default policy drops, and the last may be among them.
LAST_WORD = 0.1
IDENTITY = {"service_id": "ts_100", "service_name": "state_update", "transaction": "6FDAHH3WPRVV7FGZCRIN"}


class Memory(msgspec.Struct):
    """Part of a status."""

    rss: float
    vms: float
    percent: float


class Status(msgspec.Struct):
    """Part of a reading."""

    result: str
    device_action: str
    pid: int
    reason: str
    memory: Memory


class Child(msgspec.Struct):
    """Part of a reading."""

    pid: int
    status: str
    name: str
    cpu: float
    rss: float
    ok: bool


class Small(msgspec.Struct):
    """The smallest content; both kinds know their own number, -1 ends a run."""

    number: int
    value: float


class Reading(msgspec.Struct, omit_defaults=True):
    """What a task service publishes."""

    number: int
    status: Status
    notes: str
    children: list[Child] = []


class BareHeader(msgspec.Struct):
    """What the bare side's receiver needs to count, and the four routing fields."""

    action: str
    service_id: str
    service_name: str
    service_transaction: str
    sequence: int
    sent_at: float


class BareSmall(msgspec.Struct):
    """The bare message."""

    header: BareHeader
    content: Small


class BareReading(msgspec.Struct):
    """The bare message."""

    header: BareHeader
    content: Reading


def content_of(size: str) -> Any:
    """The content whose bare frame has about this size."""
    if size == "100 B":
        return Small(0, 20.5)
    status = Status(
        "success", "pass_state1", 21398, "process is running within its limits", Memory(23.41, 311.07, 0.1873)
    )
    count = {"400 B": 0, "1.5 kB": 13, "10 kB": 119}[size]
    children = [Child(21400 + i, "sleeping", "python3", 1.5 + i, 20.25 + i, True) for i in range(count)]
    return Reading(0, status, "x" * 26, children)


def bare_message(size: str) -> Any:
    """The same in the bare side's message."""
    fields = ("", "", "", "") if size == "100 B" else ("updated", *IDENTITY.values())
    model = BareSmall if size == "100 B" else BareReading
    return model(BareHeader(*fields, 0, time.time()), content_of(size))


def frame_sizes(size: str) -> int:
    """Bytes of the bare frame."""
    return len(TOPIC) + len(SEPARATOR) + len(msgspec.json.encode(bare_message(size)))


# -- throughput: subscribers ---------------------------------------------------------------------


def bare_subscriber(pipe: Connection, listen_on: str, publish_to: str, size: str, tag: str) -> None:
    context = zmq.Context()
    sock = context.socket(zmq.SUB)
    sock.linger = 0
    sock.subscribe(TOPIC.encode() + SEPARATOR)
    sock.subscribe(tag.encode())
    sock.connect(listen_on)
    decode = msgspec.json.Decoder(type(bare_message(size))).decode
    pipe.send("up")
    cpu = time.process_time()
    recv = sock.recv
    expected = got = lost = 0
    while True:
        _, _, body = recv().partition(SEPARATOR)
        message = decode(body)
        header = message.header
        if header.sequence != expected:
            lost += header.sequence - expected
        expected = header.sequence + 1
        got += 1
        if message.content.number < 0:
            break
    pipe.send((time.perf_counter(), got, lost, time.process_time() - cpu))
    context.destroy(0)


def our_subscriber(pipe: Connection, listen_on: str, publish_to: str, size: str, tag: str) -> None:
    bus = Bus(listen_on, publish_to)
    model = type(content_of(size))
    got = 0

    def handler(content: Any) -> None:
        nonlocal got
        got += 1
        if content.number < 0:
            pipe.send((time.perf_counter(), got, bus.stats().lost, time.process_time() - cpu))
            bus.stop()

    bus.subscribe(TOPIC, handler, type=model)
    bus.connect()
    pipe.send("up")
    cpu = time.process_time()
    bus.serve()
    bus.close()


def our_async_subscriber(pipe: Connection, listen_on: str, publish_to: str, size: str, tag: str) -> None:
    async def main() -> None:
        bus = AsyncBus(listen_on, publish_to)
        model = type(content_of(size))
        got = 0

        async def handler(content: Any) -> None:
            nonlocal got
            got += 1
            if content.number < 0:
                pipe.send((time.perf_counter(), got, bus.stats().lost, time.process_time() - cpu))
                bus.stop()

        bus.subscribe(TOPIC, handler, type=model)
        await bus.connect()
        pipe.send("up")
        cpu = time.process_time()
        await bus.serve()
        await bus.close()

    asyncio.run(main())


# -- throughput: publishers ----------------------------------------------------------------------


def bare_publisher(pipe: Connection, publish_to: str, size: str, count: int, tags: list[str]) -> None:
    context = zmq.Context()
    sock = context.socket(zmq.XPUB)
    sock.linger = -1
    sock.set(zmq.XPUB_NODROP, 1)
    sock.connect(publish_to)
    missing = {b"\x01" + tag.encode() for tag in tags}
    while missing:
        missing.discard(sock.recv())
    prefix = TOPIC.encode() + SEPARATOR
    encode, send, now = msgspec.json.Encoder().encode, sock.send, time.time
    message = bare_message(size)
    header, content = message.header, message.content
    pipe.send("up")
    pipe.recv()
    begin, cpu = time.perf_counter(), time.process_time()
    for number in range(count):
        content.number = header.sequence = number
        header.sent_at = now()
        send(prefix + encode(message))
    header.sequence, content.number = count, -1
    send(prefix + encode(message))
    pipe.send((begin, time.process_time() - cpu))
    while not pipe.poll(LAST_WORD):
        send(prefix + encode(message))
    context.destroy(0)


def our_publisher(pipe: Connection, publish_to: str, size: str, count: int, tags: list[str]) -> None:
    identity = {} if size == "100 B" else IDENTITY
    action = "" if size == "100 B" else "updated"
    with Publisher(publish_to, **identity) as publisher:
        publisher.wait_for_subscriber(TOPIC, 10)
        content = content_of(size)
        pipe.send("up")
        pipe.recv()
        begin, cpu = time.perf_counter(), time.process_time()
        publish = publisher.publish
        for number in range(count):
            content.number = number
            publish(TOPIC, content, action=action)
        content.number = -1
        publish(TOPIC, content, action=action)
        pipe.send((begin, time.process_time() - cpu))
        while not pipe.poll(LAST_WORD):
            publish(TOPIC, content, action=action)


def our_batch_publisher(pipe: Connection, publish_to: str, size: str, count: int, tags: list[str]) -> None:
    with Publisher(publish_to, **IDENTITY) as publisher:
        publisher.wait_for_subscriber(TOPIC, 10)
        content = content_of(size)
        part = [content] * 100
        last = msgspec.structs.replace(content, number=-1)
        pipe.send("up")
        pipe.recv()
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(count // len(part)):
            publisher.publish_many(TOPIC, part, action="updated")
        publisher.publish(TOPIC, last, action="updated")
        pipe.send((begin, time.process_time() - cpu))
        while not pipe.poll(LAST_WORD):
            publisher.publish(TOPIC, last, action="updated")


# -- requests ------------------------------------------------------------------------------------


def queue_proxy(pipe: Connection) -> None:
    """The proxy of the bare side: REQ -> ROUTER/DEALER -> REP."""
    context = zmq.Context()
    front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    for sock in (front, back):
        sock.linger = 0
        sock.bind("tcp://127.0.0.1:0")
    pipe.send(tuple(sock.get(zmq.LAST_ENDPOINT).decode() for sock in (front, back)))
    threading.Thread(target=_end_with, args=(pipe, context), daemon=True).start()
    try:
        zmq.proxy(front, back)
    except zmq.ContextTerminated:
        front.close(0)
        back.close(0)


def _end_with(pipe: Connection, context: Any) -> None:
    pipe.poll(None)
    context.term()


def bare_responder(pipe: Connection, endpoint: str, _: str) -> None:
    context = zmq.Context()
    sock = context.socket(zmq.REP)
    sock.linger = 0
    sock.connect(endpoint)
    decode, encode = msgspec.json.Decoder(BareReading).decode, msgspec.json.Encoder().encode
    pipe.send("up")
    poller = zmq.Poller()
    poller.register(sock, zmq.POLLIN)
    poller.register(pipe.fileno(), zmq.POLLIN)
    while pipe.fileno() not in dict(poller.poll()):
        message = decode(sock.recv())
        message.header.action = "reply"
        message.header.sent_at = time.time()
        sock.send(encode(message))
    context.destroy(0)


def our_responder(pipe: Connection, listen_on: str, publish_to: str) -> None:
    with Bus(listen_on, publish_to, service_id="responder") as bus:

        def handler(content: Reading) -> Reading:
            return content

        bus.subscribe("ask", handler)
        threading.Thread(target=lambda: (pipe.poll(None), bus.stop()), daemon=True).start()
        pipe.send("up")
        bus.serve()


def our_async_responder(pipe: Connection, listen_on: str, publish_to: str) -> None:
    async def main() -> None:
        async with AsyncBus(listen_on, publish_to, service_id="responder") as bus:

            async def handler(content: Reading) -> Reading:
                return content

            bus.subscribe("ask", handler)
            await bus.barrier()
            asyncio.get_running_loop().add_reader(pipe.fileno(), bus.stop)
            pipe.send("up")
            await bus.serve()
            asyncio.get_running_loop().remove_reader(pipe.fileno())

    asyncio.run(main())


def _paced(call: Any, count: int, rate: float) -> list[float]:
    for _ in range(50):
        call()
    spent = []
    due = time.perf_counter()
    for _ in range(count):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
        due = max(due + 1 / rate, time.perf_counter() - 1 / rate)
        time.sleep(max(0.0, due - time.perf_counter()))
    return spent


def bare_requester(pipe: Connection, endpoint: str, _: str, count: int, rate: float) -> None:
    context = zmq.Context()
    sock = context.socket(zmq.REQ)
    sock.linger = 0
    sock.connect(endpoint)
    decode, encode = msgspec.json.Decoder(BareReading).decode, msgspec.json.Encoder().encode
    message = bare_message("400 B")

    def call() -> None:
        message.header.sequence += 1
        message.header.sent_at = time.time()
        sock.send(encode(message))
        decode(sock.recv())

    pipe.send("up")
    pipe.recv()
    pipe.send(_paced(call, count, rate))
    context.destroy(0)


def our_requester(pipe: Connection, listen_on: str, publish_to: str, count: int, rate: float) -> None:
    with Bus(listen_on, publish_to, **{**IDENTITY, "service_id": "requester"}) as bus:
        content = content_of("400 B")
        bus.publisher.wait_for_subscriber("ask", 10)
        pipe.send("up")
        pipe.recv()
        pipe.send(_paced(lambda: bus.request("ask", content, type=Reading), count, rate))


def our_async_requester(pipe: Connection, listen_on: str, publish_to: str, count: int, rate: float) -> None:
    """Paced requests, then for a second 64 in flight."""

    async def main() -> None:
        async with AsyncBus(listen_on, publish_to, **{**IDENTITY, "service_id": "requester"}) as bus:
            content = content_of("400 B")
            await bus.wait_for_subscriber("ask", 10)
            pipe.send("up")
            pipe.recv()
            spent = []
            due = time.perf_counter()
            for number in range(count + 50):
                begin = time.perf_counter()
                await bus.request("ask", content, type=Reading)
                if number >= 50:
                    spent.append(time.perf_counter() - begin)
                due = max(due + 1 / rate, time.perf_counter() - 1 / rate)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            done = 0
            begin = time.perf_counter()

            async def worker() -> None:
                nonlocal done
                while time.perf_counter() - begin < 1.0:
                    await bus.request("ask", content, type=Reading)
                    done += 1

            await asyncio.gather(*[worker() for _ in range(64)])
            pipe.send((spent, done / (time.perf_counter() - begin)))

    asyncio.run(main())
