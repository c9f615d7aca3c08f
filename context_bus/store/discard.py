"""Forget everything about one context. Knows the store's files; the caller holds the lock of its place."""

from __future__ import annotations

from context_bus.errors import StoreLocked, StoreUnavailable
from context_bus.store.address import Address
from context_bus.store.ahead import SUFFIX

#: What is kept beside a database. What we keep goes first, since it would be written into the next one;
#: then the database, since the log of SQLite alone means nothing to anybody.
_SIDES = (SUFFIX, "", "-wal", "-shm", "-journal")


def discard(address: Address) -> None:
    """Delete the store of a context; nothing happens if there is none.

    Raises:
        StoreLocked: Another provider writes into this database just now.
        StoreUnavailable: It cannot be deleted, or the server cannot be reached.
    """
    if address.path is None:
        _drop(address)
        return
    for side in _SIDES:
        path = address.path.with_name(address.path.name + side)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"{address.context}: {path} cannot be deleted: {error.strerror}; delete it by hand"
            ) from error


def _drop(address: Address) -> None:
    import sqlalchemy as sa

    from context_bus.store.engine import make_engine, reason_of

    try:
        with make_engine(address).begin() as connection:
            # For this transaction only; a provider holds it as long as it lives.
            number = sa.func.pg_try_advisory_xact_lock(sa.cast(address.lock_number, sa.BigInteger))
            if not connection.scalar(sa.select(number)):
                raise StoreLocked(address.context)
            connection.execute(sa.schema.DropSchema(address.schema, cascade=True, if_exists=True))
    except sa.exc.SQLAlchemyError as error:
        raise StoreUnavailable(
            f"{address.context}: {address} cannot be deleted: {reason_of(error)}; is the server up?"
        ) from error
