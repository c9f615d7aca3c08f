"""A store that takes nothing for a while: the loop goes on, nothing that matters is lost, it is told once."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from context_bus.errors import StoreUnavailable
from context_bus.store.address import Address, address_of
from context_bus.store.changes import ProcessEnded, Wish
from context_bus.store.place import Place, place_of, prepare
from context_bus.store.recorder import Recorder
from context_bus.store.records import Reader
from context_bus.store.scribe import Limits
from tests.store import cluster
from tests.store.recording import Heard, began, event, recording, remembered, run, state, wanted

#: Quick, with room for a hundred events.
SMALL = Limits(first_pause=0.01, longest_pause=0.05, events_pending=100)


@contextmanager
def locked(address: Address) -> Iterator[None]:
    """Somebody else has the database for himself."""
    assert address.path is not None
    with closing(sqlite3.connect(address.path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def record_much(recorder: Recorder) -> None:
    """More than may wait: 500 wishes and states on 5 services, 20 processes, 400 events."""
    for number in range(500):
        recorder.record(wanted(f"s{number % 5}", Wish.DOWN, at=float(number)))
        recorder.record(state(f"s{number % 5}", f"state{number}"))
    for number in range(20):
        recorder.record(began(f"p{number}"))
        recorder.record(ProcessEnded(f"p{number}", 9.0, number))
    for number in range(1001, 1401):
        recorder.record(event(number))


def assert_nothing_lost(address: Address) -> None:
    """Every wish, state and process of `record_much` is there, and the newest events."""
    with Reader(address) as reader:
        services = {row.service_id: row for row in reader.load().services}
        rows = [(services[f"s{n}"].wanted, services[f"s{n}"].state) for n in range(5)]
        assert rows == [(Wish.DOWN, f"state{495 + number}") for number in range(5)]
        assert {row.id: row.exit_code for row in reader.history()} == {f"p{n}": n for n in range(20)}
        numbers = [row.sequence for row in reader.events()]
        assert numbers == [*range(1301, 1401)]


async def survive(recorder: Recorder, heard: Heard, mend: asyncio.Event, *, is_ahead: bool = False) -> None:
    """Record into a store in trouble, mend it, and see what was told."""
    recorder.record(wanted("s0"))
    await heard.trouble.wait()
    began_at = time.perf_counter()
    record_much(recorder)
    assert time.perf_counter() - began_at < 1.0
    called: list[str] = []
    recorder.when_durable(lambda: called.append("durable"))
    await asyncio.sleep(0)
    assert bool(called) is is_ahead
    mend.set()
    await heard.recovery.wait()
    await recorder.flushed()
    assert called == ["durable"]
    assert len(heard.troubles) == len(heard.recoveries) == 1
    assert heard.recoveries == [300]


def test_a_locked_store_costs_only_old_events(sqlite: Address) -> None:
    """Wishes, states and processes wait in memory until the lock is gone."""

    async def main() -> None:
        async with recording(sqlite, heard := Heard(), SMALL) as (recorder, _):
            recorder.record(wanted("s0"))
            await recorder.flushed()
            mend = asyncio.Event()
            with locked(sqlite):
                task = asyncio.create_task(survive(recorder, heard, mend, is_ahead=True))
                waiting = asyncio.create_task(mend.wait())
                await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            await task
            assert "locked" in heard.troubles[0]
            assert "main.xml: " in heard.troubles[0]

    run(main())
    assert_nothing_lost(sqlite)


@contextmanager
def tiny_disk(directory: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Leave no byte free."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


def test_a_full_disk_costs_only_old_events(tmp_path: Path) -> None:
    """As soon as there is room again, all that waited is written."""
    with tiny_disk(tmp_path / "disk") as disk:
        place = place_of(disk / "main.xml")
        prepare(place)
        address = address_of(place)

        async def main() -> None:
            async with recording(address, heard := Heard(), SMALL) as (recorder, _):
                recorder.record(wanted("s0"))
                await recorder.flushed()
                ballast = fill(disk)
                # What the log of SQLite has allocated already may still take something.
                for number in range(1, 101):
                    recorder.record(wanted("s0", conf="x" * 400_000))
                    recorder.record(event(number))
                await heard.trouble.wait()
                recorder.record(wanted("s0", conf="{}"))
                record_much(recorder)
                ballast.unlink()
                await heard.recovery.wait()
                await recorder.flushed()
                assert "full" in heard.troubles[0]
                assert (len(heard.troubles), heard.recoveries) == (1, [400])

        run(main())
        assert_nothing_lost(address)


def test_a_full_database_costs_only_old_events(sqlite: Address) -> None:
    """The same without a file system: SQLite itself refuses to grow, as on a full disk."""

    async def main() -> None:
        async with recording(sqlite, heard := Heard(), SMALL) as (recorder, _):
            recorder.record(wanted("s0"))
            await recorder.flushed()
            writer = recorder._scribe._writer
            assert writer is not None
            engine = writer._engine
            full = threading.Event()
            full.set()
            connect = engine.pool._creator

            def connect_small(*args: object) -> object:
                connection = connect(*args)
                if full.is_set():
                    connection.execute("PRAGMA max_page_count=1").close()
                return connection

            engine.pool._creator = connect_small
            writer.close()
            recorder.record(wanted("s0", conf="x" * 100_000))
            await heard.trouble.wait()
            recorder.record(wanted("s0", conf="{}"))
            record_much(recorder)
            full.clear()
            await heard.recovery.wait()
            await recorder.flushed()
            assert "full" in heard.troubles[0]
            assert (len(heard.troubles), heard.recoveries) == (1, [300])

    run(main())
    assert_nothing_lost(sqlite)


def test_the_end_does_not_wait_for_a_locked_store(sqlite: Address) -> None:
    """Close returns at its deadline, and whoever waits is told; what was recorded is safe all the same."""

    async def main() -> None:
        async with recording(sqlite, heard := Heard(), SMALL) as (recorder, _):
            recorder.record(event(1))
            await recorder.flushed()
            with locked(sqlite):
                recorder.record(wanted("s1"))
                await heard.trouble.wait()
                flush = asyncio.create_task(recorder.flushed())
                await asyncio.sleep(0)
                began_at = time.monotonic()
                assert await recorder.close(deadline=0.1) == 0
                assert time.monotonic() - began_at < 5.0
                with pytest.raises(StoreUnavailable, match="closed before"):
                    await flush
                with pytest.raises(StoreUnavailable, match="closed before"):
                    await recorder.flushed()

    run(main())
    assert [row.service_id for row in remembered(sqlite).services] == ["s1"]


def test_the_end_writes_what_a_lock_held_up(sqlite: Address) -> None:
    """Within the deadline of close there are further attempts."""

    async def main() -> None:
        async with recording(sqlite, heard := Heard(), Limits(first_pause=1000.0)) as (recorder, _):
            recorder.record(event(1))
            await recorder.flushed()
            with locked(sqlite):
                recorder.record(wanted("s1"))
                await heard.trouble.wait()
                closing_ = asyncio.create_task(recorder.close(deadline=40.0))
                await asyncio.sleep(0)
            assert await closing_ == 0

    run(main())
    assert [row.service_id for row in remembered(sqlite).services] == ["s1"]


def test_a_locked_store_is_refused_at_the_start(sqlite: Address) -> None:
    """A provider that must know what was wanted does not begin without it; the line says what to do."""
    remembered(sqlite)

    async def main() -> None:
        with locked(sqlite), pytest.raises(StoreUnavailable, match=r"locked; end who uses it, or try later"):
            async with recording(sqlite, limits=Limits(first_pause=0.01, opening=0.05)):
                pass

    run(main())


def test_a_new_store_that_cannot_be_made_is_trouble(place: Place) -> None:
    """A provider with nothing to remember starts at once; that nothing will be kept is told."""
    address = address_of(place)
    assert address.path is not None
    nowhere = Address("main.xml", address.path.parent / "none" / "store.sqlite")

    async def main() -> None:
        async with recording(nowhere, heard := Heard(), SMALL) as (recorder, found):
            assert found.run == 1
            recorder.record(wanted("s1"))
            await heard.trouble.wait()
            assert nowhere.path is not None
            nowhere.path.parent.mkdir()
            await heard.recovery.wait()
            await recorder.flushed()

    run(main())
    assert [row.service_id for row in remembered(nowhere).services] == ["s1"]


def test_an_empty_file_is_made_a_store(sqlite: Address) -> None:
    """Somebody who looks too early makes an empty file; a provider that found none before is not stopped."""

    async def main() -> None:
        async with recording(sqlite, heard := Heard(), SMALL) as (recorder, _):
            with locked(sqlite):
                recorder.record(wanted("s1"))
                await heard.trouble.wait()
            await heard.recovery.wait()
            await recorder.flushed()

    run(main())
    assert [row.service_id for row in remembered(sqlite).services] == ["s1"]


def test_readers_never_wait_for_the_writer(sqlite: Address) -> None:
    """A command looks into a store while a transaction is open in it, and does not hold it up."""

    async def main() -> None:
        async with recording(sqlite) as (recorder, _):
            recorder.record(wanted("s1"))
            await recorder.flushed()
            assert sqlite.path is not None
            with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with Reader(sqlite) as reader:
                    assert [row.service_id for row in reader.load().services] == ["s1"]
            with Reader(sqlite) as reader, reader._connection():
                recorder.record(wanted("s2"))
                await recorder.flushed()

    run(main())


def test_a_server_that_is_restarted_is_found_again(place: Place) -> None:
    """The connections break; what was recorded meanwhile is written to the next server, once."""

    async def main(address: Address, own: cluster.Cluster) -> None:
        async with recording(address, heard := Heard(), SMALL) as (recorder, _):
            recorder.record(wanted("s0", conf="{}"))
            await recorder.flushed()
            own.stop()
            recorder.record(wanted("s1"))
            await heard.trouble.wait()
            record_much(recorder)
            own.start()
            await heard.recovery.wait()
            await recorder.flushed()
            assert (len(heard.troubles), heard.recoveries) == (1, [300])

    if cluster.binaries() is None:
        pytest.skip("no PostgreSQL server is installed")
    with cluster.cluster() as own:
        address = address_of(place, own.url)
        run(main(address, own))
        assert_nothing_lost(address)
