"""A loop reads the store and never waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from context_bus.errors import StoreUnavailable
from context_bus.store.address import Address
from context_bus.store.archive import Archive
from context_bus.store.recorder import Recorder
from context_bus.store.records import Reader
from tests.store.recording import event, recording, run


async def flushed() -> None:
    """Everything is written."""


async def made(recorder: Recorder) -> None:
    """Wait for a store with one event in it."""
    recorder.record(event(5))
    await recorder.flushed()


def test_what_was_recorded_can_be_read_at_once(address: Address) -> None:
    """Whoever wants all of it waits until the database has it; both ends of it can be had."""

    async def look() -> None:
        async with recording(address) as (recorder, _):
            archive = Archive(address, recorder.flushed)
            for number in range(11, 31):
                recorder.record(event(number))
            found = await archive.look(lambda reader: reader.last_events(29, 3), whole=True)
            assert found is not None
            assert [row.sequence for row in found] == [26, 27, 28]
            assert await archive.look(Reader.first_event) == 11

    run(look())


def test_no_store_is_no_trouble(sqlite: Address) -> None:
    """Nothing was ever recorded; and nothing is made by looking."""
    assert run(Archive(sqlite, flushed).look(Reader.first_event)) is None
    assert sqlite.is_new


def test_store_that_hangs_is_given_up(sqlite: Address) -> None:
    """In time, with one thread however many ask; and it is asked again when it goes on."""
    goes_on, threads = threading.Event(), list[int]()

    def hang(reader: Reader) -> str:
        threads.append(threading.get_ident())
        assert goes_on.wait(30)
        return "late"

    async def look() -> None:
        async with recording(sqlite) as (recorder, _):
            await made(recorder)
            archive = Archive(sqlite, flushed, patience=0.2)
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match=r"does not answer within 0\.2 s"):
                    await archive.look(hang)
            assert len(threads) == 1
            assert threading.get_ident() not in threads
            goes_on.set()
            found = None
            while found is None:
                with contextlib.suppress(StoreUnavailable):
                    found = await archive.look(Reader.first_event)
            assert found == 5

    run(look())


def test_what_is_never_written_is_not_waited_for(sqlite: Address) -> None:
    """A store that takes nothing does not keep who asks."""

    async def never() -> None:
        await asyncio.Event().wait()

    async def look() -> None:
        async with recording(sqlite):
            archive = Archive(sqlite, never, patience=0.1)
            with pytest.raises(StoreUnavailable):
                await archive.look(Reader.first_event, whole=True)

    run(look())


def test_who_reads_is_told_what_went_wrong(sqlite: Address) -> None:
    """A mistake in reading is its own, and the next look is as good as any."""

    async def look() -> None:
        async with recording(sqlite) as (recorder, _):
            await made(recorder)
            archive = Archive(sqlite, flushed)
            with pytest.raises(ZeroDivisionError):
                await archive.look(lambda reader: 1 // 0)
            assert await archive.look(Reader.first_event) == 5

    run(look())
