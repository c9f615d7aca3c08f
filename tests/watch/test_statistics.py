"""Statistics of what has ended, counted by SQLite, against the same counted by hand."""

from __future__ import annotations

import pytest

from context_bus.kernel.percentile import percentile
from context_bus.watch import history
from context_bus.watch.database import Database
from context_bus.watch.statistics import Statistics, statistics
from context_bus.watch.values import Filter, Outcome
from tests.watch.rows import NOW, end, run
from tests.watch.test_history import LONG, fill


def test_nothing_has_no_seconds(database: Database) -> None:
    assert statistics(database) == Statistics(0, 0, {})
    end(database, run(database))
    assert statistics(database, "none") == Statistics(0, 0, {})


def test_one_run_is_all_there_is(database: Database) -> None:
    end(database, run(database), elapsed=2.5)
    expected = Statistics(1, 0, {Outcome.DONE: 1}, *[2.5] * 7, last_run=int(NOW), last_failure=None)
    assert statistics(database, "one") == expected


@pytest.mark.parametrize(
    ("name", "since"), [(None, None), ("even", None), ("odd", None), ("even", 40_000.0), (None, 49_995.0)]
)
def test_numbers_are_those_of_the_rows(database: Database, name: str | None, since: float | None) -> None:
    """Percentiles are values that occurred, those of the nearest rank."""
    fill(database, LONG)
    end(database, run(database, "even"), Outcome.TIMEOUT, now=60_000.0, elapsed=1234.5)
    rows = list(history.past(database, Filter(name=name, since=since)))
    seconds = sorted(row.elapsed for row in rows if row.elapsed is not None)
    failed = [row.endtime for row in rows if row.outcome is not Outcome.DONE]
    found = statistics(database, name, since)
    outcomes = [row.outcome for row in rows]
    assert found.outcomes == {outcome: outcomes.count(outcome) for outcome in set(outcomes)}
    assert (found.runs, found.failures) == (len(rows), len(failed))
    assert (found.minimum, found.maximum) == (seconds[0], seconds[-1])
    assert found.mean == pytest.approx(sum(seconds) / len(seconds))
    shares = (found.p50, found.p90, found.p95, found.p99)
    assert shares == tuple(percentile(seconds, share) for share in (50, 90, 95, 99))
    assert (found.last_run, found.last_failure) == (rows[0].endtime, max(failed, default=None))
