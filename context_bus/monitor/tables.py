"""The tables of the records, and how samples get into them and out again. Knows SQLAlchemy.

A series is one service of one transaction; its samples lie together, in order of time, so that a look back
reads what it shows and nothing else.
"""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from context_bus.store.component import Component

tables = sa.MetaData()
#: SQLite counts rows by itself only in a column of this very type.
_Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

series = sa.Table(
    "monitor_series",
    tables,
    sa.Column("id", _Number, primary_key=True),
    sa.Column("transaction", sa.Text, nullable=False),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.UniqueConstraint("transaction", "service_id"),
)
samples = sa.Table(
    "monitor_samples",
    tables,
    sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("cpu", sa.Integer),
    sa.Column("rss", sa.BigInteger),
    sa.Column("vms", sa.BigInteger),
    sa.Column("threads", sa.Integer),
    sa.Column("descriptors", sa.Integer),
    sa.Column("processes", sa.Integer),
    # Without a number of its own for each row, which would cost as much as the row.
    sqlite_with_rowid=False,
)


@cache
def component() -> Component:
    """The part of a store that holds the records."""
    return Component("monitor", tables, {})
