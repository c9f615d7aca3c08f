"""Read a store: what a provider needs to go on, and what people ask for. Knows SQLAlchemy and the tables."""

from __future__ import annotations

import sqlalchemy as sa

from context_bus.store.address import Address
from context_bus.store.changes import Wish
from context_bus.store.looking import Looking
from context_bus.store.remembered import EventRow, ProcessRow, Remembered, ServiceRow, TransactionRow
from context_bus.store.schema import core, events, processes, runs, services, transactions

_TRANSACTION = (
    transactions.c.name,
    transactions.c.context_id,
    transactions.c.context_name,
    transactions.c.opened_at,
)
_SERVICE = (
    services.c.transaction,
    services.c.service_id,
    services.c.wanted,
    services.c.conf,
    services.c.state,
    services.c.restarts,
    services.c.reason,
    services.c.updated_at,
)


def load(connection: sa.Connection) -> Remembered:
    """Read what a provider finds when it starts; the tables must be those of today."""
    found_transactions = connection.execute(sa.select(*_TRANSACTION).order_by(transactions.c.number))
    found_services = connection.execute(sa.select(*_SERVICE).order_by(services.c.number))
    living = sa.select(processes).where(processes.c.ended_at.is_(None)).order_by(processes.c.spawned_at)
    return Remembered(
        run=(connection.scalar(sa.select(sa.func.max(runs.c.id))) or 0) + 1,
        transactions=tuple(TransactionRow(*row) for row in found_transactions),
        services=tuple(ServiceRow(row[0], row[1], Wish(row[2]), *row[3:]) for row in found_services),
        processes=tuple(ProcessRow(*row) for row in connection.execute(living)),
        last_sequence=connection.scalar(sa.select(sa.func.max(events.c.sequence))) or 0,
    )


class Reader(Looking):
    """Looks into a store, also while a provider writes it; never changes it, never makes one.

    Args:
        address: Which database.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address, core(), "nothing is recorded at {}; start its provider first")

    def load(self) -> Remembered:
        """What a provider that starts now would find.

        Raises:
            StoreTooNew: A later version wrote it.
            NothingRecorded: There is no store yet; so for every method.
            StoreUnavailable: It cannot be read; likewise.
        """
        with self._connection() as connection:
            return load(connection)

    def history(
        self, service_id: str = "", transaction: str = "", limit: int = 100
    ) -> tuple[ProcessRow, ...]:
        """Processes, the newest first.

        Args:
            service_id: Only of this service; empty for all.
            transaction: Only of this transaction; empty for all.
            limit: At most so many.
        """
        statement = sa.select(processes).order_by(processes.c.spawned_at.desc()).limit(limit)
        if service_id:
            statement = statement.where(processes.c.service_id == service_id)
        if transaction:
            statement = statement.where(processes.c.transaction == transaction)
        with self._connection() as connection:
            return tuple(ProcessRow(*row) for row in connection.execute(statement))

    def events(self, after: int = 0, limit: int = 1000) -> tuple[EventRow, ...]:
        """Events, the oldest first.

        Args:
            after: Only those with a higher number.
            limit: At most so many.
        """
        statement = sa.select(events).where(events.c.sequence > after).order_by(events.c.sequence)
        with self._connection() as connection:
            return tuple(EventRow(*row) for row in connection.execute(statement.limit(limit)))

    def last_events(self, before: int, limit: int) -> tuple[EventRow, ...]:
        """The last events below a number, the oldest first.

        Args:
            before: Only those with a lower number.
            limit: At most so many.
        """
        statement = sa.select(events).where(events.c.sequence < before).order_by(events.c.sequence.desc())
        with self._connection() as connection:
            found = [EventRow(*row) for row in connection.execute(statement.limit(limit))]
        return tuple(reversed(found))

    def first_event(self) -> int:
        """Number of the oldest event; 0 if there is none."""
        with self._connection() as connection:
            return connection.scalar(sa.select(sa.func.min(events.c.sequence))) or 0
