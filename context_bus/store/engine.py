"""Connections as this package wants them: SQLite in WAL, PostgreSQL in a schema. Knows SQLAlchemy.

With ``synchronous=NORMAL`` in WAL a commit waits for no disk: what is committed survives the end of any
process, and the store survives a loss of power, perhaps without the last moments before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import event, exc, pool

from context_bus.errors import StoreLocked, StoreUnavailable
from context_bus.store.address import Address, sqlite_uri

#: Seconds that SQLite waits for somebody else's write; a recorder tries again later anyway.
BUSY = 0.25
#: Seconds that a server may take to answer a new connection.
CONNECT_TIMEOUT = 5
#: Bytes at which the log of SQLite is cut after a checkpoint; a burst must not keep the disk for ever.
_LOG_LIMIT = 16 * 1024 * 1024
#: KiB of pages that a writer keeps in memory; with more, one that writes all day grows by that for an hour.
_CACHE = 512


class _Cursor(Protocol):
    def execute(self, statement: str) -> object: ...
    def close(self) -> None: ...


class _Driver(Protocol):
    """A connection of a database driver, as far as it is used here."""

    def cursor(self) -> _Cursor: ...
    def commit(self) -> None: ...


def make_engine(address: Address, *, read_only: bool = False) -> sa.Engine:
    """Make an engine; connects to nothing yet.

    Args:
        address: Which database.
        read_only: For commands that look on while a provider writes.

    Raises:
        StoreUnavailable: The driver of PostgreSQL is not installed, or the URL cannot be read.
    """
    return _postgres(address, read_only) if address.path is None else _sqlite(address, read_only)


def reason_of(error: BaseException) -> str:
    """The cause of a database error in one line, as the database put it."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def is_busy(error: BaseException) -> bool:
    """Whether somebody else uses the database just now, so that a later attempt may succeed."""
    if isinstance(error, StoreLocked):
        # A server needs a moment to see that the connection of a killed provider is gone.
        return True
    code = getattr(error.orig, "sqlite_errorcode", 0) if isinstance(error, exc.DBAPIError) else 0
    return code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_in_change(error: Exception) -> bool:
    """Whether what was to be written is at fault, so that no later attempt may succeed."""
    if not isinstance(error, exc.DBAPIError):
        return not isinstance(error, exc.DisconnectionError | StoreLocked | OSError)
    if isinstance(error, exc.ProgrammingError):
        # A server that says so misses a table or a right; a driver that does cannot take the value.
        return getattr(error.orig, "sqlstate", None) is None
    return isinstance(error, exc.DataError | exc.IntegrityError)


def _sqlite(address: Address, read_only: bool) -> sa.Engine:
    assert address.path is not None
    uri = sqlite_uri(address.path, read_only=read_only)
    # A rollback journal is what is left where WAL cannot be (some network file systems); safe, but slower.
    settings = ["PRAGMA query_only=ON"] if read_only else ["PRAGMA journal_mode=WAL"]
    settings += [] if read_only else [f"PRAGMA cache_size=-{_CACHE}"]
    settings += ["PRAGMA synchronous=NORMAL", f"PRAGMA journal_size_limit={_LOG_LIMIT}"]

    def connect() -> sqlite3.Connection:
        # Without an isolation level the driver begins nothing by itself: see `begin`.
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        try:
            for setting in settings:
                connection.execute(setting).close()
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine("sqlite+pysqlite://", creator=connect, poolclass=pool.NullPool)
    # A write that begins as a read fails when another connection wrote in between; one that says so waits.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _postgres(address: Address, read_only: bool) -> sa.Engine:
    try:
        engine = sa.create_engine(
            address.url,
            poolclass=pool.NullPool,
            connect_args={"connect_timeout": CONNECT_TIMEOUT, "application_name": "context_bus"},
        )
    except ImportError as error:
        raise StoreUnavailable(
            f"{address.context}: PostgreSQL needs psycopg; pip install 'context-bus[postgres]'"
        ) from error
    except (exc.ArgumentError, ValueError) as error:
        raise StoreUnavailable(f"{address.context}: {address} is no URL of a database: {error}") from error
    event.listen(engine, "connect", _setting(address, read_only))
    return engine


def _setting(address: Address, read_only: bool) -> Callable[[_Driver, object], None]:
    statements = [f'SET search_path TO "{address.schema}"']
    if read_only:
        statements.append("SET default_transaction_read_only TO on")

    def set_up(connection: _Driver, _: object) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        # What is set in a transaction is gone with its rollback.
        connection.commit()

    return set_up
