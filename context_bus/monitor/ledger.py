"""Writes samples into their database and deletes what is too old. Knows SQLAlchemy; must not know threads.

Each batch is one transaction, each deletion a small one. After a failure all is closed; the next use opens
it again, so a file that was deleted is made anew and a server that was restarted is found.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from context_bus.monitor.sample import Sample
from context_bus.monitor.tables import component, samples, series
from context_bus.store import migrations
from context_bus.store.address import Address
from context_bus.store.component import insert
from context_bus.store.engine import make_engine, reason_of

_log = logging.getLogger(__name__)

#: Rows that one transaction deletes, so that no commit takes long.
PORTION = 2_000
#: Transactions of one turn; then what came meanwhile is written first.
TURN = 10
#: Part of the time that is looked back on which goes at once when the records take too much room.
SLICE = 0.05


class Ledger:
    """The records of all monitors of one context.

    Args:
        address: Which database.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._engine = make_engine(address)
        self._connection: sa.Connection | None = None

    def write(self, transaction: str, batch: Sequence[Sample]) -> None:
        """Write samples, all or nothing.

        Raises:
            StoreError: A later version made the tables.
            SQLAlchemyError: The database does not take them now.
        """
        if self._connection is not None and self._address.is_new:
            self.close()  # somebody deleted the file
        connection = self._connected()
        with connection.begin():
            ids = self._ids(connection, transaction, {each.service_id for each in batch})
            rows = [_row(ids[each.service_id], each) for each in batch]
            connection.execute(insert(connection.dialect.name, samples).on_conflict_do_nothing(), rows)

    def prune(self, keep_from: int, limit: int) -> bool:
        """Delete a part of what is too old, or too much.

        Args:
            keep_from: Milliseconds since the epoch; what is older goes.
            limit: Bytes that an SQLite file may use; PostgreSQL has its own ways with room.

        Returns:
            Whether nothing is left to delete.

        Raises:
            SQLAlchemyError: As `write`.
        """
        connection = self._connected()
        if self._address.path is not None and _used(connection) > limit:
            keep_from = max(keep_from, _slice(connection, keep_from))
        left = TURN
        for number in _with_older(connection, keep_from):
            deleted = PORTION
            while left and deleted >= PORTION:
                left -= 1
                deleted = self._delete(connection, number, keep_from)
            if not left:
                return False
        self._forget(connection)
        return self._address.path is None or _used(connection) <= limit

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                _log.debug("not closed: store=%s reason=%s", self._address, reason_of(error))
        self._engine.dispose()

    # -- how ---------------------------------------------------------------------------------------

    def _connected(self) -> sa.Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                with connection.begin():
                    if self._address.schema:
                        name = self._address.schema
                        connection.execute(sa.schema.CreateSchema(name, if_not_exists=True))
                    migrations.migrate(connection, (component(),), str(self._address))
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @staticmethod
    def _ids(connection: sa.Connection, transaction: str, names: set[str]) -> dict[str, int]:
        """Numbers of series; asked for each time, for another monitor may have deleted one that was empty."""
        own = sa.select(series.c.service_id, series.c.id).where(series.c.transaction == transaction)
        found = {row.service_id: row.id for row in connection.execute(own)}
        if missing := [{"transaction": transaction, "service_id": name} for name in names - found.keys()]:
            connection.execute(insert(connection.dialect.name, series).on_conflict_do_nothing(), missing)
            found = {row.service_id: row.id for row in connection.execute(own)}
        return found

    @staticmethod
    def _delete(connection: sa.Connection, number: int, keep_from: int) -> int:
        """Delete the oldest rows of a series, a portion of them; returns how many."""
        own = samples.c.series == number
        # The time of the first row that stays in this turn: a range of the key is found without a search.
        nth = sa.select(samples.c.at).where(own).order_by(samples.c.at).offset(PORTION).limit(1)
        with connection.begin():
            bound = connection.scalar(nth)
            until = keep_from if bound is None else min(bound, keep_from)
            deleted = connection.execute(sa.delete(samples).where(own, samples.c.at < until))
        return int(deleted.rowcount)

    @staticmethod
    def _forget(connection: sa.Connection) -> None:
        """Delete series of which nothing is left."""
        any_left = sa.select(samples.c.at).where(samples.c.series == series.c.id).exists()
        with connection.begin():
            connection.execute(sa.delete(series).where(~any_left))


def _row(number: int, sample: Sample) -> dict[str, object]:
    row = msgspec.structs.asdict(sample)
    del row["service_id"]
    return {"series": number, **row}


def _with_older(connection: sa.Connection, keep_from: int) -> list[int]:
    """Series that hold something older."""
    older = sa.select(samples.c.at).where(samples.c.series == series.c.id, samples.c.at < keep_from).exists()
    with connection.begin():
        return list(connection.scalars(sa.select(series.c.id).where(older)))


def _used(connection: sa.Connection) -> int:
    """Bytes of an SQLite file that hold something; what was deleted is used again."""

    def pragma(name: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)

    with connection.begin():
        return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")


def _slice(connection: sa.Connection, keep_from: int) -> int:
    """Up to when samples go since there are too many: a part of the time between the first and the last."""
    own = samples.c.series == series.c.id
    begins = sa.select(sa.func.min(samples.c.at)).where(own).scalar_subquery()
    ends = sa.select(sa.func.max(samples.c.at)).where(own).scalar_subquery()
    spans = sa.select(begins.label("first"), ends.label("last")).select_from(series).subquery()
    with connection.begin():
        row = connection.execute(sa.select(sa.func.min(spans.c.first), sa.func.max(spans.c.last))).one()
    if row[0] is None:
        return keep_from
    first, last = int(row[0]), int(row[1])
    return first + max(1, round((last - first) * SLICE))
