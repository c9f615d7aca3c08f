"""How a task stands by the age of its feedback."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.watch.liveness import TICK, fair_age, next_change, pause_for, status_of
from context_bus.watch.values import TaskStatus

RUNNING, SILENT, STALLED = TaskStatus.RUNNING, TaskStatus.SILENT, TaskStatus.STALLED
#: What follows if nothing comes.
ORDER = (RUNNING, SILENT, STALLED, None)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-1000.0, RUNNING),
        (0.0, RUNNING),
        (5.0, RUNNING),
        (math.nextafter(10.0, 0.0), RUNNING),
        (10.0, SILENT),
        (15.0, SILENT),
        (math.nextafter(20.0, 0.0), SILENT),
        (20.0, STALLED),
        (25.0, STALLED),
        (30.0, STALLED),
        (35.0, STALLED),
        (40.0, STALLED),
        (math.nextafter(40.0, 50.0), None),
        (41.0, None),
    ],
)
def test_thresholds_of_a_timeout_of_40_seconds(age: float, expected: TaskStatus | None) -> None:
    """A quarter and half of it are the next status already, the timeout itself is not over yet."""
    assert status_of(age, 40.0) is expected


TIMEOUTS = st.floats(0.01, 1e6) | st.sampled_from([1.0, 3.0, 30.0, 40.0])


@given(timeout=TIMEOUTS, quarters=st.floats(-1.0, 6.0) | st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0]))
def test_status_is_that_of_the_table(timeout: float, quarters: float) -> None:
    """One row for each quarter of the timeout."""
    age = quarters * (timeout / 4)
    rows = ((timeout / 4, RUNNING), (timeout / 2, SILENT), (math.nextafter(timeout, math.inf), STALLED))
    assert status_of(age, timeout) is next((status for end, status in rows if age < end), None)


@given(timeout=TIMEOUTS, share=st.floats(-1.0, 1.0), since=st.floats(0.0, 1e7))
def test_who_wakes_at_the_next_change_sees_it(timeout: float, share: float, since: float) -> None:
    """Not before; and whatever the clock rounds, none wakes in vain. Below, nothing changes."""
    age = share * timeout
    before, wait = status_of(age, timeout), next_change(age, timeout)
    later = status_of((since + age + wait) - since, timeout)
    assert ORDER.index(later) > ORDER.index(before)
    assert status_of(age + (wait - TICK) * 0.999999, timeout) is before


def test_the_page_shows_these_thresholds() -> None:
    """In seconds, for a timeout of 40."""
    text = (Path(__file__).parents[2] / "doc/feedback.md").read_text()
    rows = re.findall(r"\| (\d+) s to (\d+) s \| `([A-Z]+)` \|", text)
    assert [word for _, _, word in rows] == [RUNNING, SILENT, STALLED]
    for start, end, word in rows:
        assert status_of(float(start), 40.0) == word
        assert status_of(float(end) - 0.001, 40.0) == word


def test_what_has_run_out_changes_no_more() -> None:
    """Nor does what need not give feedback."""
    assert next_change(40.5, 40.0) == math.inf
    assert status_of(1e9, math.inf) is RUNNING
    assert next_change(1e9, math.inf) == math.inf


@pytest.mark.parametrize(
    ("age", "timeout", "expected"),
    [(40, 40, 40), (50, 40, 50), (50.1, 40, 30), (2, 1, 2), (2.1, 1, 0.75), (9, math.inf, 9)],
)
def test_a_look_that_comes_far_too_late_leaves_a_quarter(age: float, timeout: float, expected: float) -> None:
    """Who was away for so long knows nothing; a second too late is nothing, however short the timeout."""
    assert fair_age(age, timeout) == expected


@pytest.mark.parametrize(
    ("timeout", "wants_content", "expected"),
    [
        (0.1, True, 0.05),
        (2.0, False, 0.125),
        (30.0, True, 0.25),
        (32.0, False, 2.0),
        (3600.0, False, 5.0),
        (math.inf, True, 0.25),
    ],
)
def test_rests_are_short_beside_the_timeout(timeout: float, wants_content: bool, expected: float) -> None:
    """And shorter where somebody follows."""
    assert pause_for(timeout, wants_content=wants_content) == expected
