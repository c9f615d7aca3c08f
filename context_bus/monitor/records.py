"""Looks into the records of monitors, whether one writes them or not. Knows SQLAlchemy and the tables."""

from __future__ import annotations

import math

import msgspec
import sqlalchemy as sa

from context_bus.monitor.buckets import Bucket, buckets_of
from context_bus.monitor.tables import component, samples, series
from context_bus.store.address import Address
from context_bus.store.looking import Looking

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


class Records(Looking):
    """The records of one context.

    Args:
        address: Which database.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address, component(), f"nothing is recorded yet at {{}}; {REMEDY}")

    def series(self, *, counted: bool = True) -> tuple[Series, ...]:
        """What is recorded, by transaction and service, the youngest transaction first.

        Args:
            counted: Count the samples, for which each one has to be looked at.

        Raises:
            StoreTooNew: A later version wrote it.
            NothingRecorded: There are no records yet; so for every method.
            StoreUnavailable: They cannot be read; likewise.
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

    def _check(self, connection: sa.Connection) -> None:
        if not sa.inspect(connection).has_table(series.name):  # the database may be the provider's
            raise self._nothing()
        super()._check(connection)


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)
