"""Write changes, each batch in one transaction. Knows SQLAlchemy and components; must not know threads.

The connection stays open as long as it works. After a failure of the database all is closed and opened
again with the next attempt, so a server that was restarted is found again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from context_bus.errors import StoreLocked
from context_bus.store import migrations, records
from context_bus.store.address import Address
from context_bus.store.ahead import Ahead
from context_bus.store.changes import Change
from context_bus.store.component import Component, Retention, parameters
from context_bus.store.engine import is_in_change, make_engine, reason_of
from context_bus.store.remembered import Remembered
from context_bus.store.run import Run
from context_bus.store.schema import runs

_log = logging.getLogger(__name__)

#: Changes between two looks at how much there is to prune.
_LOOK_EVERY = 1000
#: Rows that one transaction prunes, so that no commit takes long.
_PRUNE = 2000


class Writer:
    """The one that writes.

    Args:
        address: Which database.
        components: Whose tables there are; the provider's own first.
    """

    def __init__(self, address: Address, components: Sequence[Component]) -> None:
        self._address, self._components = address, tuple(components)
        self._statements = {kind: make for each in components for kind, make in each.statements.items()}
        self._ranks = {kind: rank for rank, kind in enumerate(self._statements)}
        self._engine = make_engine(address)
        self._connection: sa.Connection | None = None
        self._guard: sa.Connection | None = None
        self._until_look = 0

    def begin(self, run: Run, number: int = 0, earlier: Ahead | None = None) -> Remembered:
        """Bring the tables up to date, read what is there and enter a run, all or nothing.

        Args:
            run: The run.
            number: Its number, if it has one already; else it gets the next.
            earlier: What an earlier run recorded last, which the tables may not have yet.

        Raises:
            StoreError: It is owned by another provider, or was written by a later version.
            SQLAlchemyError: The database cannot be used.
        """
        connection = self._connected()
        try:
            with connection.begin():
                migrations.migrate(connection, self._components, str(self._address))
                if earlier is not None:
                    self._execute(connection, earlier.earlier(self._statements))
                remembered = records.load(connection)
                unfinished = runs.c.ended_at.is_(None)
                connection.execute(sa.update(runs).where(unfinished).values(ended_at=run.at, how="lost"))
                self._execute(connection, [run.began(number or remembered.run)])
        except BaseException:
            self.close()
            raise
        return remembered

    def write(self, changes: Sequence[Change]) -> None:
        """Write a batch; all of it or, if a change cannot be written at all, all others.

        Raises:
            SQLAlchemyError: The database does not take it now; nothing says how much came through, and all
                may be written again.
            StoreLocked: Another provider has taken over meanwhile.
        """
        try:
            connection = self._connected()
            try:
                self._write(connection, changes)
            except Exception as error:
                if not is_in_change(error):
                    raise
                self._write_singly(connection, changes, error)
        except BaseException:
            self.close()
            raise

    def prune(self, written: int) -> None:
        """Delete what is more than shall be kept, a part of it.

        Args:
            written: Changes written since the last call.

        Raises:
            SQLAlchemyError: As `write`.
        """
        self._until_look -= written
        if self._until_look > 0:
            return
        self._until_look = _LOOK_EVERY
        connection = self._connected()
        for retention in (each for component in self._components for each in component.retentions):
            with connection.begin():
                if _prune(connection, retention) == _PRUNE:
                    self._until_look = 0

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        connections, self._connection, self._guard = (self._connection, self._guard), None, None
        for connection in connections:
            if connection is not None:
                try:
                    connection.close()
                except (SQLAlchemyError, OSError) as error:
                    _log.debug("not closed: store=%s reason=%s", self._address, reason_of(error))
        self._engine.dispose()

    # -- connections -------------------------------------------------------------------------------

    def _connected(self) -> sa.Connection:
        if self._connection is None:
            if self._address.path is None:
                self._guard = self._own_schema()
            self._connection = self._engine.connect()
        return self._connection

    def _own_schema(self) -> sa.Connection:
        """Take the advisory lock of a context on a connection that does nothing else; the server frees it
        with the connection.
        """
        connection = self._engine.connect()
        try:
            number = sa.func.pg_try_advisory_lock(sa.cast(self._address.lock_number, sa.BigInteger))
            if not connection.scalar(sa.select(number)):
                raise StoreLocked(self._address.context)
            if self._address.schema not in sa.inspect(connection).get_schema_names():
                connection.execute(sa.schema.CreateSchema(self._address.schema, if_not_exists=True))
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    # -- writing -----------------------------------------------------------------------------------

    def _write(self, connection: sa.Connection, changes: Sequence[Change]) -> None:
        with connection.begin():
            self._execute(connection, changes)

    def _execute(self, connection: sa.Connection, changes: Sequence[Change]) -> None:
        for kind, group in self._groups(changes):
            values = [parameters(change) for change in group]
            for statement in self._statements[kind](connection.dialect.name):
                connection.execute(statement, values)

    def _write_singly(self, connection: sa.Connection, changes: Sequence[Change], error: Exception) -> None:
        """Find the change that cannot be written, and write the others."""
        for change in changes:
            try:
                self._write(connection, [change])
            except Exception as own:
                if not is_in_change(own):
                    raise
                _log.error("not recorded: change=%r reason=%s", change, reason_of(own))
        _log.debug("written one by one: changes=%d reason=%s", len(changes), reason_of(error))

    def _groups(self, changes: Iterable[Change]) -> Iterator[tuple[type[Change], list[Change]]]:
        """Changes of one kind together, kinds in the order of the components, nothing across a barrier."""
        groups: dict[type[Change], list[Change]] = {}
        for change in changes:
            groups.setdefault(type(change), []).append(change)
            if change.is_barrier:
                yield from self._ranked(groups)
                groups = {}
        yield from self._ranked(groups)

    def _ranked(self, groups: dict[type[Change], list[Change]]) -> list[tuple[type[Change], list[Change]]]:
        # A kind that no component knows comes last; it fails there, and is then left out.
        return sorted(groups.items(), key=lambda group: self._ranks.get(group[0], len(self._ranks)))


def _prune(connection: sa.Connection, retention: Retention) -> int:
    column, table = retention.column, retention.column.table
    assert isinstance(table, sa.Table)
    where = sa.true() if retention.where is None else retention.where
    more = (
        connection.scalar(sa.select(sa.func.count()).select_from(table).where(where)) or 0
    ) - retention.keep
    if more <= 0:
        return 0
    key = table.primary_key.columns[0]
    oldest = sa.select(key).where(where).order_by(column).limit(min(more, _PRUNE))
    connection.execute(sa.delete(table).where(key.in_(oldest)))
    return min(more, _PRUNE)
