"""What is recorded is remembered: one contract over every database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from context_bus.errors import StoreLocked, StoreUnavailable
from context_bus.store import schema
from context_bus.store.address import Address, address_of
from context_bus.store.changes import (
    Change,
    Forgotten,
    ProcessEnded,
    ProcessReady,
    TransactionOpened,
    Wish,
)
from context_bus.store.component import Component, Retention, Statements, given, insert
from context_bus.store.discard import discard
from context_bus.store.place import Place
from context_bus.store.records import Reader
from context_bus.store.remembered import EVENTS_OF_RUN, Remembered
from context_bus.store.scribe import Limits
from tests.store.cluster import Cluster
from tests.store.recording import Heard, began, event, recording, remembered, run, state, wanted


class Beat(Change, frozen=True):
    """A change of another room."""

    number: int


def test_the_next_provider_finds_what_was_recorded(address: Address) -> None:
    """Transactions, services with their wishes, and processes without an end, in their order."""

    async def first() -> None:
        async with recording(address) as (recorder, found):
            assert found == Remembered(run=1)
            recorder.record(TransactionOpened("T", "context001", "context", 1.5))
            recorder.record(TransactionOpened("A", "context002", "other", 1.5))
            recorder.record(wanted("s2", conf='{"x":"é"}'))
            recorder.record(wanted("s1", Wish.DOWN))
            recorder.record(state("s2", "started", restarts="[1.0]"))
            recorder.record(began("p1", "s2"))
            recorder.record(began("p2", "s1"))
            recorder.record(ProcessReady("p1", 3.5))
            recorder.record(ProcessEnded("p2", 3.6, None, 9, "killed"))
            recorder.record(event(EVENTS_OF_RUN + 7))

    run(first())
    found = remembered(address)
    assert (found.run, found.last_sequence) == (2, EVENTS_OF_RUN + 7)
    assert [(row.name, row.context_id, row.context_name, row.opened_at) for row in found.transactions] == [
        ("T", "context001", "context", 1.5),
        ("A", "context002", "other", 1.5),
    ]
    s2, s1 = found.services
    assert (s2.service_id, s2.wanted, s2.conf, s2.state) == ("s2", Wish.UP, '{"x":"é"}', "started")
    assert (s2.restarts, s2.reason, s2.updated_at) == ("[1.0]", "why started", 2.0)
    assert (s1.service_id, s1.wanted, s1.conf, s1.state) == ("s1", Wish.DOWN, "", "")
    (living,) = found.processes
    assert (living.id, living.pid, living.ticks, living.boot_id) == ("p1", 4000, 5000, "boot")
    assert (living.spawned_at, living.ready_at, living.ended_at) == (3.0, 3.5, None)


def test_a_change_that_says_less_keeps_what_was_said(address: Address) -> None:
    """A wish without an image keeps the image, a state without restarts keeps them; pending or written."""

    async def main() -> None:
        async with recording(address) as (recorder, _):
            recorder.record(wanted("s1", conf="{}"))
            recorder.record(state("s1", "started", restarts="[1]"))
            await recorder.flushed()
            for _ in range(2):
                recorder.record(wanted("s1", Wish.DOWN))
                recorder.record(state("s1", "stopping"))
            await recorder.flushed()

    run(main())
    (service,) = remembered(address).services
    assert (service.wanted, service.conf, service.state, service.restarts) == (
        Wish.DOWN,
        "{}",
        "stopping",
        "[1]",
    )


def test_forgetting_keeps_its_place_among_wishes(address: Address) -> None:
    """What comes after it is a new beginning, what came before is gone, history stays."""

    async def main() -> None:
        async with recording(address) as (recorder, _):
            for name in ("T", "U"):
                recorder.record(TransactionOpened(name, "c", "n", 1.0))
            recorder.record(wanted("s1", conf="old"))
            recorder.record(wanted("s2", conf="old"))
            recorder.record(began("p1"))
            recorder.record(Forgotten("T", "s1"))
            recorder.record(wanted("s1"))
            recorder.record(Forgotten("U"))
            recorder.record(state("s2", "started"))

    run(main())
    found = remembered(address)
    assert [row.name for row in found.transactions] == ["T"]
    assert {row.service_id: row.conf for row in found.services} == {"s2": "old", "s1": ""}
    assert [row.id for row in found.processes] == ["p1"]


def test_durable_on_a_server_means_that_others_can_read_it(server: Cluster, place: Place) -> None:
    """A callback comes in the loop, when others see all that was recorded before it; then at once."""
    address = address_of(place, server.url)

    async def main() -> None:
        async with recording(address) as (recorder, _):
            seen: list[tuple[int, bool]] = []
            done = asyncio.Event()

            def look() -> None:
                with Reader(address) as reader:
                    in_loop = threading.current_thread() is threading.main_thread()
                    seen.append((len(reader.events()), in_loop))
                done.set()

            for number in range(1, 301):
                recorder.record(event(number))
            recorder.when_durable(look)
            assert not seen
            await done.wait()
            recorder.when_durable(look)
            assert seen == [(300, True), (300, True)]

    run(main())


def test_one_change_that_no_database_takes_costs_no_other(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    """A number beyond 64 bits is left out, logged, and all around it is written."""

    async def main() -> None:
        async with recording(address, heard := Heard()) as (recorder, _):
            recorder.record(wanted("s1"))
            recorder.record(event(2**70))
            recorder.record(wanted("s2", conf="zero \0 and broken \udc80"))
            await recorder.flushed()
            assert not heard.troubles

    run(main())
    assert [row.service_id for row in remembered(address).services] == ["s1", "s2"]
    assert "not recorded" in caplog.text


def test_events_and_ended_processes_are_pruned(address: Address) -> None:
    """The newest stay; a process that may live stays whatever its age."""
    limits = Limits(events_kept=50, processes_kept=20)

    async def main() -> None:
        async with recording(address, limits=limits) as (recorder, _):
            recorder.record(began("living", at=0.5))
            for number in range(1, 5001):
                recorder.record(event(number))
            for number in range(100):
                recorder.record(began(f"p{number}", at=10.0 + number))
                recorder.record(ProcessEnded(f"p{number}", 20.0 + number, 0))
            await recorder.flushed()
        async with recording(address, limits=limits):
            pass

    run(main())
    with Reader(address) as reader:
        assert [row.sequence for row in reader.events()] == list(range(4951, 5001))
        assert [row.id for row in reader.history()] == [
            *(f"p{number}" for number in range(99, 79, -1)),
            "living",
        ]


def test_a_run_that_did_not_end_is_found_lost(address: Address) -> None:
    """Every run has an end at last: its own, or what its successor says of it."""

    async def main() -> None:
        async with recording(address) as (recorder, _):
            await recorder.flushed()
        async with recording(address) as (recorder, _):
            await recorder.flushed()
            recorder._run = 0  # as if it were killed: its end is not recorded
        async with recording(address) as (recorder, _):
            await recorder.flushed()

    run(main())
    with Reader(address) as reader, reader._connection() as connection:
        rows = connection.execute(sa.select(schema.runs.c.id, schema.runs.c.how).order_by(schema.runs.c.id))
        assert [tuple(row) for row in rows] == [(1, "stopped"), (2, "lost"), (3, "stopped")]


def test_another_room_brings_its_own_tables(address: Address) -> None:
    """A contribution has tables, kinds of changes and a retention, and knows nothing of the others."""
    tables = sa.MetaData()
    beats = sa.Table("beats", tables, sa.Column("number", sa.Integer, primary_key=True))

    def statements(dialect: str) -> tuple[sa.Executable, ...]:
        return (insert(dialect, beats).values(number=given("number")).on_conflict_do_nothing(),)

    def contribution() -> Component:
        writes: dict[type[Change], Statements] = {Beat: statements}
        return Component("watch", tables, writes, retentions=(Retention(beats.c.number, 3),))

    async def main() -> None:
        async with recording(address, contributions=[contribution]) as (recorder, _):
            for number in range(10):
                recorder.record(Beat(number))
            recorder.record(wanted("s1"))
        async with recording(address, contributions=[contribution]):
            pass

    run(main())
    with Reader(address) as reader, reader._connection() as connection:
        assert connection.scalars(sa.select(beats.c.number)).all() == [7, 8, 9]
        assert [row.service_id for row in reader.load().services] == ["s1"]


def test_events_of_a_run_never_reuse_a_number(address: Address) -> None:
    """A killed provider may have told events that it did not record; the next one counts beyond them."""

    async def main() -> None:
        async with recording(address) as (recorder, found):
            recorder.record(event(found.next_sequence))
            await recorder.flushed()
        async with recording(address) as (_, again):
            assert again.next_sequence > found.next_sequence + 1_000_000

    run(main())


def test_discarding_forgets_everything(address: Address) -> None:
    """After it the store is as new, and to discard nothing is no error."""
    discard(address)

    async def main() -> None:
        async with recording(address) as (recorder, _):
            recorder.record(wanted("s1"))

    run(main())
    discard(address)
    assert remembered(address) == Remembered(run=1)


def test_a_schema_has_one_owner(server: Cluster, place: Place) -> None:
    """A second provider on the same PostgreSQL schema is refused, and nothing there can be discarded."""
    address = address_of(place, server.url)

    async def main() -> None:
        async with recording(address):
            with pytest.raises(StoreLocked, match="another process already provides"):
                async with recording(address, limits=Limits(first_pause=0.01, opening=0.05)):
                    pass
            with pytest.raises(StoreLocked):
                discard(address)

    run(main())
    assert remembered(address).run == 2


def test_after_the_end_nothing_hangs(sqlite: Address) -> None:
    """What waits for a recorder that has ended is told; recording goes nowhere and raises nothing."""

    async def main() -> None:
        async with recording(sqlite) as (recorder, _):
            recorder.record(wanted("s1"))
        assert await recorder.close() == 0
        recorder.record(wanted("s2"))
        await recorder.flushed()

    run(main())
    assert [row.service_id for row in remembered(sqlite).services] == ["s1"]


def test_a_file_that_is_no_database_is_refused_in_one_line(sqlite: Address) -> None:
    """The error names the context, the file and the remedy; nothing is overwritten."""
    assert sqlite.path is not None
    sqlite.path.write_text("This is a text of more than a hundred bytes, which is not a database. " * 20)
    with pytest.raises(StoreUnavailable, match=r"main.xml: .*store.sqlite cannot be used: .*--fresh"):
        remembered(sqlite)
    assert sqlite.path.read_text().startswith("This is a text")


def test_a_server_that_is_not_there_is_named_without_its_password(sqlite: Address) -> None:
    """The line names the database, not its password."""
    address = Address("main.xml", url="postgresql+psycopg://me:secret@127.0.0.1:1/db", schema="context_bus_x")
    with pytest.raises(StoreUnavailable, match=r"main.xml: .*127.0.0.1:1/db .*cannot be used") as caught:
        remembered(address)
    assert "secret" not in str(caught.value)


def test_importing_a_recorder_imports_no_database(sqlite: Address) -> None:
    """SQLAlchemy costs more than a provider's whole start; only the recorder's thread pays for it."""
    code = (
        "import sys, context_bus.store.recorder, context_bus.store.place, context_bus.store.lock;"
        "print([m for m in ('sqlalchemy', 'sqlite3', 'psycopg') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
