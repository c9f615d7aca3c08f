"""Looking into a database that somebody else writes. Knows engines and versions, not what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from context_bus.errors import NothingRecorded, StoreUnavailable
from context_bus.kernel.closing import Closing
from context_bus.store import migrations
from context_bus.store.address import Address
from context_bus.store.component import Component
from context_bus.store.engine import make_engine, reason_of


class Looking(Closing):
    """Looks into a database, also while its owner writes it; never changes it, never makes one.

    Args:
        address: Which database.
        component: What is looked for there.
        empty: What is said where there is none yet, with the remedy: ``nothing is recorded at {}; ...``.
    """

    def __init__(self, address: Address, component: Component, empty: str) -> None:
        self._address, self._component, self._empty = address, component, empty
        self._engine = make_engine(address, read_only=True)

    def close(self) -> None:
        """Release everything."""
        self._engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        address = self._address
        if address.is_new:
            raise self._nothing()
        try:
            with self._engine.begin() as connection:
                self._check(connection)
                yield connection
        except sa.exc.SQLAlchemyError as error:
            reason = f"{address.context}: {address} cannot be read: {reason_of(error)}"
            raise StoreUnavailable(reason) from error

    def _check(self, connection: sa.Connection) -> None:
        """See that what is there can be read."""
        migrations.check(connection, self._component, str(self._address))

    def _nothing(self) -> NothingRecorded:
        return NothingRecorded(f"{self._address.context}: {self._empty.format(self._address)}")
