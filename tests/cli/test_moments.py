"""Times as people say them."""

from __future__ import annotations

from datetime import datetime

import click
import pytest

from context_bus.cli.moments import check_range, fitting_step, parse_moment

#: A day without a change of clocks anywhere: 10:30 on 14 January 2026, local time.
NOW = datetime(2026, 1, 14, 10, 30).timestamp()


def at(*parts: int) -> float:
    """Local time as seconds since the epoch."""
    return datetime(*parts).timestamp()  # type: ignore[arg-type]  # year, month, day and so on


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("1h", NOW - 3600),
        ("-1h30m", NOW - 5400),
        ("90", NOW - 90),
        ("7d ago", NOW - 7 * 86400),
        ("10:15", at(2026, 1, 14, 10, 15)),
        ("9:05:30", at(2026, 1, 14, 9, 5, 30)),
        ("22:00", at(2026, 1, 13, 22)),
        ("today", at(2026, 1, 14)),
        ("Yesterday", at(2026, 1, 13)),
        ("2026-01-02", at(2026, 1, 2)),
        ("2026-01-02 03:04", at(2026, 1, 2, 3, 4)),
        ("2026-01-02T03:04:05", at(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02T03:04:05Z", 1767323045.0),
        ("2026-01-02T03:04:05+02:00", 1767315845.0),
        ("@1767315845.5", 1767315845.5),
    ],
)
def test_moment_is_what_people_mean(text: str, moment: float) -> None:
    """Ago, of today, of any day."""
    assert parse_moment(text, NOW) == pytest.approx(moment)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "1y", "@", "12:60", "noon ago"])
def test_what_is_no_moment_is_refused_with_what_was_expected(text: str) -> None:
    """One line with examples."""
    with pytest.raises(ValueError, match="expected a time ago such as 90s, 1h30m or 7d"):
        parse_moment(text, NOW)


def test_time_that_ends_before_it_begins_is_refused() -> None:
    """An empty one, too."""
    with pytest.raises(click.UsageError, match="--since must be before --until"):
        check_range(5.0, 5.0)


@pytest.mark.parametrize(
    ("seconds", "count", "step"),
    [(3600, 60, 60), (3601, 60, 120), (7 * 86400, 300, 3600), (1, 60, 1), (1e9, 300, 39 * 86400)],
)
def test_step_fits(seconds: float, count: int, step: float) -> None:
    """No more parts than asked for, each of a length that people think in."""
    assert fitting_step(seconds, count) == step
