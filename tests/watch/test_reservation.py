"""Ids: one winner of a unique name, gone after five seconds, never given twice."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from context_bus.errors import AlreadyReserved, NotClearToStart
from context_bus.watch import history, running, schema
from context_bus.watch.database import Database
from context_bus.watch.reservation import Claim, Places, claim, reserve
from context_bus.watch.values import Ending, Filter, Outcome, Task, TaskStatus

#: Processes and rounds of the race; four spare processors would not make it harder than one shared name.
RACERS, ROUNDS = 8, 200
DONE = Ending("", "", 0, Outcome.DONE, 0)
NOW = 1_700_000_000.5


def end(database: Database, taskid: int, now: float = NOW) -> None:
    task = running.get(database, taskid)
    assert task is not None
    history.archive(database, task, DONE, "{}", now, 0.0)


def race(path: Path, barrier: Barrier, most: int) -> None:
    """One of those who want the same name, round by round; says by its exit code how often it won."""
    won = 0  # at most 200 of 255 that an exit code can say
    with Database(path) as database:
        for number in range(ROUNDS):
            barrier.wait(30)
            try:
                reserve(database, NOW, f"name{number}", at_most=most)
                won += 1
            except AlreadyReserved:
                pass
    raise SystemExit(won)


@pytest.mark.parametrize("most", [1, 3])
def test_a_name_has_one_winner_of_eight(path: Path, most: int) -> None:
    """T3: 8 processes behind one barrier, 200 rounds: exactly as many winners each as there may be."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(RACERS)
    racers = [context.Process(target=race, args=(path, barrier, most)) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(50)
    codes = [racer.exitcode for racer in racers]
    for racer in racers:
        racer.kill()
        racer.join()
        racer.close()
    assert sum(code or 0 for code in codes) == most * ROUNDS
    with Database(path) as database:
        names = [task.name for task in running.tasks(database)]
    assert {f"name{number}": names.count(f"name{number}") for number in range(ROUNDS)} == {
        f"name{number}": most for number in range(ROUNDS)
    }


def test_first_id_is_1_and_its_row_is_reserved(database: Database) -> None:
    """T2: the row is RESERVED with its reservetime, and holds what belongs to it."""
    assert reserve(database, NOW, "one", info=("a", "", "c")) == 1
    assert running.tasks(database) == [Task(1, "one", "a", None, "c", reservetime=int(NOW))]


def test_unique_is_refused_in_the_words_of_the_original(database: Database) -> None:
    """T4: also while a task of that name runs; other names do not matter."""
    taskid = reserve(database, NOW, "one", unique=True)
    reserve(database, NOW, "two", unique=True)
    with pytest.raises(AlreadyReserved, match=r"^Could not reserve task, already exist and unique is set$"):
        reserve(database, NOW, "one", unique=True)
    claim(database, NOW, taskid, Claim(("true",)))
    with pytest.raises(AlreadyReserved):
        reserve(database, NOW + 60, "one", unique=True)
    end(database, taskid)
    assert reserve(database, NOW + 60, "one", unique=True) == 3


@pytest.mark.parametrize("wrong", [{"name": "", "unique": True}, {"name": "x", "at_most": 0}])
def test_unique_without_a_name_means_nothing(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="need a name"):
        reserve(database, NOW, **wrong)  # type: ignore[arg-type]


def touch_by_reserving(database: Database, now: float) -> None:
    reserve(database, now, "another")


def touch_by_claiming(database: Database, now: float) -> None:
    claim(database, now, None, Claim(("true",)))


@pytest.mark.parametrize("touch", [touch_by_reserving, running.update, touch_by_claiming])
def test_a_reservation_lives_five_seconds(
    database: Database, touch: Callable[[Database, float], None]
) -> None:
    """T5: age 5 s kept, 6 s gone after the next reserve, update or launch; launching it fails."""
    taskid = reserve(database, 1000.0, "one")
    touch(database, 1005.0)
    assert running.get(database, taskid) is not None
    touch(database, 1006.0)
    assert running.get(database, taskid) is None
    with pytest.raises(NotClearToStart, match=f"^taskid={taskid} is not clear to start$"):
        claim(database, 1006.0, taskid, Claim(("true",)))


@pytest.mark.parametrize(("age", "is_clear"), [(5.9, True), (6.0, False)])
def test_a_late_launch_is_refused_though_nobody_looked_between(
    database: Database, age: float, is_clear: bool
) -> None:
    """T5: the launch looks at the age itself, in the transaction that takes the reservation up."""
    taskid = reserve(database, 1000.0)
    if is_clear:
        assert claim(database, 1000.0 + age, taskid, Claim(("true",))) == taskid
    else:
        with pytest.raises(NotClearToStart):
            claim(database, 1000.0 + age, taskid, Claim(("true",)))
        assert running.tasks(database) == []


def test_a_reservation_from_the_future_does_not_block_its_name(database: Database) -> None:
    """The clock was put back by an hour."""
    reserve(database, NOW + 3600, "one", unique=True)
    assert reserve(database, NOW, "one", unique=True) == 2


def test_only_what_is_reserved_is_clear_to_start(database: Database) -> None:
    """T7: an id that is unknown, runs or has ended is refused, and nothing changes."""
    taskid = reserve(database, NOW)
    claim(database, NOW, taskid, Claim(("true",)))
    before = running.tasks(database)
    for wrong in (taskid, taskid + 1, 0, -1):
        with pytest.raises(NotClearToStart):
            claim(database, NOW, wrong, Claim(("false",)))
    assert running.tasks(database) == before


def test_ids_are_never_given_twice(database: Database, path: Path) -> None:
    """T6: not after an end, an expiry, a cleared history; nor by another process."""
    first = reserve(database, NOW, "one")
    claim(database, NOW, first, Claim(("true",)))
    end(database, first)
    history.clear(database, Filter())
    second = reserve(database, NOW, "one")
    running.update(database, NOW + 60)
    third = claim(database, NOW + 60, None, Claim(("true",)))
    with Database(path) as another:
        fourth = reserve(another, NOW + 60)
    assert [first, second, third, fourth] == [1, 2, 3, 4]



def test_an_id_of_what_failed_to_be_written_is_free_again(database: Database) -> None:
    """An id and its row are one transaction."""
    reserve(database, NOW, "one", unique=True)
    with pytest.raises(AlreadyReserved):
        reserve(database, NOW, "one", unique=True)
    assert reserve(database, NOW) == 2


def test_initialize_starts_at_1_again_unless_a_task_runs(database: Database, path: Path) -> None:
    """Its watcher still knows a task by its id."""
    reserve(database, NOW)
    schema.create(path)
    assert reserve(database, NOW) == 1
    claim(database, NOW, 1, Claim(("true",)))
    schema.create(path, force=True)
    assert reserve(database, NOW) == 2


def test_what_is_known_at_the_launch_is_in_the_row(database: Database) -> None:
    """All but the pid, in the transaction that takes the reservation up; what it leaves out stays."""
    taskid = reserve(database, NOW, "one", info=("a", "b", ""))
    facts = Claim(("sleep", "1"), info=("", "B", "C"), feedback=True, timeout=1.5, cwd="/", boot="xyz")
    claim(database, NOW + 1, taskid, facts._replace(places=lambda taskid: Places(f"/f_{taskid}", "/o", "/e")))
    expected = Task(
        *(1, "one", "a", "B", "C", None, TaskStatus.RUNNING, 1, int(NOW), int(NOW) + 1, 0, int(NOW) + 1, 1.5),
        *(("sleep", "1"), "/", None, "xyz", (), "/f_1", "/o", "/e", "end", None),
    )
    assert running.get(database, taskid) == expected


def test_a_task_without_a_name_is_called_like_its_command(database: Database) -> None:
    """That is what the document says of --name."""
    one = claim(database, NOW, None, Claim(("/usr/bin/true",)))
    two = claim(database, NOW, reserve(database, NOW), Claim(("./x y", "z")))
    three = claim(database, NOW, reserve(database, NOW, "kept"), Claim(("true",)))
    four = claim(database, NOW, reserve(database, NOW, "kept"), Claim(("true",), name="given"))
    names = {task.id: task.name for task in running.tasks(database)}
    assert names == {one: "true", two: "x y", three: "kept", four: "given"}
