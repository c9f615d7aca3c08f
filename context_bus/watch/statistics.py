"""How tasks have gone so far: how many, how they ended, how long they took. Counts in SQL, keeps no rows."""

from __future__ import annotations

import math
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from context_bus.watch.history import where
from context_bus.watch.schema import FAILED
from context_bus.watch.values import Filter, Outcome

if TYPE_CHECKING:
    from context_bus.watch.database import Database

#: Percent of the runs that took at most so long.
_SHARES = (50, 90, 95, 99)


class Statistics(NamedTuple):
    """What is known of runs that have ended. Without any, there are no seconds.

    Args:
        runs: How many.
        failures: How many of them were not done with exit code 0.
        outcomes: How many of each outcome that occurred.
        minimum: Seconds of the shortest.
        mean: Seconds on average.
        p50: Seconds that half of them did not exceed; one of the values, that of the nearest rank.
        p90: The same for 90 %.
        p95: The same for 95 %.
        p99: The same for 99 %.
        maximum: Seconds of the longest.
        last_run: When the last one ended, in seconds since the epoch.
        last_failure: When the last one that failed ended.
    """

    runs: int
    failures: int
    outcomes: dict[Outcome, int]
    minimum: float | None = None
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    maximum: float | None = None
    last_run: int | None = None
    last_failure: int | None = None


def statistics(database: Database, name: str | None = None, since: float | None = None) -> Statistics:
    """Count what has ended.

    Args:
        database: Where.
        name: Only tasks of this name.
        since: Only what ended then or later, in seconds since the epoch.

    Raises:
        StoreError: It cannot be read.
    """
    condition, values = where(Filter(name=name, since=since))
    totals = "count(elapsed), min(elapsed), avg(elapsed), max(elapsed), max(endtime)"
    by_outcome = f"SELECT outcome, count(*) FROM history WHERE {condition} GROUP BY outcome"
    last_failure = f"SELECT max(endtime) FROM history WHERE {condition} AND {FAILED}"
    with database.reading() as connection:
        outcomes = {Outcome(outcome): count for outcome, count in connection.execute(by_outcome, values)}
        query = f"SELECT {totals} FROM history WHERE {condition}"
        timed, minimum, mean, maximum, last_run = connection.execute(query, values).fetchone()
        (failed_at,) = connection.execute(last_failure, values).fetchone()
        ranks = [math.ceil(share / 100 * timed) for share in _SHARES]
        p50, p90, p95, p99 = _at_ranks(connection, condition, values, ranks)
    runs = sum(outcomes.values())
    failures = runs - outcomes.get(Outcome.DONE, 0)
    seconds = (minimum, mean, p50, p90, p95, p99, maximum)
    return Statistics(runs, failures, outcomes, *seconds, last_run, failed_at)


def _at_ranks(
    connection: sqlite3.Connection, condition: str, values: tuple[object, ...], ranks: list[int]
) -> list[float | None]:
    """The seconds of the runs at these places, the shortest at 1: sorted once, and by SQLite."""
    ordered = (
        "SELECT elapsed, row_number() OVER (ORDER BY elapsed) AS rank FROM history "
        f"WHERE {condition} AND elapsed IS NOT NULL"
    )
    marks = ", ".join("?" * len(ranks))
    query = f"SELECT rank, elapsed FROM ({ordered}) WHERE rank IN ({marks})"
    found: dict[int, float] = dict(connection.execute(query, (*values, *ranks)).fetchall())
    return [found.get(rank) for rank in ranks]
