"""Reservations, launches, ends and the history, under any sequence of them, of delays and of clocks put back.

The machine keeps its own books in plain lists and compares all rows after each step. Planted bugs prove that
the net holds.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from context_bus.errors import AlreadyReserved, NotClearToStart
from context_bus.testing.clock import ManualClock
from context_bus.watch import history, reservation, running, schema
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim
from context_bus.watch.values import Filter, Outcome, Task, TaskStatus
from tests.watch.rows import ENDINGS, ask

NAMES = ("backup", "report")
names = st.sampled_from(NAMES)
pauses = st.sampled_from([0.0, 0.4, 1.0, 4.9, 5.0, 6.0, 60.0])


@dataclass
class Live:
    """A task in the books."""

    id: int
    name: str
    reserved: int
    is_running: bool = False
    feedback: str = "{}"


@dataclass(frozen=True)
class Ended:
    """An end in the books."""

    at: int
    row: int
    id: int
    name: str
    outcome: Outcome
    feedback: str


@dataclass
class Books:
    """What should be there."""

    live: list[Live] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    #: Tasks that have ended, as their watchers knew them.
    known: dict[int, Task] = field(default_factory=dict)
    last_id: int = 0
    last_row: int = 0

    def expire(self, now: float) -> None:
        """What happens first whenever something is reserved, launched or updated."""
        self.live = [one for one in self.live if one.is_running or abs(int(now) - one.reserved) <= 5]

    def named(self, name: str) -> int:
        """How many hold a name."""
        return sum(one.name == name for one in self.live)


class Watched(RuleBasedStateMachine):
    """One database, and two programs that use it in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "tasks.db"
        schema.create(self.path)
        self.databases = [Database(self.path), Database(self.path)]
        self.books = Books()
        self.clock = ManualClock()

    def teardown(self) -> None:
        """Leave nothing."""
        for database in self.databases:
            database.close()
        self.directory.cleanup()

    @property
    def database(self) -> Database:
        """The program whose turn it is."""
        self.databases.reverse()
        return self.databases[0]

    # -- time ----------------------------------------------------------------------------------

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([1.0, 5.0, 3600.0]))
    def put_back(self, seconds: float) -> None:
        """Somebody puts the clock back."""
        self.clock.set_wall(self.clock.wall() - seconds)

    # -- tasks ---------------------------------------------------------------------------------

    @rule(name=names, at_most=st.sampled_from([None, 1, 1, 2]))
    def reserve(self, name: str, at_most: int | None) -> None:
        """Somebody wants an id."""
        now = self.clock.wall()
        self.books.expire(now)
        may = at_most is None or self.books.named(name) < at_most
        try:
            taskid = reservation.reserve(self.database, now, name, at_most=at_most)
        except AlreadyReserved:
            assert not may, f"{name} was refused, and held by {self.books.named(name)} of {at_most}"
            return
        assert may, f"{name} was given to {taskid}, and held by {self.books.named(name)} of {at_most}"
        self._born(Live(taskid, name, int(now)))

    @rule(which=st.integers(0, 5))
    def claim(self, which: int) -> None:
        """A launcher takes up a reservation, or tries to with an id that is none."""
        now = self.clock.wall()
        taskid = self.books.live[which].id if which < len(self.books.live) else self.books.last_id + which
        self.books.expire(now)
        wanted = next((one for one in self.books.live if one.id == taskid and not one.is_running), None)
        try:
            reservation.claim(self.database, now, taskid, Claim(("true",)))
        except NotClearToStart:
            assert wanted is None, f"{taskid} was reserved and refused"
            return
        assert wanted is not None, f"{taskid} was not reserved and runs"
        wanted.is_running = True

    @rule(name=names)
    def launch(self, name: str) -> None:
        """A launcher without a reservation."""
        now = self.clock.wall()
        self.books.expire(now)
        taskid = reservation.claim(self.database, now, None, Claim(("true",), name))
        self._born(Live(taskid, name, int(now), is_running=True))

    def _born(self, live: Live) -> None:
        assert live.id > self.books.last_id, f"id {live.id} was given before"
        self.books.last_id = live.id
        self.books.live.append(live)

    @rule()
    def update(self) -> None:
        """Somebody brings things up to date."""
        self.books.expire(self.clock.wall())
        running.update(self.database, self.clock.wall())

    @precondition(lambda self: self.books.live)
    @rule(which=st.integers(0, 5), word=st.sampled_from("abc"))
    def report(self, which: int, word: str) -> None:
        """A task gives feedback."""
        live = self.books.live[which % len(self.books.live)]
        live.feedback = f'{{"at": "{word}"}}'
        running.store_feedback(self.database, live.id, live.feedback, self.clock.wall())

    @precondition(lambda self: any(one.is_running for one in self.books.live))
    @rule(which=st.integers(0, 5), outcome=st.sampled_from(Outcome))
    def end(self, which: int, outcome: Outcome) -> None:
        """A task ends."""
        candidates = [one for one in self.books.live if one.is_running]
        live = candidates[which % len(candidates)]
        database, now = self.database, self.clock.wall()
        task = running.get(database, live.id)
        assert task is not None
        feedback = running.last_feedback(database, live.id)
        self.books.last_row = history.archive(database, task, ENDINGS[outcome], feedback, now, 0.0)
        self.books.live.remove(live)
        ended = Ended(round(now), self.books.last_row, live.id, live.name, outcome, live.feedback)
        self.books.ended.append(ended)
        self.books.known[live.id] = task

    @precondition(lambda self: self.books.ended)
    @rule(which=st.integers(0, 5))
    def end_again(self, which: int) -> None:
        """Somebody else has seen the same end, later."""
        ended = self.books.ended[which % len(self.books.ended)]
        task, now = self.books.known[ended.id], self.clock.wall()
        found = history.archive(self.database, task, ENDINGS[Outcome.LOST], "{}", now, 0.0)
        assert found == ended.row

    # -- history -------------------------------------------------------------------------------

    @rule(
        name=st.none() | names,
        failed=st.booleans(),
        limit=st.none() | st.integers(1, 2),
        back=st.none() | pauses,
    )
    def clear(self, name: str | None, failed: bool, limit: int | None, back: float | None) -> None:
        """Somebody deletes what has ended."""
        until = None if back is None else self.clock.wall() - back
        gone = [
            one
            for one in sorted(self.books.ended, key=lambda one: (one.at, one.row))
            if (name is None or one.name == name)
            and (not failed or one.outcome is not Outcome.DONE)
            and (until is None or one.at <= until)
        ][:limit]
        wanted = Filter(name=name, until=until, failed=failed, limit=limit)
        assert history.clear(self.database, wanted) == len(gone)
        self.books.ended = [one for one in self.books.ended if one not in gone]

    # -- what holds ----------------------------------------------------------------------------

    @invariant()
    def books_are_right(self) -> None:
        """All tasks are there, and no other."""
        expected = [(one.id, one.name, one.is_running) for one in self.books.live]
        found = running.tasks(self.database)
        assert expected == [(task.id, task.name, task.status is not TaskStatus.RESERVED) for task in found]

    @invariant()
    def history_is_right(self) -> None:
        """What has ended is there once, the last first, with what it reported."""
        expected = sorted(self.books.ended, key=lambda one: (one.at, one.row), reverse=True)
        found = list(history.past(self.database, Filter()))
        assert [(one.taskid, one.taskname, one.outcome, one.feedback) for one in found] == [
            (one.id, one.name, one.outcome, one.feedback) for one in expected
        ]

    @invariant()
    def no_feedback_is_left(self) -> None:
        """Feedback belongs to a task that is there."""
        assert not ask(self.path, "SELECT id FROM feedbacks WHERE id NOT IN (SELECT id FROM tasks)")


