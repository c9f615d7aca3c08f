"""Figures on an endpoint of their own: who connects there hears them, again and again."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zmq
import zmq.asyncio

from context_bus.bus.endpoint import free_endpoint
from context_bus.context.publishing import Publishing
from context_bus.context.topquery import Publication, Subject
from context_bus.errors import EndpointError
from context_bus.process.usage import Options

BRIEF = Options(details=False)
#: Seconds that a message may take here.
PATIENCE = 10.0


def subjects(transactions: Iterable[str]) -> list[Subject]:
    """This process as a service, and one without a process."""
    (name,) = transactions
    return [
        Subject(name, "here", os.getpid(), "a", "A", "started", "started", "success"),
        Subject(name, "down", None, "b", "B", "stopped", "stopped", "success"),
    ]


class Heard:
    """A listener at an endpoint."""

    def __init__(self, socket: zmq.asyncio.Socket) -> None:
        self._socket = socket

    async def next(self) -> dict[str, list[dict[str, Any]]]:
        """The next message."""
        async with asyncio.timeout(PATIENCE):
            topic, _, body = (await self._socket.recv()).partition(b" @@@ ")
        assert topic == b"monitor"
        told: dict[str, list[dict[str, Any]]] = json.loads(body)
        return told

    async def until_silent(self) -> None:
        """Take what comes, until nothing does for longer than it would."""
        for _ in range(10):
            if not await self._socket.poll(500):
                return
            await self._socket.recv()
        raise AssertionError("it goes on")


@asynccontextmanager
async def listening(endpoint: str) -> AsyncIterator[Heard]:
    """Connect, as anybody may."""
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.SUB)
    socket.linger = 0
    socket.subscribe(b"monitor @@@ ")
    socket.connect(endpoint)
    try:
        yield Heard(socket)
    finally:
        socket.close()
        context.term()


@asynccontextmanager
async def publishing() -> AsyncIterator[Publishing]:
    """One that ends."""
    made = Publishing(subjects, insecure=False)
    try:
        yield made
    finally:
        made.finish()


def test_frames_come_again_and_again_as_documented() -> None:
    """The transaction, and an element for each service with a process: figures, action, state, pid."""

    async def work() -> None:
        endpoint = free_endpoint()
        async with publishing() as made, listening(endpoint) as heard:
            made.apply(["T1"], Publication(endpoint, 0.1), BRIEF)
            for _ in range(3):
                (row,) = (await heard.next())["T1"]
                assert (row["serviceId"], row["pid"]) == ("here", os.getpid())
                assert (row["action"], row["state"], row["status"] != "") == ("started", "success", True)
                assert row["rss"] > 1.0
                assert row.keys() >= {"vms", "percent", "children", "total", "elapsed", "timestamp"}

    asyncio.run(work())


def test_asking_again_replaces_and_0_ends() -> None:
    """Another rhythm at the same place, then silence and a free port."""

    async def work() -> None:
        endpoint = free_endpoint()
        async with publishing() as made, listening(endpoint) as heard:
            made.apply(["T1"], Publication(endpoint, 60.0), BRIEF)
            for last in (60.0, 0.0):
                made.apply(["T1"], Publication(endpoint, 0.1), BRIEF)
                for _ in range(3):
                    await heard.next()
                made.apply(["T1"], Publication(endpoint, last), BRIEF)
                await heard.until_silent()
            again = Publishing(subjects, insecure=False)
            again.apply(["T1"], Publication(endpoint, 60.0), BRIEF)
            again.finish()

    asyncio.run(work())


def test_transactions_share_an_endpoint() -> None:
    """Both are heard there; one that ends leaves the other."""

    async def work() -> None:
        endpoint = free_endpoint()
        async with publishing() as made, listening(endpoint) as heard:
            made.apply(["T1", "T2"], Publication(endpoint, 0.1), BRIEF)
            names: set[str] = set()
            while names != {"T1", "T2"}:
                names |= (await heard.next()).keys()
            made.apply(["T1"], Publication(endpoint, 0.0), BRIEF)
            last = [[*await heard.next()] for _ in range(6)]
            assert last[-3:] == [["T2"]] * 3

    asyncio.run(work())


def test_endpoint_that_is_taken_or_open_to_others_is_refused() -> None:
    """In words; what runs goes on."""

    async def work() -> None:
        taken = free_endpoint()
        async with publishing() as holder, publishing() as made:
            holder.apply(["T1"], Publication(taken, 60.0), BRIEF)
            with pytest.raises(EndpointError, match="another process listens there"):
                made.apply(["T1"], Publication(taken, 1.0), BRIEF)
            with pytest.raises(EndpointError, match="read what is published"):
                made.apply(["T1"], Publication("tcp://0.0.0.0:5999", 1.0), BRIEF)
            with pytest.raises(EndpointError):
                made.apply(["T1"], Publication("nowhere", 1.0), BRIEF)

    asyncio.run(work())


def test_end_of_what_never_was_is_none() -> None:
    """Whoever is not sure may say it."""

    async def work() -> None:
        async with publishing() as made:
            made.apply(["T1"], Publication(free_endpoint(), 0.0), BRIEF)

    asyncio.run(work())
