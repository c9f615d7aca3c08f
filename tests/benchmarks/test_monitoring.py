"""The benchmark of looking works on a few processes, so that it cannot rot."""

from __future__ import annotations

from tests.benchmarks.monitoring import measure


def test_every_row_is_measured() -> None:
    """Each costs something."""
    rows = dict(measure(2, 1, 0.0))
    assert len(rows) == 4
    assert min(rows.values()) > 0
