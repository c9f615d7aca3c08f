"""Percentiles of a list."""

from __future__ import annotations

import pytest

from context_bus.kernel.percentile import percentile


@pytest.mark.parametrize(
    ("share", "wanted"), [(50, 50.0), (90, 90.0), (99, 99.0), (99.9, 100.0), (100, 100.0), (0.1, 1.0)]
)
def test_percentile_is_the_nearest_rank(share: float, wanted: float) -> None:
    """The smallest value that so many percent do not exceed."""
    assert percentile([float(number) for number in range(1, 101)], share) == wanted
