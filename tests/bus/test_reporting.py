"""Reports of real nodes: exact, on time, and none when nobody listens."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import pytest
import zmq

from context_bus.bus.aio import AsyncBus
from context_bus.bus.endpoint import free_endpoint
from context_bus.bus.forwarder import Forwarder
from context_bus.bus.insight import TopicRow
from context_bus.bus.latency import BUNCH, Picking
from context_bus.bus.node import Bus
from context_bus.bus.publisher import Publisher
from context_bus.bus.report import INBOXES, STATS_TOPIC
from context_bus.client.endpoints import Endpoints
from context_bus.client.insight import BusWatch
from context_bus.kernel.message import Frame
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving

SPAWN = multiprocessing.get_context("spawn")


def watch(bus: LocalBus | Forwarder) -> BusWatch:
    """Watch a bus."""
    return BusWatch(Endpoints(bus.listen_on, bus.publish_to))


def row_of(watching: BusWatch, topic: str, sender: str) -> TopicRow | None:
    """The row of a sender, after what has come was taken in."""
    watching.read(0.05)
    rows = watching.insight.rows(time.monotonic())
    return next((row for row in rows if (row.topic, row.sender) == (topic, sender)), None)


def wait_for_row(
    watching: BusWatch, topic: str, sender: str, is_right: Callable[[TopicRow], bool], deadline: float = 10.0
) -> TopicRow:
    """Wait until a row is as it should be."""

    def look() -> TopicRow | None:
        row = row_of(watching, topic, sender)
        return row if row is not None and is_right(row) else None

    row = wait_until(look, deadline, lambda: watching.insight.rows(time.monotonic()))
    assert row is not None
    return row


def reporters() -> list[str]:
    """Threads that report."""
    return [thread.name for thread in threading.enumerate() if thread.name == "bus-stats"]


def frame_size(bus: LocalBus, topic: str) -> tuple[threading.Thread, list[int]]:
    """Add up the bytes of a topic's frames until an empty one comes."""
    context = zmq.Context()
    sock = context.socket(zmq.SUB)
    sock.linger = 0
    sock.subscribe(topic.encode())
    sock.connect(bus.listen_on)
    sizes: list[int] = []

    def run() -> None:
        while sock.poll(5000) and not (frame := sock.recv()).endswith(b"@@@ "):
            sizes.append(len(frame))
        context.destroy(0)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, sizes


def test_every_message_and_byte_is_counted_once_by_topic_and_sender(local: LocalBus) -> None:
    """One by one, in batches, with other headers, as requests; each sender has its own row."""
    first, second = local.bus(service_id="ts_1", transaction="T1"), local.bus(service_id="ts_2")
    counting, sizes = frame_size(local, "prices")
    wait_until(lambda: first.publisher.audience.has(b"prices"), describe="the counting socket is known")
    with watch(local) as watching:
        wait_until(lambda: all(each.publisher.has_subscriber(STATS_TOPIC) for each in (first, second)))
        for number in range(300):
            first.publish("prices", {"number": number})
        first.publish_many("prices", [{"number": number} for number in range(250)])
        first.publisher.publish("prices", {"other": "header"}, service_id="ts_9")
        second.publish("prices", "x" * 5000)
        row = wait_for_row(watching, "prices", first.publisher.sender, lambda row: row.messages >= 551)
        other = wait_for_row(watching, "prices", second.publisher.sender, lambda row: row.messages >= 1)
        assert (row.messages, other.messages) == (551, 1)
        assert (row.service_id, row.transaction, other.service_id) == ("ts_1", "T1", "ts_2")
        second.publisher._send(b"prices @@@ ")  # ends the counting
        counting.join()
        assert row.bytes + other.bytes == sum(sizes)


