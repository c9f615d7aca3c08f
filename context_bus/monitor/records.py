"""Looks into the records of monitors, whether one writes them or not. Knows SQLAlchemy and the tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import msgspec
import sqlalchemy as sa

from context_bus.errors import StoreUnavailable
from context_bus.monitor.buckets import Bucket, buckets_of
from context_bus.monitor.tables import component, samples, series
from context_bus.store import migrations
from context_bus.store.address import Address
from context_bus.store.engine import make_engine, reason_of

#: Rows that are taken from the database at a time.
_CHUNK = 10_000
#: What to do where nothing is recorded.
REMEDY = "put <store_records>1</store_records> into the monitor_options of its Monitor, and start it"


class Series(msgspec.Struct, frozen=True):
    """What is recorded of one service.

    Args:
        transaction: Its transaction.
        service_id: Its id.
        samples: How many; 0 if they were not counted.
        first: When the first one was, in seconds since the epoch.
        last: When the last one was.
    """

    transaction: str
    service_id: str
    samples: int
    first: float
    last: float


class Records:
    """The records of one context.

    Args:
        address: Which database.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._engine = make_engine(address, read_only=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release everything."""
        self._engine.dispose()

    def series(self, *, counted: bool = True) -> tuple[Series, ...]:
        """What is recorded, by transaction and service, the youngest transaction first.

        Args:
            counted: Count the samples, for which each one has to be looked at.

        Raises:
            StoreTooNew: A later version wrote it.
            StoreUnavailable: There are no records, or they cannot be read; so for every method.
        """
        own = samples.c.series == series.c.id
        wanted = [sa.func.min(samples.c.at), sa.func.max(samples.c.at)]
        parts = [sa.select(each).where(own).scalar_subquery() for each in wanted]
        count = sa.select(sa.func.count()).select_from(samples).where(own).scalar_subquery()
        number = count if counted else sa.literal(0)
        with self._connection() as connection:
            rows = connection.execute(
                sa.select(series.c.transaction, series.c.service_id, number, *parts)
            ).all()
        found = [
            Series(row[0], row[1], row[2], row[3] / 1000, row[4] / 1000) for row in rows if row[3] is not None
        ]
        age: dict[str, float] = {}
        for each in found:
            age[each.transaction] = max(age.get(each.transaction, 0.0), each.last)
        return tuple(sorted(found, key=lambda each: (-age[each.transaction], each.service_id)))

    def history(
        self, service: str, transaction: str, since: float, until: float, bucket: float
    ) -> list[Bucket]:
        """Sum up what is recorded of a service; intervals without a sample are left out.

        Args:
            service: Its id.
            transaction: Its transaction.
            since: From when, in seconds since the epoch.
            until: Before when.
            bucket: Seconds of an interval; each begins at a multiple of it.
        """
        width = max(1, round(bucket * 1000))
        own = sa.select(series.c.id).where(
            series.c.transaction == transaction, series.c.service_id == service
        )
        at = samples.c.at
        statement = (
            sa.select(
                at // width,
                samples.c.cpu,
                samples.c.rss,
                samples.c.threads,
                samples.c.descriptors,
                samples.c.processes,
            )
            .where(samples.c.series == own.scalar_subquery())
            .where(at >= _milliseconds(since), at < _milliseconds(until))
            .order_by(at)
            .execution_options(yield_per=_CHUNK)
        )
        with self._connection() as connection:
            return list(buckets_of(connection.execute(statement), width))

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        context, address = self._address.context, self._address
        if address.is_new:
            raise StoreUnavailable(f"{context}: nothing is recorded yet at {address}; {REMEDY}")
        try:
            with self._engine.begin() as connection:
                if not sa.inspect(connection).has_table(series.name):
                    raise StoreUnavailable(f"{context}: nothing is recorded yet at {address}; {REMEDY}")
                migrations.check(connection, component(), str(address))
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(f"{context}: {address} cannot be read: {reason_of(error)}") from error


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)
