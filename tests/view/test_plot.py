"""What is drawn: lines with gaps, marks of what happened, services told apart."""

from __future__ import annotations

import json

import pytest

from context_bus.monitor.buckets import Bucket, Figures
from context_bus.store.remembered import EventRow
from context_bus.view.marks import Mark, MarkKind, marks_of
from context_bus.view.plot import COLOURS, Curve, Plot, figure_of


def changed(at: float, service_id: str, old: str, new: str, transaction: str = "T") -> EventRow:
    """An event of a provider."""
    return EventRow(1, at, "service_changed", transaction, service_id, json.dumps({"old": old, "new": new}))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("defined", "starting", MarkKind.START),
        ("waiting", "starting", MarkKind.START),
        ("backoff", "starting", MarkKind.RESTART),
        ("stopped", "starting", MarkKind.RESTART),
        ("stopping", "stopped", MarkKind.STOP),
        ("ending", "exited", MarkKind.STOP),
        ("started", "failed", MarkKind.FAILURE),
        ("failed", "fatal", MarkKind.GIVEN_UP),
        ("created", "starting", None),
        ("starting", "started", None),
        ("failed", "backoff", None),
    ],
)
def test_mark_of_a_change(old: str, new: str, kind: MarkKind | None) -> None:
    """A failure is a failure; a start after one is a restart."""
    marks = list(marks_of([changed(5.0, "a", old, new)], "T", {"a"}, 0.0, 10.0))
    assert marks == ([Mark(5.0, "a", kind)] if kind else [])


def test_only_what_is_drawn_is_marked() -> None:
    """Of its services, its transaction, its time."""
    events = [
        changed(5.0, "b", "started", "failed"),
        changed(5.0, "a", "started", "failed", "T2"),
        changed(10.0, "a", "started", "failed"),
        EventRow(2, 5.0, "provider_ready", "T", "a", "{}"),
    ]
    assert list(marks_of(events, "T", {"a"}, 0.0, 10.0)) == []


def bucket(at: float, value: float) -> Bucket:
    """An interval."""
    figures = Figures(value, value + 1, value + 2, value + 3)
    return Bucket(at, 10, 0, figures, figures)


def test_no_line_goes_through_a_time_in_which_nobody_looked() -> None:
    """A gap of a minute among intervals of ten seconds makes two lines."""
    rows = [bucket(at, 1.0) for at in (*range(0, 100, 10), *range(200, 300, 10))]
    figure = figure_of(Plot("t", 0.0, 300.0, 10.0, [Curve("a", rows)]))
    cpu, memory = figure.axes
    assert len(cpu.lines) == len(memory.lines) == 2
    seldom = [bucket(at, 1.0) for at in range(0, 300, 60)]
    figure = figure_of(Plot("t", 0.0, 300.0, 10.0, [Curve("a", seldom)]))
    assert len(figure.axes[0].lines) == 1


def test_services_are_told_apart_by_colours_then_by_dashes() -> None:
    """No two lines look the same."""
    curves = [Curve(f"s{number}", [bucket(0.0, 1.0), bucket(10.0, 2.0)]) for number in range(12)]
    lines = figure_of(Plot("t", 0.0, 20.0, 10.0, curves)).axes[0].lines
    styles = {(line.get_color(), str(line.get_linestyle())) for line in lines}
    assert len(styles) == 12
    assert len({line.get_color() for line in lines}) == len(COLOURS)


@pytest.mark.parametrize(("count", "has_shades"), [(6, True), (7, False)])
def test_many_services_are_drawn_without_shades(count: int, has_shades: bool) -> None:
    """They would hide the lines; what is said above is what is shown."""
    curves = [Curve(f"s{number}", [bucket(0.0, 1.0), bucket(10.0, 2.0)]) for number in range(count)]
    cpu = figure_of(Plot("t", 0.0, 20.0, 10.0, curves)).axes[0]
    assert bool(cpu.collections) is has_shades
    assert ("shades" in cpu.get_title(loc="left")) is has_shades


def test_marks_stand_in_a_row_for_each_service_that_has_some() -> None:
    """A failure is a line through all that is above, a restart is not."""
    curves = [Curve(name, [bucket(0.0, 1.0), bucket(10.0, 2.0)]) for name in ("a", "b")]
    marks = [Mark(5.0, "b", MarkKind.FAILURE), Mark(6.0, "b", MarkKind.RESTART)]
    figure = figure_of(Plot("t", 0.0, 20.0, 10.0, curves, marks))
    cpu, _, strip = figure.axes
    assert [label.get_text() for label in strip.get_yticklabels()] == ["b"]
    assert len(strip.collections) == 2
    assert len(cpu.lines) == 3