def test_receivers_tell_what_they_got_and_could_not_read(local: LocalBus) -> None:
    """By sender; a number that cannot be one is rejected, and arrived all the same."""
    node, sender = local.bus(), local.bus()

    def on_number(number: int) -> None:
        pass

    node.subscribe("numbers", on_number)
    sender.publisher.wait_for_subscriber("numbers", 5)
    with watch(local) as watching, serving(node):
        for content in (1, 2, "three", 4):
            sender.publish("numbers", content)
        row = wait_for_row(watching, "numbers", sender.publisher.sender, lambda row: row.received == 4)
        assert (row.messages, row.rejected, row.lost, row.receivers) == (4, 1, 0, 1)


def test_flood_past_the_high_water_mark_loses_exactly_what_is_reported() -> None:
    """What a slow listener's forwarder dropped, to the message, with the sender's name."""
    with LocalBus(policy="drop", hwm=100) as local:
        slow, sender, other = Bus(local.listen_on, local.publish_to, hwm=10), local.bus(), local.bus()
        with slow, watch(local) as watching:
            gate, heard = threading.Event(), {sender.publisher.sender: 0, other.publisher.sender: 0}

            def on_frame(frame: Frame) -> None:
                gate.wait(30)
                for name in heard:
                    heard[name] += name.encode() in frame.body

            slow.subscribe("flood", on_frame)
            with serving(slow):
                for number in range(20_000):
                    (sender if number % 3 else other).publish("flood", "x" * 300)
                gate.set()

                # A last message of each, which shows what is missing before it.
                def is_complete() -> bool:
                    sender.publish("flood", "last")
                    other.publish("flood", "last")
                    return all(
                        (row := row_of(watching, "flood", each.publisher.sender)) is not None
                        and row.received + row.lost == row.messages
                        for each in (sender, other)
                    )

                wait_until(is_complete, 20)
                rows = {row.sender: row for row in watching.insight.rows(time.monotonic())}
            for name, count in heard.items():
                assert rows[name].lost > 100
                # The handler may be a message or two further than the last report.
                assert 0 <= count - rows[name].received <= 3
                assert rows[name].lost == rows[name].messages - rows[name].received


def test_conflated_messages_are_not_lost_ones(local: LocalBus) -> None:
    """The handler wants the newest; what was left out is counted apart."""
    node, sender = local.bus(), local.bus()
    heard: list[int] = []

    def on_number(number: int) -> None:
        heard.append(number)
        time.sleep(0.01)

    node.subscribe("numbers", on_number, policy="conflate")
    with watch(local) as watching, serving(node):
        sender.publish("numbers", -1)
        wait_until(lambda: heard)  # what came before the first is not known to be missing
        for number in range(1999):
            sender.publish("numbers", number)
        wait_until(lambda: heard[-1] == 1998)
        row = wait_for_row(
            watching,
            "numbers",
            sender.publisher.sender,
            lambda row: row.messages == row.received + row.conflated == 2000,
        )
        assert (row.lost, row.received) == (0, len(heard))
        assert row.conflated > 0


def test_delays_are_within_a_tenth_of_the_truth(local: LocalBus) -> None:
    """Of messages that say they were sent seconds ago: what the machine adds is nothing beside that."""
    node, sender = local.bus(), local.bus()
    node.subscribe("t", lambda content: None)
    sender.publisher.wait_for_subscriber("t", 5)
    true = [random.Random(11).lognormvariate(1.0, 0.3) for _ in range(3000)]
    with watch(local) as watching, serving(node):
        wait_until(lambda: node._listening.latencies is not None, describe="delays are measured")
        for number, delay in enumerate(true, 1):
            at = time.time() - delay
            header = f'{{"sender":"{sender.publisher.sender}","sequence":{number},"sent_at":{at}}}'
            sender.publisher.send("t", f'{{"header":{header},"content":1}}'.encode())
            if number % 4 == 0:  # bunches of four at most
                wait_until(lambda number=number: node.stats().received == number)  # type: ignore[misc]
        row = wait_for_row(
            watching, "t", sender.publisher.sender, lambda row: row.received == 3000 and row.p50 is not None
        )
    ordered = sorted(true)
    for share, found in ((0.5, row.p50), (0.9, row.p90), (0.99, row.p99)):
        assert found is not None
        assert abs(found - ordered[int(share * 3000)]) < 0.1 * ordered[int(share * 3000)]


