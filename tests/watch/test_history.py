"""What has ended: archived once, found by every filter, in pages, deleted in steps, a million of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from context_bus.errors import StoreUnavailable
from context_bus.watch import history, reservation, running
from context_bus.watch.database import Database
from context_bus.watch.history import archive, clear, count, past, prune
from context_bus.watch.values import Filter, Outcome, Past
from tests.watch.rows import ENDINGS, NOW, ask, end, run

#: Rows of a long history: several pages and steps, with one left over.
LONG = 5001
#: Fill the history: names take turns, each tenth has failed, an end each ten seconds.
FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO history(taskid, taskname, termsignal, termerror, starttime, endtime, duration, feedback, exitcode,
    outcome, elapsed, argv)
SELECT i, CASE i % 2 WHEN 0 THEN 'even' ELSE 'odd' END, '', '', i * 10 - 5, i * 10, 5, '{}', i % 10 = 0,
    CASE i % 10 WHEN 0 THEN 'failed' ELSE 'done' END, i % 100, '[]' FROM n
"""


@pytest.fixture
def long(database: Database) -> Database:
    """A database with a long history."""
    fill(database, LONG)
    return database


def fill(database: Database, rows: int) -> None:
    """Give it a history."""
    with database.writing() as connection:
        connection.execute(FILL, (rows,))


def ids(database: Database, **wanted: object) -> list[int]:
    """Task ids of what is found."""
    return [row.taskid for row in past(database, Filter(**wanted))]  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", Outcome)
def test_an_end_is_kept_with_all_that_is_known(database: Database, outcome: Outcome) -> None:
    """T11, T28: infos, name, start, end, duration; distinguishable by what ended it."""
    task = run(database, "name")._replace(output="/o", error="/e")
    ending = ENDINGS[outcome]
    number = archive(database, task, ending, '{"progress": "10"}', NOW + 61.6, 61.4)
    (found,) = past(database, Filter())
    assert found == Past(
        *(number, task.id, "name", "i", None, "k", ending.termsignal, ending.termerror),
        *(int(NOW) + 1, int(NOW) + 62, 61, '{"progress": "10"}', ending.exitcode, outcome, 61.4),
        *(("true", "a b"), "/o", "/e"),
    )
    assert running.tasks(database) == []


def test_start_and_end_are_true_to_a_second(database: Database) -> None:
    """T28: whole seconds whose difference is the duration; the exact one stands beside them."""
    for start, elapsed in itertools.product((0.0, 0.4, 0.5, 0.99), (0.0, 0.49, 0.51, 1.5, 59.99)):
        end(database, run(database, now=NOW + start), now=NOW + start + elapsed, elapsed=elapsed)
        row = next(past(database, Filter(limit=1)))
        assert row.starttime is not None
        assert row.endtime is not None
        assert row.endtime - row.starttime == row.duration
        assert abs(row.starttime - (NOW + start)) <= 1
        assert abs(row.endtime - (NOW + start + elapsed)) <= 0.5
        assert row.elapsed == elapsed
        clear(database, Filter())


def test_a_clock_that_is_put_right_makes_no_odd_durations(database: Database) -> None:
    """The machine woke up in 1970, and learned the time while the task ran."""
    task = run(database, now=100.0)
    end(database, task, now=NOW, elapsed=20.0)
    (row,) = past(database, Filter())
    assert (row.starttime, row.endtime, row.duration) == (int(NOW) - 20, int(NOW), 20)


def test_nothing_is_archived_twice(database: Database, path: Path) -> None:
    """Two who see the same end: the second gets the row of the first, which stays as it is."""
    task = run(database)
    first = end(database, task, Outcome.TIMEOUT)
    with Database(path) as another:
        assert end(another, task, Outcome.LOST) == first
    assert [row.outcome for row in past(database, Filter())] == [Outcome.TIMEOUT]


def test_what_cannot_be_archived_stays(database: Database, path: Path) -> None:
    """Somebody keeps the database to himself for too long; the next try finds all there is."""
    task = run(database)
    with Database(path, patience=0.05) as late:
        with database.writing(), pytest.raises(StoreUnavailable, match="locked by another process"):
            end(late, task)
        assert running.tasks(late) == [task]
        end(late, task)
    assert ids(database) == [task.id]


def test_feedback_goes_with_the_task(database: Database, path: Path) -> None:
    """T19: the last JSON is in the history, and nowhere else."""
    task = run(database)
    running.store_feedback(database, task.id, '{"a": "1"}', NOW)
    archive(database, task, ENDINGS[Outcome.DONE], running.last_feedback(database, task.id), NOW, 0)
    assert [row.feedback for row in past(database, Filter())] == ['{"a": "1"}']
    assert ask(path, "SELECT * FROM feedbacks") == []


def test_the_last_end_comes_first(long: Database) -> None:
    """T27: all of them, in pages of which none is missed or repeated."""
    assert ids(long) == [*range(LONG, 0, -1)]


