"""Clients of this machine come in by a socket; whoever misbehaves there harms nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import stat
from collections.abc import Coroutine
from pathlib import Path

import pytest

from context_bus.context.doorway import Doorway
from context_bus.kernel.framing import HEAD, LARGEST, enclose, length_of
from context_bus.kernel.message import join_frame, split_frame
from context_bus.kernel.socketpath import short_path

QUESTION = json.dumps({"header": {"action": "services", "reply_to": "inbox.1"}, "content": {}}).encode()


class House:
    """A doorway, and what has been said in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.doorway = path, Doorway(path)
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._clients: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        await self.doorway.open(lambda topic, body: self.heard.put_nowait((topic, body)))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client."""
        with short_path(self.path) as (place, _):
            reader, writer = await asyncio.open_unix_connection(place)
        self._clients.append(writer)
        return reader, writer

    async def ask(self, frame: bytes = join_frame("state", QUESTION)) -> asyncio.StreamReader:
        """A client that says something."""
        reader, writer = await self.connect()
        writer.write(enclose(frame))
        return reader

    async def leave(self) -> None:
        """All clients leave."""
        for writer in self._clients:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def close(self) -> None:
        await self.doorway.close()
        await self.leave()


async def answer_to(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The next frame."""
    return split_frame(await reader.readexactly(length_of(await reader.readexactly(HEAD))))


def run(main: Coroutine[object, object, None]) -> None:
    """Not for ever."""
    asyncio.run(asyncio.wait_for(main, 20))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "door")


def test_each_guest_gets_its_own_answers(house: House) -> None:
    """By the inbox that it named; and only its user may come in."""

    async def main() -> None:
        await house.open()
        assert stat.S_IMODE(house.path.stat().st_mode) == 0o600
        guests = []
        for name in ("one", "two"):
            body = QUESTION.replace(b"inbox.1", name.encode())
            guests.append(await house.ask(join_frame("state", body)))
            assert await house.heard.get() == ("state", body)
        assert not house.doorway.has("three")
        for name, body in (("two", b"2"), ("one", b"1")):
            assert house.doorway.has(name)
            house.doorway.answer(name, body)
        assert [await answer_to(guest) for guest in guests] == [("one", b"1"), ("two", b"2")]
        await house.close()
        assert not house.path.exists()
        assert await guests[0].read() == b""

    run(main())


@pytest.mark.parametrize(
    "bytes_",
    [
        (LARGEST + 1).to_bytes(4, "big"),
        b"GET / HTTP/1.1\r\n\r\n",
        enclose(b"no separator"),
        enclose(b"\xff\xff @@@ {}"),
    ],
)
def test_who_makes_no_sense_is_sent_away(house: House, bytes_: bytes) -> None:
    """And costs nobody else a word."""

    async def main() -> None:
        await house.open()
        good = await house.ask()
        await house.heard.get()
        reader, writer = await house.connect()
        writer.write(bytes_)
        assert await reader.read() == b""
        house.doorway.answer("inbox.1", b"{}")
        assert await answer_to(good) == ("inbox.1", b"{}")
        await house.close()

    run(main())


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"header":7}', b'{"header":{"reply_to":3}}'])
def test_what_cannot_be_read_is_for_who_takes_it(house: House, body: bytes) -> None:
    """There it is told like anything else that cannot be used."""

    async def main() -> None:
        await house.open()
        await house.ask(join_frame("context", body))
        assert await house.heard.get() == ("context", body)
        await house.close()

    run(main())


def test_a_guest_that_has_left_gets_nothing(house: House) -> None:
    """Its inbox is forgotten, so that the answer goes elsewhere."""

    async def main() -> None:
        await house.open()
        await house.ask()
        await house.heard.get()
        await house.leave()
        while house.doorway.has("inbox.1"):
            await asyncio.sleep(0)
        await house.close()

    run(main())


def test_a_guest_that_reads_nothing_is_sent_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leaves unread must not fill the provider's memory."""
    monkeypatch.setattr("context_bus.context.doorway.UNREAD", 100_000)

    async def main() -> None:
        await house.open()
        await house.ask()
        await house.heard.get()
        for _ in range(1000):
            if not house.doorway.has("inbox.1"):
                break
            house.doorway.answer("inbox.1", bytes(10_000))
            await asyncio.sleep(0)
        else:
            pytest.fail("it is still there")
        await house.close()

    run(main())


def test_what_a_killed_provider_left_is_no_hindrance(house: House) -> None:
    """Its lock is ours, so its socket is nobody's."""
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(house.path))

    async def main() -> None:
        await house.open()
        await house.ask()
        assert await house.heard.get() == ("state", QUESTION)
        await house.close()

    run(main())


def test_a_path_may_be_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    """It is named by its directory."""
    directory = tmp_path / ("d" * 100)
    directory.mkdir()

    async def main() -> None:
        house = House(directory / "door")
        await house.open()
        await house.ask()
        assert await house.heard.get() == ("state", QUESTION)
        await house.close()

    run(main())


def test_without_a_socket_there_is_the_bus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A directory that is not there, and no path at all."""

    async def main() -> None:
        for path in (tmp_path / "none" / "door", None):
            doorway = Doorway(path)
            await doorway.open(lambda topic, body: None)
            assert not doorway.has("inbox.1")
            await doorway.close()

    run(main())
    assert "no socket for local clients" in caplog.text