NET = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestWatched = Watched.TestCase
TestWatched.settings = NET


def mutate(owner: object, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """A planted bug: another function or constant in the place of the right one."""
    return lambda patch: patch.setattr(owner, name, value)


def _count_running(connection: sqlite3.Connection, name: str) -> int:
    query = "SELECT count(*) FROM tasks WHERE name = ? AND status <> 'RESERVED'"
    return int(connection.execute(query, (name,)).fetchone()[0])


def _id_from_rows(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT ifnull(max(id), 0) + 1 FROM tasks").fetchone()[0])


def _delete_newest(database: Database, condition: str, values: tuple[object, ...], most: int) -> int:
    newest = f"SELECT id FROM history WHERE {condition} ORDER BY endtime DESC LIMIT ?"
    with database.writing() as connection:
        query = f"DELETE FROM history WHERE id IN ({newest})"
        return connection.execute(query, (*values, most)).rowcount


def _expire_what_is_old(connection: sqlite3.Connection, now: float) -> int:
    query = "DELETE FROM tasks WHERE status = 'RESERVED' AND ? - reservetime > 5"
    connection.execute(query, (int(now),))
    return _sweep(connection)


def _expire_all(connection: sqlite3.Connection, now: float) -> int:
    connection.execute("DELETE FROM tasks WHERE abs(? - reservetime) > 5", (int(now),))
    return _sweep(connection)


def _sweep(connection: sqlite3.Connection) -> int:
    return connection.execute("DELETE FROM feedbacks WHERE id NOT IN (SELECT id FROM tasks)").rowcount


def _expire_tasks_only(connection: sqlite3.Connection, now: float) -> int:
    query = "DELETE FROM tasks WHERE status = 'RESERVED' AND abs(? - reservetime) > 5"
    return connection.execute(query, (int(now),)).rowcount


BUGS = {
    "a second more": mutate(reservation, "EXPIRY", 6),
    "a second less": mutate(reservation, "EXPIRY", 4),
    "a reservation from the future stays": mutate(reservation, "expire", _expire_what_is_old),
    "what runs expires": mutate(reservation, "expire", _expire_all),
    "only what runs holds its name": mutate(reservation, "_count", _count_running),
    "ids by what is there": mutate(reservation, "next_id", _id_from_rows),
    "who comes second archives again": mutate(history, "_archived", lambda connection, taskid: 0),
    "the newest are cleared first": mutate(history, "_delete", _delete_newest),
    "feedback outlives what expires": mutate(reservation, "expire", _expire_tasks_only),
    "what failed is what ended by a signal": mutate(history, "FAILED", "termsignal <> ''"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these turns the net red."""
    BUGS[bug](monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Watched,
            settings=settings(
                NET, max_examples=300, derandomize=True, database=None, phases=[Phase.generate]
            ),
        )
