"""Requests in blocking code: from any thread, from inside handlers, and every way to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest

from context_bus.bus.node import Bus
from context_bus.errors import (
    FrameError,
    NobodyListens,
    NotConnected,
    RequestFailed,
    RequestTimeout,
)
from context_bus.testing.wait import wait_until
from tests.bus.conftest import serving

NewBus = Callable[..., Bus]


class Sum(msgspec.Struct):
    """A question."""

    terms: list[int]


def add(question: Sum) -> int:
    """Answer it."""
    if not question.terms:
        raise ValueError("nothing to add")
    return sum(question.terms)


@pytest.fixture
def client(new_bus: NewBus) -> Bus:
    """A node that asks."""
    return new_bus(service_id="client")


@pytest.fixture
def server(new_bus: NewBus) -> Bus:
    """A node that answers."""
    node = new_bus(service_id="server")
    node.subscribe("add", add)
    return node


def test_request_is_answered_typed(client: Bus, server: Bus) -> None:
    """What the handler returns, decoded as asked for."""
    with serving(server):
        assert client.request("add", Sum([1, 2]), type=int) == 3
        assert client.request("add", {"terms": [1, 2]}) == 3


def test_error_of_the_handler_comes_to_the_requester(
    client: Bus, server: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    """With its words; the server goes on, and logs the traceback."""
    with serving(server):
        with pytest.raises(RequestFailed, match="ValueError: nothing to add"):
            client.request("add", Sum([]))
        assert client.request("add", Sum([1])) == 1
    assert "nothing to add" in caplog.text


def test_request_that_cannot_be_decoded_is_refused(client: Bus, server: Bus) -> None:
    """At once, with the place of the fault, instead of a timeout."""
    with (
        serving(server),
        pytest.raises(RequestFailed, match=r"Expected `int`, got `str`.*\$\.content\.terms"),
    ):
        client.request("add", {"terms": ["x"]})


def test_answer_of_another_type_is_said(client: Bus, server: Bus) -> None:
    """The type is the requester's, so it is told."""
    with serving(server), pytest.raises(FrameError, match="the reply from topic 'add'"):
        client.request("add", Sum([1]), type=str)


def test_nobody_there_differs_from_no_answer(client: Bus, server: Bus) -> None:
    """A subscribed topic without answer is a timeout; an unknown one has nobody."""
    with pytest.raises(RequestTimeout, match=r"no reply .* within 0\.05 s"):
        client.request("add", Sum([1]), timeout=0.05)  # nobody serves yet
    with pytest.raises(NobodyListens, match="nobody listens to requests on topic 'nowhere'"):
        client.request("nowhere", 1, timeout=0.05)


def test_late_answer_is_dropped_and_counted(client: Bus, server: Bus) -> None:
    """It must not be taken for the answer of a later question."""
    with pytest.raises(RequestTimeout):
        client.request("add", Sum([1]), timeout=0.05)
    with serving(server):
        assert client.request("add", Sum([2, 2])) == 4
    assert client._requester is not None
    assert client._requester.rejected == 1


def test_many_threads_ask_at_once_while_their_node_serves(client: Bus, server: Bus) -> None:
    """Each gets its own answer; one reads for all."""
    client.subscribe("other", lambda _: None)
    answers: dict[int, int] = {}

    def ask(first: int) -> None:
        for number in range(first, first + 50):
            answers[number] = client.request("add", Sum([number, 1]), timeout=20)

    with serving(server, client):
        threads = [threading.Thread(target=ask, args=(50 * index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: number + 1 for number in range(400)}


def test_handler_may_ask(client: Bus, server: Bus, new_bus: NewBus) -> None:
    """Inside a handler, in the serving thread itself."""
    relay = new_bus()

    def ask_on(content: int) -> int:
        return relay.request("add", Sum([content, 1]), type=int) * 10

    relay.subscribe("relay", ask_on)
    with serving(server, relay):
        assert client.request("relay", 1, type=int) == 20


def test_first_answer_wins(client: Bus, server: Bus, new_bus: NewBus) -> None:
    """Two who answer: one answer, the other is dropped."""
    second = new_bus()
    second.subscribe("add", add)
    with serving(server, second):
        for number in range(20):
            assert client.request("add", Sum([number])) == number


def test_close_lets_go_of_waiting_requests(client: Bus, server: Bus) -> None:
    """Not after their timeout."""
    errors: list[Exception] = []

    def ask() -> None:
        try:
            client.request("add", Sum([1]), timeout=60)
        except NotConnected as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: client.publisher.sent == 3, describe=lambda: client.publisher.sent)
    client.close()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 3


def test_requester_that_is_gone_does_not_hold_the_server(client: Bus, server: Bus) -> None:
    """Its inbox is known to nobody; the answer is let go, in bounded time."""
    stranger = "reply.000000000000"
    client.publisher.publish("add", Sum([1]), request_id="1", reply_to=stranger)
    with serving(server):
        assert client.request("add", Sum([5]), timeout=20) == 5
