from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from context_bus.errors import ProcessError
from context_bus.kernel.surroundings import Surroundings
from context_bus.process.messages import Exited, Hello, Start, decode, encode
from context_bus.process.wire import MOST_DESCRIPTORS, Link, Watch, close_all, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def test_messages_come_as_they_went() -> None:
    """Whatever an order holds, also names that are not text."""
    surroundings = Surroundings("/", {"A": "\udcff"}, "u", "g", 0o22, 1, (0, 2), {"core": (0, -1)})
    for message in (
        Start(1, "name", ("prog", "arg\udcfe"), surroundings, "note", ("stdin",), ("log",)),
        Hello(1, ("/a",), ("argv",), "/", {"B": "c"}, "", ()),
        Exited(3, -9),
    ):
        assert decode(encode(message)) == message


@pytest.mark.parametrize("data", [b"", b"{}", b'["Nothing", {}]', b'["Exited", {"of": 1}]', b"\xff"])
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    """Anybody of our user may connect to a guardian that keeps."""
    with pytest.raises(ProcessError, match="not a message"):
        decode(data)


def test_message_of_any_size_takes_its_descriptors_along(pair: Pair) -> None:
    """More than a socket takes in one packet, and as many descriptors as can go at once."""
    ours, theirs = pair
    read_end, write_end = os.pipe()
    order = Start(1, "x", ("echo", "y" * 1_000_000))
    send(ours, order, [write_end] * MOST_DESCRIPTORS)
    received = receive(theirs)
    assert received is not None
    assert received[0] == order
    assert len(received[1]) == MOST_DESCRIPTORS
    assert not any(os.get_inheritable(one) for one in received[1])
    close_all([write_end, *received[1]])
    assert os.read(read_end, 1) == b""
    os.close(read_end)
    with pytest.raises(ProcessError, match="at most"):
        send(ours, order, [0] * (MOST_DESCRIPTORS + 1))


def test_link_waits_for_nobody_and_loses_nothing(pair: Pair) -> None:
    """Who does not read gets everything later, in order, with its descriptors."""
    ours, theirs = pair
    watch = Watch()
    link = Link(ours, watch, lambda _: None)
    read_end, write_end = os.pipe()
    count = 2000  # far more than the socket holds
    for number in range(count):
        link.send(Exited(number, 0), [write_end] if number == count - 1 else [])
    os.close(write_end)
    theirs.settimeout(10)
    copies = []
    for number in range(count):
        watch.turn(0)
        received = receive(theirs)
        assert received is not None
        assert received[0] == Exited(number, 0)
        copies += received[1]
    assert len(copies) == 1
    close_all(copies)
    link.close()
    assert os.read(read_end, 1) == b""
    os.close(read_end)