@pytest.mark.parametrize("there", [1, 2, 20, BUNCH])
def test_any_message_of_a_bunch_is_looked_at_with_the_same_chance(there: int) -> None:
    """Though nobody knows beforehand how many there are: the one chosen last counts."""
    random.seed(5)
    counts = [0] * there
    for _ in range(1_000 * there):
        ahead = iter(range(there))
        picking = Picking(lambda _flags, ahead=ahead: b"%d" % next(ahead))  # type: ignore[misc]
        while picking.taken < there:
            receive, most = picking.next()
            for _ in range(min(most, there - picking.taken)):
                receive(0)
                picking.taken += 1
        counts[int(picking.frame)] += 1
    assert all(850 < count < 1150 for count in counts), counts


@pytest.mark.parametrize("stop_at", [1, 2, 3, 30])
def test_stop_in_a_handler_ends_after_its_message_while_somebody_watches(
    local: LocalBus, stop_at: int
) -> None:
    """Whether the message is looked at or not."""
    node, sender, got = local.bus(), local.bus(), list[int]()

    def take(content: int) -> None:
        got.append(content)
        if content == stop_at:
            node.stop()

    node.subscribe("t", take)
    with watch(local) as watching:
        with serving(node):
            sender.publish("t", 0)
            wait_for_row(watching, "t", sender.publisher.sender, lambda row: row.received == 1)
        assert node._listening.latencies is not None
        for number in range(1, 41):
            sender.publish("t", number)
        node.serve()
        assert got == list(range(stop_at + 1))


def test_nobody_reports_when_nobody_listens(local: LocalBus) -> None:
    """Not before, and not after the last one has left; there is no thread for it either."""
    node, sender, late = local.bus(), local.bus(), local.publisher()
    node.subscribe("t", lambda content: None)
    with serving(node):
        sender.publish("t", 1)
        assert not reporters()
        before = local.statistics().received
        for _ in range(2):
            with watch(local) as first, watch(local) as second:
                wait_until(lambda: sender.publisher.has_subscriber(STATS_TOPIC))
                sender.publish("t", 1)
                assert wait_for_row(first, "t", sender.publisher.sender, lambda row: row.messages > 0)
                assert wait_for_row(second, "t", sender.publisher.sender, lambda row: row.messages > 0)
                assert reporters()
            wait_until(lambda: not reporters(), describe="reports end")
            assert node._listening.latencies is None
        assert local.statistics().received > before
        sent = local.statistics().received
        sender.publish("t", 1)
        wait_until(lambda: local.statistics().received == sent + 1)
        late.publish("t", 1)  # it reads only now that somebody came, and that he left
        assert not reporters()


def test_second_watcher_has_everything_at_once(local: LocalBus) -> None:
    """Though nothing is new, and the forwarder tells nobody of a second listener to the same topic."""
    sender = local.bus()
    sender.publish("t", 1)
    with watch(local) as first:
        wait_until(lambda: sender.publisher.has_subscriber(STATS_TOPIC))
        sender.publish("t", 2)
        wait_for_row(first, "t", sender.publisher.sender, lambda row: row.messages == 2)
        with watch(local) as second:
            wait_for_row(second, "t", sender.publisher.sender, lambda row: row.messages == 2, 5.0)


def test_idle_node_that_serves_tells_its_totals(local: LocalBus) -> None:
    """It hears of the watcher without sending, and without being sent anything."""
    node = local.bus(service_id="idle")
    node.subscribe("t", lambda content: None)
    node.publish("t", 1)
    with serving(node):
        wait_until(lambda: node.stats().received == 1)
        with watch(local) as watching:
            row = wait_for_row(watching, "t", node.publisher.sender, lambda row: row.received == 1, 5.0)
            assert row.messages == 1


