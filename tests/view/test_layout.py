"""Boxes do not overlap, lines do not run through boxes, labels stand apart: whatever the graph."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context_bus.view.layering import crossings, layered
from context_bus.view.layout import Box, Layout, Link, Route, lay_out

#: Graphs as numbers of boxes and pairs of them.
GRAPHS = st.integers(1, 24).flatmap(
    lambda count: st.tuples(
        st.lists(st.tuples(st.integers(60, 220), st.integers(40, 90)), min_size=count, max_size=count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=40),
    )
)


def made(sizes: list[tuple[int, int]], pairs: list[tuple[int, int]]) -> tuple[list[Box], list[Link]]:
    boxes = [Box(f"b{number}", width, height) for number, (width, height) in enumerate(sizes)]
    return boxes, [Link(f"b{one}", f"b{other}", 80, 15) for one, other in pairs if one != other]


def rectangle(box: Box, layout: Layout) -> tuple[float, float, float, float]:
    x, y = layout.corners[box.name]
    return x, y, x + box.width, y + box.height


def label_of(route: Route) -> tuple[float, float, float, float]:
    x, y = route.label
    return x - 40, y - 7.5, x + 40, y + 7.5


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    slack = 0.01
    return all(one[axis] < other[axis + 2] - slack and other[axis] < one[axis + 2] - slack for axis in (0, 1))


@settings(max_examples=60, deadline=None)
@given(GRAPHS)
def test_boxes_labels_and_lines_keep_apart(
    graph: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    """No box covers a box or a label, no label a label, and no level piece of a line runs through a box."""
    boxes, links = made(*graph)
    layout = lay_out(boxes, links)
    solid = [rectangle(box, layout) for box in boxes]
    labels = [label_of(route) for route in layout.routes]
    assert not any(overlap(*pair) for pair in itertools.combinations([*solid, *labels], 2))
    for route in layout.routes:
        for one, other in itertools.pairwise(route.points):
            left, right = sorted((one[0], other[0]))
            level = (left, min(one[1], other[1]), right, max(one[1], other[1]) + 0.02)
            # A piece that bends does so between two layers, where no box is.
            assert not any(overlap(level, box) for box in solid if one[1] == other[1])
    for left, top, right, bottom in [*solid, *labels]:
        assert min(left, top) >= -0.01
        assert right <= layout.width + 0.01
        assert bottom <= layout.height + 0.01


@settings(max_examples=60, deadline=None)
@given(GRAPHS)
def test_a_line_touches_both_its_boxes(graph: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    """It begins on the side of its source and ends on the side of its target."""
    boxes, links = made(*graph)
    layout = lay_out(boxes, links)
    at = {box.name: rectangle(box, layout) for box in boxes}
    for link, route in zip(links, layout.routes, strict=True):
        for (x, y), name in ((route.points[0], link.source), (route.points[-1], link.target)):
            left, top, right, bottom = at[name]
            assert min(abs(x - left), abs(x - right)) < 0.01
            assert top < y < bottom


def test_a_chain_runs_straight_from_left_to_right() -> None:
    """Four services that start each other stand in one row, their lines level."""
    boxes, links = made([(100, 50)] * 4, [(0, 1), (1, 2), (2, 3)])
    layout = lay_out(boxes, links)
    xs, ys = zip(*(layout.corners[box.name] for box in boxes), strict=True)
    assert list(xs) == sorted(set(xs))
    assert len(set(ys)) == 1
    assert all(len({y for _, y in route.points}) == 1 for route in layout.routes)


def test_a_circle_is_drawn_with_one_line_back() -> None:
    """One of three lines runs from right to left, the others from left to right."""
    boxes, links = made([(100, 50)] * 3, [(0, 1), (1, 2), (2, 0)])
    back = [route.points[0][0] > route.points[-1][0] for route in lay_out(boxes, links).routes]
    assert back == [False, False, True]


def test_what_hangs_together_nowhere_stands_in_rows() -> None:
    """Twenty services without an edge are a table, not a line."""
    boxes, _ = made([(100, 50)] * 20, [])
    layout = lay_out(boxes, [])
    assert len({y for _, y in layout.corners.values()}) > 2
    assert 1 < layout.width / layout.height < 4


@pytest.mark.parametrize("count", [2, 5, 9])
def test_order_takes_crossings_away(count: int) -> None:
    """Lines that cross only because of the order of the file are untangled."""
    names = [f"{side}{number}" for number in range(count) for side in "ab"]
    edges = [(f"a{number}", f"b{count - 1 - number}") for number in range(count)]
    assert crossings(layered(names, edges)) == 0
