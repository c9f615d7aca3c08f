"""What was spent since an earlier reading, with a clock of the test's own."""

from __future__ import annotations

import pytest

from context_bus.process.pace import Pace, Reading


def test_first_reading_has_nothing_to_compare_with() -> None:
    """Whoever has not been read before has spent nothing that anybody knows."""
    assert Pace().note("a", 5.0, 100.0) is None


def test_reading_is_compared_with_the_one_before() -> None:
    """One who reads alone measures since the last time, however long ago that was."""
    pace = Pace()
    pace.note("a", 5.0, 100.0)
    pace.end_round(100.0)
    assert pace.note("a", 7.0, 9000.0) == Reading(5.0, 100.0)


@pytest.mark.parametrize("others", [(), (100.1, 100.4, 100.55, 100.9), (100.45,)])
def test_span_is_never_shorter_than_it_should_be(others: tuple[float, ...]) -> None:
    """Whoever else reads meanwhile: what is compared with is the newest that is old enough."""
    pace = Pace(apart=0.5)
    times = (100.0, *others)
    for at in times:
        pace.note("a", at, at)
        pace.end_round(at)
    before = pace.note("a", 101.0, 101.0)
    assert before == Reading(*[max(at for at in times if at <= 100.5)] * 2)


def test_many_readings_leave_only_those_that_are_needed() -> None:
    """A reader in a hurry does not fill the memory."""
    pace = Pace(apart=0.5, keep=10.0)
    for number in range(10_000):
        pace.note("a", number, number / 100)
    assert len(pace._readings["a"]) <= 52


def test_reading_that_is_too_old_is_none() -> None:
    """What is asked for is how things are now, not on average since yesterday."""
    pace = Pace(apart=0.5, keep=10.0)
    pace.note("a", 5.0, 100.0)
    assert pace.earlier("a", 100.4) is None
    assert pace.earlier("a", 110.0) == Reading(5.0, 100.0)
    assert pace.earlier("a", 110.1) is None


def test_what_is_not_read_any_more_is_forgotten() -> None:
    """Processes come and go for months; rounds about others do not make one forgotten too soon."""
    alone, shared = Pace(), Pace(keep=10.0)
    for pace in (alone, shared):
        pace.note("old", 1.0, 100.0)
        pace.end_round(100.0)
        pace.note("new", 1.0, 106.0)
        pace.end_round(106.0)
    assert (len(alone), len(shared)) == (1, 2)
    shared.note("new", 1.0, 112.0)
    shared.end_round(112.0)
    assert len(shared) == 1