def test_publisher_alone_reports_at_its_next_send_and_its_last_word(local: LocalBus) -> None:
    """It has no loop that could hear of the watcher; closing counts as looking."""
    idle, brief = local.publisher(), Publisher(local.publish_to)
    idle.publish("t", 1)
    brief.publish("u", 1)
    sender = brief.sender
    with watch(local) as watching:
        wait_until(lambda: idle.has_subscriber(STATS_TOPIC))
        idle.publish("t", 2)
        wait_for_row(watching, "t", idle.sender, lambda row: row.messages == 2)
        brief.close()
        row = wait_for_row(watching, "u", sender, lambda row: row.is_gone)
        assert row.messages == 1


def test_last_messages_before_silence_are_told_and_then_the_rate_falls(local: LocalBus) -> None:
    """Without another send."""
    sender = local.bus()
    with watch(local) as watching:
        wait_until(lambda: sender.publisher.has_subscriber(STATS_TOPIC))
        for number in range(500):
            sender.publish("t", number)
        wait_for_row(watching, "t", sender.publisher.sender, lambda row: row.messages == 500)
        wait_for_row(watching, "t", sender.publisher.sender, lambda row: row.rate == 0.0)


def test_async_node_reports(local: LocalBus) -> None:
    """What it sent and what it got, while its loop does something else."""

    async def main() -> None:
        async with local.async_bus(service_id="ts_1") as node:
            heard = asyncio.Event()

            async def on_number(number: int) -> None:
                if number == 99:
                    heard.set()

            node.subscribe("numbers", on_number)
            await node.barrier()
            serving = asyncio.create_task(node.serve())
            with watch(local) as watching:
                await asyncio.to_thread(wait_until, lambda: node._listening.latencies is not None)
                for number in range(100):
                    await node.publish("numbers", number)
                await heard.wait()
                row = await asyncio.to_thread(
                    wait_for_row,
                    watching,
                    "numbers",
                    node.publisher.sender,
                    lambda row: row.messages == row.received == 100 and row.p50 is not None,
                )
                assert (row.bytes > 0, row.lost, row.service_id) == (True, 0, "ts_1")
            node.stop()
            await serving

    asyncio.run(main())


def test_strangers_are_told_by_those_who_hear_them(local: LocalBus) -> None:
    """A raw socket that sends frames without numbers has a row without a name."""
    node = local.bus()
    node.subscribe("raw", lambda content: None)
    context = zmq.Context()
    sock = context.socket(zmq.XPUB)
    sock.linger = 0
    sock.connect(local.publish_to)
    try:
        while sock.recv() != b"\x01raw @@@ ":
            pass
        with watch(local) as watching, serving(node):
            wait_until(lambda: node._listening.latencies is not None)
            for _ in range(70):
                sock.send(b'raw @@@ {"header":{},"content":1}')
            row = wait_for_row(watching, "raw", "", lambda row: row.messages == 70)
            assert (row.bytes, row.p50) == (0, None)
    finally:
        context.destroy(0)


def test_answers_to_inboxes_are_one_row(local: LocalBus) -> None:
    """Each requester has a topic of its own; a thousand of them are not a thousand rows."""
    node, asker = local.bus(), local.bus()

    def answer(number: int) -> int:
        return number

    node.subscribe("ask", answer)
    asker.publisher.wait_for_subscriber("ask", 5)
    with watch(local) as watching, serving(node):
        for number in range(20):
            assert asker.request("ask", number) == number
        wait_for_row(watching, INBOXES, node.publisher.sender, lambda row: row.messages == 20)


