"""What one room contributes to a store: its tables, how they came to be, how its changes are written.

Knows SQLAlchemy; imported only where a store is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from context_bus.store.changes import Change

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

#: One step from a version of the tables to the next. It must not use the tables of today, but the names
#: and types of its own day.
Migration = Callable[[sa.Connection], None]
#: Makes the statements of one kind of change, for a dialect; each is run with the values of many changes.
Statements = Callable[[str], tuple[sa.Executable, ...]]


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a table is kept: the newest rows by one column.

    Args:
        column: Its primary key, or another column by which old rows are told.
        keep: Rows that stay.
        where: Which rows count and may go; None for all.
    """

    column: sa.Column[float] | sa.Column[int]
    keep: int
    where: sa.ColumnElement[bool] | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """The part of a store that one room answers for.

    Args:
        name: Its name, for ever.
        tables: Its tables as they are today.
        statements: How each kind of change is written. Of changes that were recorded together those of an
            earlier kind here are written first.
        migrations: From version 1 to 2, from 2 to 3, ...
        retentions: What is pruned.
    """

    name: str
    tables: sa.MetaData
    statements: Mapping[type[Change], Statements]
    migrations: tuple[Migration, ...] = ()
    retentions: tuple[Retention, ...] = field(default=())

    @property
    def version(self) -> int:
        """Version of the tables as they are today."""
        return len(self.migrations) + 1


#: How another room contributes: called where the store is opened, so that nobody imports SQLAlchemy early.
Contribution = Callable[[], Component]


def insert(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do with a row that is there."""
    # Each dialect is imported for those who use it: the other one costs a tenth of a second.
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def given(name: str) -> sa.BindParameter[object]:
    """The value of a field of the change, with a prefix, since SQLAlchemy keeps the names of columns."""
    return sa.bindparam(f"given_{name}")


def parameters(change: Change) -> dict[str, object]:
    """The values of a change, by the names that `given` uses."""
    return {f"given_{name}": _storable(value) for name, value in change.values().items()}


def _storable(value: object) -> object:
    """A value that every database takes: a reason may quote output with zeros or broken characters in it."""
    if not isinstance(value, str):
        return value
    text = str(value)
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
