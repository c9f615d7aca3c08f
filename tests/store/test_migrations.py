"""Stores of other versions: an older one is brought up to date, a newer one is left alone."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sqlalchemy_event

from context_bus.errors import NothingRecorded, StoreTooNew, StoreUnavailable
from context_bus.store import migrations
from context_bus.store.address import Address
from context_bus.store.changes import Wish
from context_bus.store.engine import make_engine
from context_bus.store.records import Reader
from context_bus.store.schema import core
from tests.store.recording import recording, remembered, run, state

#: What the first version made, word for word, but for the type of numbers and times.
VERSION_1 = """
CREATE TABLE meta (component TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (component));
CREATE TABLE runs (id {number} NOT NULL, pid BIGINT NOT NULL, ticks BIGINT NOT NULL, boot_id TEXT NOT NULL,
    started_at {time} NOT NULL, ended_at {time}, how TEXT DEFAULT '' NOT NULL, PRIMARY KEY (id));
CREATE TABLE transactions (number {serial} NOT NULL, name TEXT NOT NULL, context_id TEXT NOT NULL,
    context_name TEXT NOT NULL, opened_at {time} NOT NULL, PRIMARY KEY (number), UNIQUE (name));
CREATE TABLE services (number {serial} NOT NULL, "transaction" TEXT NOT NULL, service_id TEXT NOT NULL,
    wanted TEXT NOT NULL, conf TEXT DEFAULT '' NOT NULL, state TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL, updated_at {time} NOT NULL, PRIMARY KEY (number),
    UNIQUE ("transaction", service_id));
CREATE TABLE processes (id TEXT NOT NULL, "transaction" TEXT NOT NULL, service_id TEXT NOT NULL,
    incarnation BIGINT NOT NULL, pid BIGINT NOT NULL, ticks BIGINT NOT NULL, boot_id TEXT NOT NULL,
    run BIGINT NOT NULL, spawned_at {time} NOT NULL, ready_at {time}, ended_at {time}, exit_code BIGINT,
    signal BIGINT DEFAULT '0' NOT NULL, reason TEXT DEFAULT '' NOT NULL, PRIMARY KEY (id));
CREATE INDEX processes_of_service ON processes (service_id, spawned_at);
CREATE INDEX processes_by_time ON processes (spawned_at);
CREATE TABLE events (sequence {number} NOT NULL, at {time} NOT NULL, kind TEXT NOT NULL,
    "transaction" TEXT NOT NULL, service_id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (sequence));
INSERT INTO meta VALUES ('provider', 1), ('stranger', 12);
INSERT INTO runs (id, pid, ticks, boot_id, started_at) VALUES (4, 1, 2, 'b', 3.0);
INSERT INTO transactions (name, context_id, context_name, opened_at) VALUES ('T', 'c', 'n', 1.0);
INSERT INTO services ("transaction", service_id, wanted, conf, state, updated_at)
    VALUES ('T', 's1', 'up', '{{}}', 'started', 2.0);
INSERT INTO processes (id, "transaction", service_id, incarnation, pid, ticks, boot_id, run, spawned_at)
    VALUES ('p1', 'T', 's1', 0, 10, 20, 'b', 4, 2.5);