def test_watching_goes_on_with_another_forwarder() -> None:
    """Killed and replaced on the same ports: totals go on where they were."""
    front, back = free_endpoint(), free_endpoint()
    forwarder = Forwarder(front, back)
    forwarder.start()
    try:
        with Bus(back, front) as node, watch(forwarder) as watching:
            node.subscribe("t", lambda content: None)
            with serving(node):
                node.publish("t", 1)
                wait_for_row(watching, "t", node.publisher.sender, lambda row: row.received == 1)
                forwarder.kill()
                forwarder.start(settle=0.05)
                node._barrier(10)
                node.publish("t", 2)
                row = wait_for_row(watching, "t", node.publisher.sender, lambda row: row.received == 2)
                assert row.messages == 2
            watching.close()
            wait_until(lambda: not reporters(), describe="reports end at the new forwarder, too")
    finally:
        forwarder.stop()


def publish_and_wait(pipe: Connection, publish_to: str, count: int) -> None:
    """A process that publishes, and goes only when it is told."""
    with Publisher(publish_to, service_id="ts_far") as publisher:
        publisher.wait_for_subscriber("far", 10)
        publisher.wait_for_subscriber(STATS_TOPIC, 10)
        for number in range(count):
            publisher.publish("far", number)
        pipe.send(publisher.sender)
        pipe.recv()


@pytest.fixture
def far(process_forwarder: Forwarder) -> Iterator[Callable[[int], tuple[str, Connection]]]:
    """Start processes that publish."""
    with contextlib.ExitStack() as stack:

        def start(count: int) -> tuple[str, Connection]:
            ours, theirs = SPAWN.Pipe()
            process = SPAWN.Process(
                target=publish_and_wait, args=(theirs, process_forwarder.publish_to, count)
            )
            process.start()
            theirs.close()
            stack.callback(process.join)
            stack.callback(ours.close)
            assert ours.poll(30)
            return ours.recv(), ours

        yield start


def test_processes_report_each_for_itself(
    process_forwarder: Forwarder, far: Callable[[int], tuple[str, Connection]]
) -> None:
    """Exactly, and with a last word when they end."""
    node = Bus(process_forwarder.listen_on, process_forwarder.publish_to)
    with node, watch(process_forwarder) as watching:
        node.subscribe("far", lambda content: None)
        with serving(node):
            sender, pipe = far(3000)
            row = wait_for_row(watching, "far", sender, lambda row: row.messages == row.received == 3000)
            assert (row.service_id, row.lost) == ("ts_far", 0)
            pipe.send("end")
            wait_for_row(watching, "far", sender, lambda row: row.is_gone)


def test_full_queue_does_not_hide_a_node() -> None:
    """A publisher that waits for a slow listener is reported all the same: by a way of its own."""
    with LocalBus(policy="block", hwm=10) as local:
        slow = Bus(local.listen_on, local.publish_to, hwm=10)
        sender = Bus(local.listen_on, local.publish_to, send_hwm=10, send_timeout=30)
        with slow, sender, watch(local) as watching:
            slow.subscribe("t", lambda content: time.sleep(0.002))
            done = threading.Event()

            def flood() -> None:
                while not done.is_set():
                    sender.publish("t", "x" * 50_000)

            flooding = threading.Thread(target=flood)
            with serving(slow):
                flooding.start()
                row = wait_for_row(watching, "t", sender.publisher.sender, lambda row: row.rate > 0, 20)
                assert row.lost == 0
                done.set()
                flooding.join()


def test_async_node_that_waits_for_room_is_not_disturbed() -> None:
    """Reports must not take the signal away by which its loop learns that there is room again."""

    async def main() -> None:
        with LocalBus(policy="block", hwm=10) as local:
            slow = local.bus()
            slow.subscribe("t", lambda content: time.sleep(0.0005))
            with serving(slow), watch(local) as watching:
                node = AsyncBus(local.listen_on, local.publish_to, send_hwm=10)
                async with node:
                    for _ in range(2000):
                        await node.publish("t", "x" * 20_000)
                    await asyncio.to_thread(
                        wait_for_row, watching, "t", node.publisher.sender, lambda row: row.messages == 2000
                    )

    asyncio.run(main())
