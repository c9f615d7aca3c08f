"""The listener of the tools: everything or chosen topics, and word of endpoints that are missing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import zmq

from context_bus.cli.listen import BATCH, Listener
from context_bus.errors import FrameError


@pytest.fixture
def source() -> Iterator[zmq.Socket[bytes]]:
    """A publisher that sees who subscribes, and lets frames wait for them."""
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.linger = 0
    socket.sndhwm = 0
    socket.rcvtimeo = 10_000
    socket.bind("tcp://127.0.0.1:0")
    yield socket
    socket.close()
    context.term()


def endpoint_of(socket: zmq.Socket[bytes]) -> str:
    """Where a socket is bound."""
    return socket.get(zmq.LAST_ENDPOINT).decode().rstrip("\0")


def soon(seconds: float = 10.0) -> float:
    """A deadline that a working program meets."""
    return time.monotonic() + seconds


def test_everything_is_heard_as_it_came(source: zmq.Socket[bytes]) -> None:
    """Without topics every frame arrives, odd ones and those of several parts included."""
    with Listener([endpoint_of(source)]) as listener:
        assert source.recv() == b"\x01"
        sent = [b"a @@@ 1", b"\xff\x00", b""]
        for frame in sent:
            source.send(frame)
        source.send_multipart([b"b @@@ ", b"2"])
        heard: list[bytes] = []
        while len(heard) < 4:
            heard += listener.receive(soon())
        assert heard == [*sent, b"b @@@ 2"]


def test_topics_are_filtered_exactly(source: zmq.Socket[bytes]) -> None:
    """The filter is the topic with its separator, so that no longer topic slips through."""
    with Listener([endpoint_of(source)], ["a", "b"]) as listener:
        assert {source.recv(), source.recv()} == {b"\x01a @@@ ", b"\x01b @@@ "}
        for frame in (b"ab @@@ 0", b"a @@@ 1", b"c @@@ 0", b"b @@@ 2"):
            source.send(frame)
        heard: list[bytes] = []
        while len(heard) < 2:
            heard += listener.receive(soon())
        assert heard == [b"a @@@ 1", b"b @@@ 2"]


def test_flood_comes_in_bunches(source: zmq.Socket[bytes]) -> None:
    """However much waits, one call hands over a bunch; nothing is lost."""
    with Listener([endpoint_of(source)], whole=False) as listener:
        source.recv()
        for number in range(5 * BATCH):
            source.send(b"n @@@ %d" % number)
        heard: list[bytes] = []
        while len(heard) < 5 * BATCH:
            bunch = listener.receive(soon())
            assert 0 < len(bunch) <= BATCH
            heard += bunch
        assert heard == [b"n @@@ %d" % number for number in range(5 * BATCH)]


def test_deadline_ends_the_wait(source: zmq.Socket[bytes]) -> None:
    """Silence is an empty list, in time."""
    with Listener([endpoint_of(source)]) as listener:
        began = time.monotonic()
        assert listener.receive(began + 0.1) == []
        assert 0.1 <= time.monotonic() - began < 5


def test_missing_endpoint_is_told_and_its_coming_too() -> None:
    """Who waits for an endpoint hears that nothing answers, then that it does, then that it went."""
    told: list[tuple[str, bool]] = []
    context = zmq.Context()
    reserved = context.socket(zmq.XPUB)
    reserved.linger = 0
    reserved.bind("tcp://127.0.0.1:0")
    endpoint = endpoint_of(reserved)
    reserved.unbind(endpoint)

    def observe(where: str, up: bool) -> None:
        told.append((where, up))

    with Listener([endpoint], on_link=observe, patience=0.05) as listener:
        assert listener.receive(soon(0.3)) == []
        assert told == [(endpoint, False)]
        reserved.bind(endpoint)
        reserved.rcvtimeo = 10_000
        assert reserved.recv() == b"\x01"
        reserved.send(b"a @@@ 1")
        assert listener.receive(soon()) == [b"a @@@ 1"]
        assert told == [(endpoint, False), (endpoint, True)]
        reserved.close()
        deadline = soon()
        while len(told) < 3 and time.monotonic() < deadline:
            listener.receive(soon(0.1))
        assert told[2] == (endpoint, False)
    context.term()


def test_endpoint_that_answers_at_once_is_not_worth_a_word(source: zmq.Socket[bytes]) -> None:
    """A tool that works says nothing about it."""
    told: list[bool] = []
    with Listener([endpoint_of(source)], on_link=lambda where, up: told.append(up)) as listener:
        source.recv()
        source.send(b"a @@@ 1")
        assert listener.receive(soon()) == [b"a @@@ 1"]
    assert told == []


@pytest.mark.parametrize("topic", ["a@@@b", " a", ""])
def test_topic_that_cannot_be_is_refused(source: zmq.Socket[bytes], topic: str) -> None:
    """Nobody waits for a topic that no frame can have; and no socket is left open."""
    with pytest.raises(FrameError):
        Listener([endpoint_of(source)], [topic])


def test_connection_that_breaks_off_at_once_is_missed_once() -> None:
    """Whoever accepts and hangs up again and again is not reported each time."""
    told: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with Listener([endpoint], on_link=lambda where, up: told.append(up), patience=0.01) as listener:
            for _ in range(3):
                server.accept()[0].close()
                assert listener.receive(soon(0.05)) == []
    assert told == [False]
