"""The history in the order in which tasks ended, for who reads all of it."""

from __future__ import annotations

import pytest

from context_bus.watch import history
from context_bus.watch.database import Database


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2000])
def test_all_rows_come_once_and_in_order(database: Database, count: int) -> None:
    """Whether the last page is full or not; an end that nobody knows leaves none out."""
    rows = [(number, f"t{number}", None if number % 3 else 1000 - number) for number in range(1, count + 1)]
    with database.writing() as connection:
        connection.executemany(
            "INSERT INTO history(taskid, taskname, endtime, outcome) VALUES (?, ?, ?, 'done')", rows
        )
    assert [past.taskid for past in history.in_order(database)] == list(range(1, count + 1))


def test_reader_who_rests_holds_nobody_up(database: Database) -> None:
    """Rows that are added between two pages are read as well; none of them twice."""
    insert = "INSERT INTO history(taskid, outcome) VALUES (?, 'done')"
    with database.writing() as connection:
        connection.executemany(insert, [(number,) for number in range(1, 1501)])
    reader = history.in_order(database)
    first = next(reader).taskid
    with database.writing() as connection:
        connection.execute(insert, (1501,))
    assert [first, *(past.taskid for past in reader)] == list(range(1, 1502))
