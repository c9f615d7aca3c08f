"""Figures as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_bus.view import figures


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (7260, "2h01m"), (90_000, "1d01h")],
)
def test_span_is_its_two_largest_units(seconds: float, text: str) -> None:
    """A clock that was set back makes no negative one."""
    assert figures.span(seconds) == text


@pytest.mark.parametrize(
    ("mebibytes", "text"),
    [(0, "0B"), (0.5, "512K"), (1.8, "1.80M"), (26.94, "26.9M"), (999.6, "1000M"), (1024, "1.00G")],
)
def test_size_has_three_digits(mebibytes: float, text: str) -> None:
    """Enough to see what grows, in five cells."""
    assert figures.size(mebibytes) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.5, "0.5"), (7, "7"), (999, "999"), (34_123, "34.1k"), (2e9, "2.00G")]
)
def test_count_is_exact_while_it_is_small(number: float, text: str) -> None:
    """Restarts are whole numbers, rates are not."""
    assert figures.count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (12e-6, "12.0us"), (0.0123, "12.3ms"), (0.9999, "1.00s"), (75, "75.0s")],
)
def test_delay_is_in_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    """From microseconds to seconds; what nobody knows is a dash."""
    assert figures.delay(seconds) == text


@given(st.floats(0, 1e15), st.sampled_from([figures.size, figures.count, figures.byte_count]))
def test_figures_fit_their_columns(number: float, how: object) -> None:
    """Whatever there is to be shown, it takes six cells at most while machines have less than 1000 PB."""
    assert callable(how)
    assert len(how(number)) <= 6 or number > 1e12


def test_curve_shows_the_newest_at_the_right() -> None:
    """It is filled from the right, and longer ones lose their oldest."""
    assert figures.curve([0, 7], 4, 7.0) == "  ▁█"
    assert figures.curve([7, 0, 7], 2, 7.0) == "▁█"
    assert figures.curve([], 3, 1.0) == "   "
    assert figures.curve([5, 5], 2, 5.0, 5.0) == "▁▁"


def test_curve_has_a_gap_where_nothing_is_known() -> None:
    """Not a low value: nobody looked."""
    assert figures.curve([0, 50, None, 100], 4, 100.0) == "▁▅ █"


def test_a_curve_that_is_too_long_keeps_its_peaks() -> None:
    """Of those that fall together the greatest is drawn."""
    assert figures.thinned([1, 9, 2, None, None, None, 3, 4], 4) == [9, 2, None, 4]
    assert figures.thinned([1, 2], 4) == [1, 2]


def test_little_load_looks_little() -> None:
    """The jitter of a service that does nothing is no mountain range, and a core is full height."""
    assert figures.load_curve([0.0, 1.0, 0.5], 3) == "▁▁▁"
    assert figures.load_curve([0.0, 100.0], 2) == "▁█"


def test_memory_that_grows_is_seen_to_grow() -> None:
    """What is always there is the ground it stands on; a few percent are no growth."""
    assert figures.memory_curve([100.0, 101.0], 2) == "▁▁"
    assert figures.memory_curve([100.0, 150.0, 200.0], 3) == "▁▅█"
    assert figures.memory_curve([0.0, 0.0], 2) == "▁▁"