INSERT INTO events VALUES (9, 3.0, 'kind', 'T', 's1', '{{}}')
"""


def make_version_1(address: Address) -> None:
    """Make a store as the first version left it."""
    engine = make_engine(address)
    words = {"number": "INTEGER", "serial": "INTEGER", "time": "DOUBLE"}
    if address.path is None:
        words = {"number": "BIGINT", "serial": "BIGSERIAL", "time": "DOUBLE PRECISION"}
    with engine.begin() as connection:
        if address.path is None:
            connection.execute(sa.schema.CreateSchema(address.schema))
        for statement in VERSION_1.format(**words).split(";\n"):
            connection.exec_driver_sql(statement)
    engine.dispose()


def shape(address: Address) -> dict[str, object]:
    """Tables, columns and indexes of a store, in a form that compares."""
    engine = make_engine(address, read_only=True)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        found = {
            table: (
                [
                    (c["name"], str(c["type"]), c["nullable"], c["default"])
                    for c in inspector.get_columns(table)
                ],
                sorted((str(i["name"]), str(i["column_names"])) for i in inspector.get_indexes(table)),
                inspector.get_pk_constraint(table)["constrained_columns"],
            )
            for table in sorted(inspector.get_table_names())
        }
    engine.dispose()
    return found


def test_an_older_store_is_brought_up_to_date(address: Address) -> None:
    """All that it held is there, and what the newer version knows can be recorded."""
    make_version_1(address)

    async def main() -> None:
        async with recording(address) as (recorder, found):
            assert (found.run, found.last_sequence) == (5, 9)
            assert [row.name for row in found.transactions] == ["T"]
            (service,) = found.services
            assert (service.service_id, service.wanted, service.conf) == ("s1", Wish.UP, "{}")
            assert [row.id for row in found.processes] == ["p1"]
            recorder.record(state("s1", "backoff", restarts="[1]"))

    run(main())
    assert [row.restarts for row in remembered(address).services] == ["[1]"]


def test_a_migrated_store_is_shaped_as_a_new_one(address: Address, url: str) -> None:
    """What the steps make of an old store is what a new one begins with."""
    remembered(address)
    new = shape(address)
    engine = make_engine(address)
    with engine.begin() as connection:
        for table in new:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        if not address.path:
            connection.exec_driver_sql(f'DROP SCHEMA "{address.schema}"')
    engine.dispose()
    make_version_1(address)
    assert shape(address) != new
    remembered(address)
    serial = re.compile(r"nextval\('.*?'")
    assert serial.sub("", str(shape(address))) == serial.sub("", str(new))


def test_a_step_that_fails_leaves_the_store_as_it_was(address: Address) -> None:
    """All steps are one transaction: an old store is old or new, never between."""
    make_version_1(address)
    before = shape(address)
    engine = make_engine(address)
    broken = core(1, 1)
    steps = (*broken.migrations, lambda connection: connection.exec_driver_sql("NO SQL"))
    component = type(broken)("provider", broken.tables, broken.statements, steps)
    with pytest.raises(sa.exc.SQLAlchemyError), engine.begin() as connection:
        migrations.migrate(connection, [component], "here")
    engine.dispose()
    assert shape(address) == before


def test_a_newer_store_is_refused_and_not_touched(address: Address) -> None:
    """The line says both versions and what to do; a reader says the same."""
    remembered(address)
    engine = make_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE meta SET version = 7")
    engine.dispose()
    before = shape(address)
    words = r"was written by a newer context_bus \(schema 7 of provider, this one knows 2\); upgrade, or"
    with pytest.raises(StoreTooNew, match=words) as caught:
        remembered(address)
    assert (caught.value.found, caught.value.known) == (7, core().version)
    with pytest.raises(StoreTooNew, match=words), Reader(address) as reader:
        reader.load()
    assert shape(address) == before


def test_a_reader_does_not_migrate(address: Address) -> None:
    """An older store is its provider's business; a command says what to do."""
    make_version_1(address)
    with (
        pytest.raises(StoreUnavailable, match=r"older context_bus.*start its provider once"),
        Reader(address) as r,
    ):
        r.load()


def test_a_reader_makes_no_store(sqlite: Address) -> None:
    """To ask about a context that never ran is one line, and leaves nothing behind."""
    with (
        pytest.raises(NothingRecorded, match=r"nothing is recorded.*start its provider first"),
        Reader(sqlite) as r,
    ):
        r.events()
    assert sqlite.is_new


def test_a_reader_cannot_write(address: Address) -> None:
    """Neither by mistake nor on purpose."""
    remembered(address)
    with pytest.raises(StoreUnavailable), Reader(address) as reader, reader._connection() as connection:
        connection.exec_driver_sql("DELETE FROM meta")


def test_a_committed_store_is_in_write_ahead_mode(sqlite: Address) -> None:
    """So that readers and the provider never wait for each other."""
    remembered(sqlite)
    assert sqlite.path is not None
    with closing(sqlite3.connect(sqlite.path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_living_processes_are_found_without_a_scan(sqlite: Address) -> None:
    """The start of a provider must not depend on how long its history is."""
    remembered(sqlite)
    statements: list[str] = []
    sqlalchemy_event.listen(
        sa.Engine, "before_cursor_execute", note := lambda *args: statements.append(str(args[2]))
    )
    try:
        with Reader(sqlite) as reader:
            reader.load()
    finally:
        sqlalchemy_event.remove(sa.Engine, "before_cursor_execute", note)
    (living,) = [text for text in statements if "ended_at IS NULL" in text]
    assert sqlite.path is not None
    with closing(sqlite3.connect(sqlite.path)) as connection:
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {living}").fetchall())
    assert "processes_living" in plan
