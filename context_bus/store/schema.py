"""The tables of a provider and how its changes are written into them. Knows SQLAlchemy and the changes.

Every statement may run twice with the same values and leaves the same rows: a server that goes away
during a commit does not say whether it came through, so the batch is written again.
"""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from context_bus.store import migrations
from context_bus.store.changes import (
    Change,
    EventHappened,
    Forgotten,
    ProcessBegan,
    ProcessEnded,
    ProcessReady,
    RunBegan,
    RunEnded,
    StateChanged,
    TransactionOpened,
    Wanted,
    Wish,
)
from context_bus.store.component import Component, Retention, Statements, given, insert

#: Events that are kept; beyond it the oldest go. About 20 MB.
EVENTS_KEPT = 100_000
#: Ended processes that are kept as history.
PROCESSES_KEPT = 100_000

tables = sa.MetaData()
#: SQLite counts rows by itself only in a column of this very type.
_Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

runs = sa.Table(
    "runs",
    tables,
    sa.Column("id", _Number, primary_key=True, autoincrement=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("ticks", sa.BigInteger, nullable=False),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
    sa.Column("how", sa.Text, nullable=False, server_default=""),
)
transactions = sa.Table(
    "transactions",
    tables,
    sa.Column("number", _Number, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("context_id", sa.Text, nullable=False),
    sa.Column("context_name", sa.Text, nullable=False),
    sa.Column("opened_at", sa.Double, nullable=False),
)
services = sa.Table(
    "services",
    tables,
    sa.Column("number", _Number, primary_key=True),
    sa.Column("transaction", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("wanted", sa.Text, nullable=False),
    sa.Column("conf", sa.Text, nullable=False, server_default=""),
    sa.Column("state", sa.Text, nullable=False, server_default=""),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("restarts", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("transaction", "service_id"),
)
processes = sa.Table(
    "processes",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("transaction", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("ticks", sa.BigInteger, nullable=False),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("run", sa.BigInteger, nullable=False),
    sa.Column("spawned_at", sa.Double, nullable=False),
    sa.Column("ready_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("exit_code", sa.BigInteger),
    sa.Column("signal", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
)
sa.Index("processes_of_service", processes.c.service_id, processes.c.spawned_at)
sa.Index("processes_by_time", processes.c.spawned_at)


@sa.event.listens_for(processes, "after_create")
def _index_living(_: sa.Table, connection: sa.Connection, **__: object) -> None:
    """A provider that starts asks for the few without an end among a hundred thousand.

    In words, since an index with a condition for a dialect imports the dialect.
    """
    connection.exec_driver_sql(
        "CREATE INDEX processes_living ON processes (spawned_at) WHERE ended_at IS NULL"
    )


events = sa.Table(
    "events",
    tables,
    sa.Column("sequence", _Number, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("transaction", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
)


@cache
def core(events_kept: int = EVENTS_KEPT, processes_kept: int = PROCESSES_KEPT) -> Component:
    """The component of the provider itself.

    Args:
        events_kept: Events that are kept.
        processes_kept: Ended processes that are kept; those that may live are kept always.
    """
    statements: dict[type[Change], Statements] = {
        RunBegan: _run_began,
        RunEnded: _run_ended,
        TransactionOpened: _transaction_opened,
        Wanted: _wanted,
        StateChanged: _state_changed,
        ProcessBegan: _process_began,
        ProcessReady: _process_ready,
        ProcessEnded: _process_ended,
        EventHappened: _event_happened,
        Forgotten: _forgotten,
    }
    retentions = (
        Retention(events.c.sequence, events_kept),
        Retention(processes.c.spawned_at, processes_kept, processes.c.ended_at.is_not(None)),
    )
    return Component("provider", tables, statements, migrations.PROVIDER, retentions)


def _run_began(dialect: str) -> tuple[sa.Executable, ...]:
    columns = {name: given(name) for name in ("pid", "ticks", "boot_id")}
    statement = insert(dialect, runs).values(id=given("run"), **columns, started_at=given("at"))
    return (statement.on_conflict_do_nothing(),)


def _run_ended(_: str) -> tuple[sa.Executable, ...]:
    return (sa.update(runs).where(runs.c.id == given("run")).values(ended_at=given("at"), how=given("how")),)


def _transaction_opened(dialect: str) -> tuple[sa.Executable, ...]:
    columns = {name: given(name) for name in ("name", "context_id", "context_name")}
    statement = insert(dialect, transactions).values(**columns, opened_at=given("at"))
    return (statement.on_conflict_do_nothing(),)


def _wanted(dialect: str) -> tuple[sa.Executable, ...]:
    statement = insert(dialect, services).values(
        transaction=given("transaction"),
        service_id=given("service_id"),
        wanted=given("wanted"),
        conf=sa.func.coalesce(sa.cast(given("conf"), sa.Text), ""),
        updated_at=given("at"),
    )
    changed = {
        "wanted": statement.excluded.wanted,
        "conf": sa.func.coalesce(sa.cast(given("conf"), sa.Text), services.c.conf),
        "updated_at": statement.excluded.updated_at,
    }
    return (statement.on_conflict_do_update(index_elements=["transaction", "service_id"], set_=changed),)


def _state_changed(dialect: str) -> tuple[sa.Executable, ...]:
    statement = insert(dialect, services).values(
        transaction=given("transaction"),
        service_id=given("service_id"),
        wanted=str(Wish.NONE),
        state=given("state"),
        reason=given("reason"),
        restarts=sa.func.coalesce(sa.cast(given("restarts"), sa.Text), ""),
        updated_at=given("at"),
    )
    changed = {
        "state": statement.excluded.state,
        "reason": statement.excluded.reason,
        "restarts": sa.func.coalesce(sa.cast(given("restarts"), sa.Text), services.c.restarts),
        "updated_at": statement.excluded.updated_at,
    }
    return (statement.on_conflict_do_update(index_elements=["transaction", "service_id"], set_=changed),)


def _process_began(dialect: str) -> tuple[sa.Executable, ...]:
    names = ("id", "transaction", "service_id", "incarnation", "pid", "ticks", "boot_id", "run")
    columns = {name: given(name) for name in names}
    statement = insert(dialect, processes).values(**columns, spawned_at=given("at"))
    return (statement.on_conflict_do_nothing(),)


def _process_ready(_: str) -> tuple[sa.Executable, ...]:
    return (sa.update(processes).where(processes.c.id == given("id")).values(ready_at=given("at")),)


def _process_ended(_: str) -> tuple[sa.Executable, ...]:
    columns = {name: given(name) for name in ("exit_code", "signal", "reason")}
    return (
        sa.update(processes).where(processes.c.id == given("id")).values(ended_at=given("at"), **columns),
    )


def _event_happened(dialect: str) -> tuple[sa.Executable, ...]:
    names = ("sequence", "at", "kind", "transaction", "service_id", "data")
    statement = insert(dialect, events).values({name: given(name) for name in names})
    return (statement.on_conflict_do_nothing(),)


def _forgotten(_: str) -> tuple[sa.Executable, ...]:
    whole = sa.cast(given("service_id"), sa.Text) == ""
    of_transaction = services.c.transaction == given("transaction")
    return (
        sa.delete(services).where(of_transaction, whole | (services.c.service_id == given("service_id"))),
        sa.delete(transactions).where(transactions.c.name == given("transaction"), whole),
    )
