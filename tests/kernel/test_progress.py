"""How long something will still take."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.kernel.progress import WINDOW, Estimate, percent_of


def told(*samples: tuple[float, float]) -> Estimate:
    estimate = Estimate()
    for now, percent in samples:
        estimate.add(now, percent)
    return estimate


@pytest.mark.parametrize(
    ("text", "expected"),
    [("60", 60.0), (" 60.5% ", 60.5), ("0", 0.0), ("120", 100.0), ("-3", 0.0)]
    + [(text, None) for text in ("", "half", "3/4", "nan", "inf", "1e999", "6 0")],
)
def test_percentages_are_read_leniently(text: str, expected: float | None) -> None:
    """With a sign or without; what cannot be meant is none."""
    assert percent_of({"progress": text}) == expected


def test_feedback_without_progress_has_none() -> None:
    """Most programs never tell."""
    assert percent_of({"step": "copy"}) is None


def test_before_there_is_a_pace_nothing_is_said() -> None:
    """One percentage is none, nor is the same one again, nor two at the same moment."""
    assert Estimate().remaining(1.0) is None
    assert told((0.0, 10.0)).remaining(5.0) is None
    assert told((0.0, 10.0), (4.0, 10.0)).remaining(5.0) is None
    assert told((0.0, 10.0), (0.0, 20.0)).remaining(5.0) is None
    assert told((0.0, 0.0), (1e4, 5e-324)).remaining(1e4) is None


def test_a_steady_pace_counts_down() -> None:
    """One percent per second: 80 seconds are left, and one less each second."""
    estimate = told((0.0, 0.0), (10.0, 10.0), (20.0, 20.0))
    assert estimate.percent == 20.0
    for waited in (0.0, 1.0, 9.0, 20.0):
        assert estimate.remaining(20.0 + waited) == pytest.approx(80.0 - waited)


def test_a_stall_makes_the_time_left_grow() -> None:
    """From twice the usual pause on, steadily."""
    estimate = told((0.0, 0.0), (10.0, 10.0), (20.0, 20.0))
    times = [estimate.remaining(40.0 + waited) or 0.0 for waited in (0.0, 1.0, 10.0, 100.0, 1000.0)]
    assert times == sorted(times)
    assert times[0] == pytest.approx(60.0)
    assert times[1] == pytest.approx(64.0)
    assert times[-1] > 1000.0


def test_a_percentage_that_falls_begins_anew() -> None:
    """As in the document: 12, 15, 10; what was before says nothing of what comes."""
    estimate = told((0.0, 12.0), (1.0, 15.0), (2.0, 10.0))
    assert estimate.percent == 10.0
    assert estimate.remaining(2.0) is None
    estimate.add(12.0, 20.0)
    assert estimate.remaining(12.0) == pytest.approx(80.0)


def test_only_the_last_advances_count() -> None:
    """A slow beginning is forgotten."""
    estimate = told((0.0, 0.0), (1000.0, 1.0))
    for step in range(WINDOW + 1):
        estimate.add(1001.0 + step, 2.0 + step)
    assert estimate.remaining(1001.0 + WINDOW) == pytest.approx(98.0 - WINDOW)


def test_the_end_is_the_end() -> None:
    """Nothing is left, however it was reached."""
    assert told((0.0, 100.0)).remaining(5.0) == 0.0
    assert told((0.0, 0.0), (1.0, 100.0)).remaining(50.0) == 0.0


STEPS = st.lists(st.tuples(st.floats(0.0, 1e4), st.floats(0.0, 100.0)), max_size=80)


@given(steps=STEPS, wait=st.floats(0.0, 1e6))
def test_whatever_is_told_it_is_a_time_or_none(steps: list[tuple[float, float]], wait: float) -> None:
    """Never negative, never endless."""
    estimate, now = Estimate(), 0.0
    for pause, percent in steps:
        now += pause
        estimate.add(now, percent)
    left = estimate.remaining(now + wait)
    assert left is None or 0.0 <= left < math.inf