def test_equal_ends_come_in_pages_too(database: Database) -> None:
    """Thousands ended in the same second."""
    fill(database, LONG)
    with database.writing() as connection:
        connection.execute("UPDATE history SET endtime = 77")
    assert ids(database) == [*range(LONG, 0, -1)]
    assert clear(database, Filter(until=77, limit=3)) == 3
    assert ids(database) == [*range(LONG, 3, -1)]


#: Filters, and which of the rows of `FILL` they leave.
FILTERS: list[tuple[dict[str, object], Callable[[int], bool]]] = [
    ({}, lambda i: True),
    ({"name": "even"}, lambda i: i % 2 == 0),
    ({"name": "none"}, lambda i: False),
    ({"failed": True}, lambda i: i % 10 == 0),
    ({"name": "even", "failed": True}, lambda i: i % 10 == 0),
    ({"name": "odd", "failed": True}, lambda i: False),
    ({"since": 20_000}, lambda i: i >= 2000),
    ({"since": 20_000.5}, lambda i: i > 2000),
    ({"until": 20_000}, lambda i: i <= 2000),
    ({"since": 10_000, "until": 20_000, "name": "odd"}, lambda i: 1000 <= i <= 2000 and i % 2 == 1),
    ({"taskid": 4000}, lambda i: i == 4000),
    ({"taskid": 4000, "name": "odd"}, lambda i: False),
]


@pytest.mark.parametrize(("wanted", "is_wanted"), FILTERS)
def test_filters_leave_what_they_say(
    long: Database, wanted: dict[str, object], is_wanted: Callable[[int], bool]
) -> None:
    """To who reads, who counts and who deletes the same."""
    expected = [number for number in range(LONG, 0, -1) if is_wanted(number)]
    assert ids(long, **wanted) == expected
    those = Filter(**wanted)  # type: ignore[arg-type]
    assert count(long, those) == len(expected)
    for limit in (1, 1000, 2500):
        assert ids(long, **wanted, limit=limit) == expected[:limit]
        assert count(long, those._replace(limit=limit)) == min(limit, len(expected))
    assert clear(long, those) == len(expected)
    assert ids(long) == [number for number in range(LONG, 0, -1) if not is_wanted(number)]


@pytest.mark.parametrize("wanted", [wanted for wanted, _ in FILTERS])
def test_no_filter_walks_through_the_history(database: Database, wanted: dict[str, object]) -> None:
    """SQLite itself says how it answers: by an index, in its order, nothing sorted."""
    condition, values = history.where(Filter(**wanted))  # type: ignore[arg-type]
    with database.reading() as connection:
        query = (
            f"EXPLAIN QUERY PLAN SELECT * FROM history WHERE {condition} AND (endtime, id) < (?, ?) "
            "ORDER BY endtime DESC, id DESC LIMIT 50"
        )
        plan = [row[3] for row in connection.execute(query, (*values, 1, 1))]
    assert plan[0].startswith("SEARCH history USING INDEX history_")
    # A task has one row; only those of the original tool have more.
    assert plan[1:] == (["USE TEMP B-TREE FOR ORDER BY"] if "taskid" in wanted else [])


def test_clear_says_how_many(long: Database) -> None:
    """T27: --clear leaves 0 and says how many."""
    assert clear(long, Filter()) == LONG
    assert (ids(long), clear(long, Filter())) == ([], 0)


def test_clear_with_a_limit_takes_the_oldest(long: Database) -> None:
    assert clear(long, Filter(limit=2500)) == 2500
    assert ids(long) == [*range(LONG, 2500, -1)]
    assert clear(long, Filter(limit=9999)) == LONG - 2500


def test_prune_takes_the_oldest_few_at_a_time(long: Database) -> None:
    """What is left over is for the next time."""
    assert prune(long, 20_000, 1500) == 1500
    assert min(ids(long)) == 1501
    assert prune(long, 20_000, 1500) == 499
    assert prune(long, 20_000, 1500) == 0
    assert min(ids(long)) == 2000


def test_others_write_while_a_history_is_read(long: Database, path: Path) -> None:
    """A reader that takes its time holds nothing; what is deleted meanwhile is just not found."""
    rows = past(long, Filter())
    seen = [next(rows).taskid]
    end(long, run(long))
    with Database(path, patience=0.05) as another:
        assert clear(another, Filter(until=10_000)) == 1000
        assert reservation.reserve(another, NOW) > 0
    seen += [row.taskid for row in rows]
    assert seen == [*range(LONG, 1000, -1)]


def test_what_ends_while_a_history_is_cleared_stays(long: Database, path: Path) -> None:
    """Who clears did not mean what he could not see."""
    steps: list[str] = []
    with Database(path) as another:
        task = run(another, "even")

        def end_before_the_second_step(statement: str) -> None:
            steps.extend([statement] * (statement == "BEGIN IMMEDIATE"))
            if steps == ["BEGIN IMMEDIATE"] * 2:
                end(another, task)

        with long.reading() as connection:
            connection.set_trace_callback(end_before_the_second_step)
        assert clear(long, Filter(name="even")) == LONG // 2
    assert len(steps) == 2
    assert ids(long, name="even") == [task.id]
