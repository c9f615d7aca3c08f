"""Percentiles within the promised bounds, whatever the durations and however they are merged."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from context_bus.bus.histogram import bucket_of, merged, middle_of, percentile_of

#: Share by which a percentile may differ.
BOUND = 0.051
durations = st.floats(min_value=2e-6, max_value=3600.0)


def counted(values: list[float]) -> dict[int, int]:
    """The histogram of some durations."""
    return merged({bucket_of(value): 1} for value in values)


@given(durations)
def test_bucket_stands_for_its_durations(seconds: float) -> None:
    """The middle of a bucket is within 5 % of all that falls into it."""
    assert abs(middle_of(bucket_of(seconds)) - seconds) <= BOUND * seconds


@given(st.lists(durations, min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_percentile_is_within_bounds(values: list[float], share: float) -> None:
    """It is that of the sorted list."""
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    found = percentile_of(counted(values), share)
    assert found is not None
    assert abs(found - true) <= BOUND * true


def test_merged_histograms_are_that_of_all() -> None:
    """Nodes report parts; the percentile is that of the whole."""
    values = [random.Random(7).lognormvariate(-7, 1) for _ in range(1000)]
    assert merged([counted(values[:300]), counted(values[300:])]) == counted(values)


def test_nothing_has_no_percentile() -> None:
    """None, not 0: a delay of nothing would be a lie."""
    assert percentile_of({}, 0.5) is None


def test_clock_that_went_back_counts_as_no_time() -> None:
    """The wall clock may be put back between sending and handling."""
    assert middle_of(bucket_of(-3.0)) == 1e-6
