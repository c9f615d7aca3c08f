"""How a table is laid out: which columns fit, how wide they are, what is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from context_bus.view.terminal import traffic
from context_bus.view.terminal.columns import Cell, fitted, line, place
from context_bus.view.terminal.service_columns import COLUMNS
from tests.view.made import topic


@given(st.integers(12, 300), st.integers(0, 60))
def test_columns_fit_whatever_the_width(width: int, longest: int) -> None:
    """They and the gaps between them are never wider than the terminal, and what is most important stays."""
    placed = place(COLUMNS, width, {"name": longest})
    assert sum(each.width for each in placed) + len(placed) - 1 + 2 <= max(width, 30)
    assert placed[0].column.name == "name"


def test_columns_go_in_the_order_of_what_matters() -> None:
    """Whoever has less room sees fewer of them, never others: each narrower choice is part of the wider."""
    before: set[str] = {each.name for each in COLUMNS}
    for width in range(200, 12, -1):
        names = {each.column.name for each in place(COLUMNS, width)}
        assert names <= before, width
        before = names
    assert before == {"name"}


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (40, ["name", "state", "uptime", "cpu", "rss"]),
        (
            80,
            [
                "name",
                "transaction",
                "state",
                "pid",
                "uptime",
                "restarts",
                "cpu",
                "cpu_curve",
                "rss",
                "messages",
            ],
        ),
    ],
)
def test_small_terminals_show_what_an_operator_asks_first(width: int, names: list[str]) -> None:
    """State, CPU and memory before anything else."""
    assert [each.column.name for each in place(COLUMNS, width)] == names


@given(st.text(), st.integers(0, 40), st.booleans())
def test_fitted_text_has_exactly_its_width(text: str, width: int, right: bool) -> None:
    """Also where characters take two cells, or none."""
    text = "".join(each for each in text if each.isprintable())
    assert cell_len(fitted(text, width, right=right)) == width


def test_cut_text_shows_that_it_was_cut() -> None:
    """An ellipsis stands where the rest would."""
    assert fitted("reports", 5) == "repo…"
    assert fitted("reports", 7) == "reports"


def test_last_cell_takes_the_place_of_those_that_are_missing() -> None:
    """Who has no figures has a reason, over all the columns that are left."""
    placed = place(COLUMNS, 80)
    segments = line([Cell("web"), Cell("T1"), Cell("fatal"), Cell("because " * 20)], placed, 80)
    text = "".join(each.text for each in segments)
    assert cell_len(text) == 80
    assert text.rstrip().endswith("…")
    assert text.count("because") > 5


def test_topics_fit_eighty_columns() -> None:
    """Topic, sender, rates, losses and delays; the rest is for wider terminals."""
    names = [each.column.name for each in place(traffic.COLUMNS, 80)]
    assert {"topic", "sender", "rate", "bytes", "lost", "p50", "p99"} <= set(names)
    assert traffic.longest_of([topic("a.long.topic", "me")]) == {"topic": 12, "sender": 2}
