"""Bring the tables of a store to today's version, or refuse one of a later version. Knows SQLAlchemy.

A new store gets the tables as they are; an older one goes through every step since its version. Both end
alike, which a test proves. All of it happens in the transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from context_bus.errors import StoreTooNew, StoreUnavailable
from context_bus.store.component import Component, Migration

_own = sa.MetaData()
#: Which version the tables of each component have.
meta = sa.Table(
    "meta",
    _own,
    sa.Column("component", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)


def migrate(connection: sa.Connection, components: Iterable[Component], where: str) -> None:
    """Make the tables of all components those of today.

    Args:
        connection: In a transaction that nobody else can write beside.
        components: All that this program knows of; what others left in the store stays untouched.
        where: The store, for messages.

    Raises:
        StoreTooNew: A later version wrote it; nothing was changed.
    """
    meta.create(connection, checkfirst=True)
    components = tuple(components)
    found = _versions(connection, components, where)
    for component in components:
        version = found.get(component.name)
        if version is None:
            component.tables.create_all(connection)
            connection.execute(sa.insert(meta).values(component=component.name, version=component.version))
        elif version < component.version:
            for step in component.migrations[version - 1 :]:
                step(connection)
            own = meta.c.component == component.name
            connection.execute(sa.update(meta).where(own).values(version=component.version))


def check(connection: sa.Connection, component: Component, where: str) -> None:
    """See that the tables of a component can be read as they are.

    Raises:
        StoreTooNew: A later version wrote it.
        StoreUnavailable: An earlier version wrote it, or nobody yet.
    """
    found = {}
    if sa.inspect(connection).has_table("meta"):
        found = _versions(connection, (component,), where)
    version = found.get(component.name)
    if version is None:
        raise StoreUnavailable(f"{where} holds no records of {component.name}; start its provider first")
    if version < component.version:
        raise StoreUnavailable(
            f"{where} was written by an older context_bus (schema {version} of {component.name}, this one "
            f"reads {component.version}); start its provider once with this version"
        )


def _versions(connection: sa.Connection, components: tuple[Component, ...], where: str) -> dict[str, int]:
    rows = connection.execute(sa.select(meta.c.component, meta.c.version))
    found = {row.component: row.version for row in rows}
    for component in components:
        version = found.get(component.name, 0)
        if version > component.version:
            raise StoreTooNew(where, component.name, version, component.version)
    return found


# -- the provider's tables -----------------------------------------------------------------------


def _remember_restarts(connection: sa.Connection) -> None:
    """Version 2: a restart policy survives its provider; living processes are found without a scan."""
    for statement in (
        "ALTER TABLE services ADD COLUMN restarts TEXT DEFAULT '' NOT NULL",
        "CREATE INDEX processes_living ON processes (spawned_at) WHERE ended_at IS NULL",
    ):
        connection.exec_driver_sql(statement)


#: Steps of the provider's tables.
PROVIDER: tuple[Migration, ...] = (_remember_restarts,)
