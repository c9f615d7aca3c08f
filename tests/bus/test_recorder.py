"""The recorder on a real bus: everything, in order, counted; the newest within a second on disk."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from context_bus.bus.forwarder import Forwarder
from context_bus.bus.recorder import Recorder
from context_bus.bus.recording import About, Writer
from context_bus.bus.recording_reader import Recording
from context_bus.kernel.message import split_frame
from context_bus.testing.bus import LocalBus
from context_bus.testing.wait import wait_until


@pytest.fixture
def local() -> Iterator[LocalBus]:
    """A bus on which nothing is dropped."""
    with LocalBus(policy="block") as bus:
        yield bus


@contextmanager
def recording(local: LocalBus, file: io.BytesIO, *topics: str) -> Iterator[Recorder]:
    """A recorder that runs in a thread meanwhile, and is ended in order."""
    with Recorder(local.listen_on, topics, Writer(file, About())) as recorder:
        over = threading.Event()
        thread = threading.Thread(target=recorder.run, args=(over.is_set,), kwargs={"tick": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            over.set()
            thread.join()
            recorder.finish()


def test_everything_is_recorded_in_order(local: LocalBus) -> None:
    """Frames byte for byte as a subscriber gets them, of every kind of sending, with growing times."""
    file = io.BytesIO()
    witness = local.subscriber("", hwm=0)
    publisher = local.publisher()
    with recording(local, file) as recorder:

        def are_both_there() -> bool:
            publisher.send("ready", b"{}")
            return witness.receive(0) is not None and recorder.tallies.has("ready")

        wait_until(are_both_there)
        for number in range(3000):
            publisher.publish("numbers", {"number": number}, action="updated")
            if number % 100 == 0:
                publisher.publish_many("many", range(150))
                publisher.send("plain", b'{"header":{}}')
                publisher.publish("numbers", number, service_id="ts_1")
        publisher.publish("last", None)
        wait_until(lambda: recorder.tallies.has("last"))
    heard = []
    while (got := witness.receive(5.0)) is not None:
        if got[0] != "ready":
            heard.append(got)
        if got[0] == "last":
            break
    recorded = list(Recording(io.BytesIO(file.getvalue())).messages())
    frames = [split_frame(frame) for _, frame in recorded]
    assert [each for each in frames if each[0] != "ready"] == heard
    assert [at for at, _ in recorded] == sorted(at for at, _ in recorded)
    sums = {tally.topic: (tally.messages, tally.missed) for tally in recorder.tallies.rows()}
    del sums["ready"]
    assert sums == {"numbers": (3030, 0), "many": (4500, 0), "plain": (30, 0), "last": (1, 0)}


def test_only_the_topics_asked_for(local: LocalBus) -> None:
    """The filter is exact, and works in the forwarder."""
    file = io.BytesIO()
    publisher = local.publisher()
    with recording(local, file, "a", "b") as recorder:
        for topic in ("a", "b"):
            publisher.wait_for_subscriber(topic, 5.0)
        for topic in ("a", "ab", "c", "b"):
            publisher.publish(topic, 1)
        wait_until(lambda: recorder.tallies.has("b"))
    assert [tally.topic for tally in recorder.tallies.rows()] == ["a", "b"]


def test_what_came_is_written_within_a_second_of_silence(local: LocalBus) -> None:
    """One message and then nothing: it is in the file all the same, before anybody ends anything."""
    file = io.BytesIO()
    publisher = local.publisher()
    with recording(local, file):
        wait_until(lambda: publisher.audience.has(b""))
        publisher.publish("numbers", 1)
        wait_until(lambda: list(Recording(io.BytesIO(file.getvalue())).messages()), 3.0)


def test_gaps_are_counted(local: LocalBus) -> None:
    """What the numbers say is missing."""
    file = io.BytesIO()
    publisher = local.publisher()
    with recording(local, file) as recorder:
        wait_until(lambda: publisher.audience.has(b""))
        publisher.publish("numbers", 1)
        publisher._sent.of("numbers", numbered=True)[0] += 7
        publisher.publish("numbers", 2)
        publisher.relay(b"noise")
        publisher.publish("last", None)
        wait_until(lambda: recorder.tallies.has("last"))
    index = Recording(io.BytesIO(file.getvalue())).sum_up()
    assert [(tally.topic, tally.missed) for tally in index.tallies] == [("last", 0), ("numbers", 7)]
    assert (index.strangers, index.frames) == (1, 3)


def test_end_does_not_wait_for_a_flood_to_end(local: LocalBus) -> None:
    """Whoever publishes on and on does not keep a recorder from ending."""
    file = io.BytesIO()
    publisher = local.publisher()
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            publisher.publish("numbers", 1)

    thread = threading.Thread(target=flood)
    with recording(local, file) as recorder:
        thread.start()
        wait_until(lambda: recorder.tallies.has("numbers"))
    stop.set()
    thread.join()
    assert Recording(io.BytesIO(file.getvalue())).is_whole


def test_missing_forwarder_is_told_once_and_its_coming_too() -> None:
    """Nothing answers: that is said after a second; then it is there: that is said, too."""
    with LocalBus() as local:
        endpoint = local.listen_on
    links: list[bool] = []
    with Recorder(endpoint, (), Writer(io.BytesIO(), About())) as recorder:
        recorder.on_link = links.append
        recorder.run(lambda: bool(links), until=10.0)
        assert links == [False]
        with Forwarder(back_bind=endpoint):
            recorder.run(lambda: len(links) > 1, until=recorder.elapsed + 10.0)
    assert links == [False, True]
