"""Columns of a table: what stands in them, which of them fit, how a line of them is laid out. Pure.

Columns that do not fit are left out whole, the least important first; what is left over goes to the columns
that can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

R = TypeVar("R")

#: Cells between two columns.
GAP = 1
#: Cells left and right of a line.
EDGE = 1
#: What shows that text was cut.
ELLIPSIS = "…"
PLAIN = Style()


class Cell(NamedTuple):
    """What stands in one column of one line."""

    text: str
    style: Style = PLAIN


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a table of things.

    Args:
        name: By which it is sorted and known.
        title: What stands above it.
        cell: What of a thing stands in it, given the width.
        width: Cells that it takes at least.
        weight: How important it is; the lowest is left out last.
        most: Cells that it may take at most; 0 for no more than ``width``.
        right: Whether it is aligned at its right, as numbers are.
        key: What it is sorted by; None if it is not.
        largest_first: Whether sorting by it begins with the largest.
        fits: Whether it is as wide as its longest text, between ``width`` and ``most``.
    """

    name: str
    title: str
    cell: Callable[[R, int], Cell]
    width: int
    weight: int
    most: int = 0
    right: bool = False
    key: Callable[[R], object] | None = None
    largest_first: bool = False
    fits: bool = False


def figures_column(
    name: str,
    title: str,
    cell: Callable[[R, int], Cell],
    key: Callable[[R], float],
    *,
    width: int,
    weight: int,
) -> Column[R]:
    """A column of numbers: aligned at their right, and sorted with the largest first."""
    return Column(name, title, cell, width, weight, right=True, key=key, largest_first=True)


class Placed(NamedTuple, Generic[R]):
    """A column with the width that it got."""

    column: Column[R]
    width: int


def place(
    columns: Sequence[Column[R]], width: int, longest: Mapping[str, int] | None = None
) -> tuple[Placed[R], ...]:
    """Choose the columns that fit, and their widths.

    Args:
        columns: All, in their order.
        width: Cells of a line.
        longest: Cells of the longest text of columns that fit theirs, by name.
    """
    wanted = {each.name: _wanted(each, longest or {}) for each in columns}
    left = width - 2 * EDGE + GAP
    chosen: list[Column[R]] = []
    for column in sorted(columns, key=lambda each: each.weight):
        need = wanted[column.name] + GAP
        if need > left and chosen:
            break
        chosen.append(column)
        left -= need
    placed = [column for column in columns if column in chosen]
    extra = _share(placed, wanted, max(0, left))
    return tuple(Placed(each, max(1, wanted[each.name] + extra.get(each.name, 0))) for each in placed)


def _wanted(column: Column[R], longest: Mapping[str, int]) -> int:
    if not column.fits:
        return column.width
    return max(column.width, min(column.most, longest.get(column.name, 0)))


def _share(placed: Sequence[Column[R]], wanted: Mapping[str, int], left: int) -> dict[str, int]:
    """Give what is left to those that can use it, in equal parts."""
    extra: dict[str, int] = {}
    takers = [each for each in placed if each.most > wanted[each.name] and not each.fits]
    while takers and left > 0:
        part = max(1, left // len(takers))
        for each in list(takers):
            more = min(part, left, each.most - wanted[each.name] - extra.get(each.name, 0))
            extra[each.name] = extra.get(each.name, 0) + more
            left -= more
            if wanted[each.name] + extra[each.name] >= each.most:
                takers.remove(each)
    return extra


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Text of exactly so many cells; what is too long is cut and shows it."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ELLIPSIS if width > 1 else set_cell_size(text, width)
    return " " * (width - length) + text if right else text + " " * (width - length)


def line(cells: Sequence[Cell], placed: Sequence[Placed[R]], width: int) -> list[Segment]:
    """Lay out the cells of one thing.

    The last cell takes all that is left if there are fewer cells than columns: who has no figures has a
    reason instead.
    """
    segments, used = [Segment(" " * EDGE)], EDGE
    for index, (cell, (column, cells_wide)) in enumerate(zip(cells, placed, strict=False)):
        is_last = index == len(cells) - 1
        if is_last and len(cells) < len(placed):
            cells_wide = max(1, width - used - EDGE)
        text = fitted(cell.text, cells_wide, right=column.right and len(cells) == len(placed))
        segments.append(Segment(text, cell.style))
        used += cells_wide
        if not is_last:
            segments.append(Segment(" " * GAP))
            used += GAP
    segments.append(Segment(" " * max(0, width - used)))
    return segments


def by_column(things: Sequence[R], column: Column[R], *, inverted: bool = False) -> list[R]:
    """Things in the order of a column; equals keep the order that they had."""
    key = column.key
    if key is None:
        return list(things)
    return sorted(things, key=key, reverse=column.largest_first != inverted)  # type: ignore[arg-type]
