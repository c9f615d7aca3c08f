"""A table that changes every second and paints only what changed. Knows Textual; must not know of what.

The table of Textual renders every cell that is visible again when one has changed, which at 50 services and
one look a second costs ten times what all the rest does. Here a line is the unit: it is made again when its
cells are others than before, and only then.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from context_bus.view.terminal.columns import EDGE, GAP, Cell, Column, Placed, fitted, line

R = TypeVar("R")

#: How the chosen line looks: in every colour scheme, and without colours, too.
CURSOR = Style(reverse=True)
HEADING = Style(bold=True, underline=True)
GROUP = Style(bold=True)
#: Shows by which column the table is sorted, and that it is inverted.
SORTED, INVERTED = "▾", "▴"


class Line(NamedTuple):
    """One line: the cells of a thing, or a heading, which cannot be chosen."""

    key: Hashable
    cells: tuple[Cell, ...]
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class Sorting:
    """By which column a table is sorted; empty for none."""

    name: str = ""
    inverted: bool = False


class Table(ScrollView, Generic[R], can_focus=True):
    """Lines under fixed titles, one of which is chosen and stays so when the order changes."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "end(-1)", "First", show=False),
        Binding("end,G", "end(1)", "Last", show=False),
    ]

    class Chosen(Message):
        """Another line is chosen."""

    class Resized(Message):
        """There is more room, or less."""

    class TitleClicked(Message):
        """Somebody clicked the title of a column."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    #: What stands there if there is no line.
    empty = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._placed: tuple[Placed[R], ...] = ()
        self._sorted = Sorting()
        self._lines: tuple[Line, ...] = ()
        self._cursor: Hashable = None
        self._index: int = -1

    # -- what is shown ---------------------------------------------------------------------------

    @property
    def cursor(self) -> Hashable:
        """Key of the chosen line; None if there is none."""
        return self._cursor if self._index >= 0 else None

    @property
    def sortable(self) -> tuple[str, ...]:
        """Names of the columns that are seen and can be sorted by, in order."""
        return tuple(column.name for column, _ in self._placed if column.key is not None)

    def show(self, placed: tuple[Placed[R], ...], lines: Sequence[Line], sorting: Sorting) -> None:
        """Show these lines; paints those that are not as they were."""
        before, self._lines = self._lines, tuple(lines)
        is_same = (placed, sorting) == (self._placed, self._sorted)
        self._placed, self._sorted = placed, sorting
        was, self._index = self._index, self._find_cursor()
        size = Size(self.size.width, len(lines) + 1)
        if size != self.virtual_size:
            self.virtual_size = size
        if not is_same or not before or not lines:
            self.refresh()
        else:
            changed = {index for index, each in enumerate(lines) if not _is_at(before, index, each)}
            changed |= set(range(len(lines), len(before)))
            changed |= {was, self._index} if was != self._index else set()
            self._paint(changed)
        if was != self._index:
            self._follow()

    def choose(self, key: Hashable) -> None:
        """Choose the line of this key, if there is one."""
        index = next((i for i, each in enumerate(self._lines) if each.key == key), -1)
        if index >= 0:
            self._choose(index)

    def _find_cursor(self) -> int:
        """Where the chosen line is now; if it is gone, the one that took its place."""
        for index, each in enumerate(self._lines):
            if each.key == self._cursor and not each.is_heading:
                return index
        start, end = max(0, min(self._index, len(self._lines) - 1)), len(self._lines)
        for index in itertools.chain(range(start, end), range(start - 1, -1, -1)):
            if not self._lines[index].is_heading:
                self._cursor = self._lines[index].key
                self.post_message(self.Chosen())
                return index
        return -1

    def _paint(self, indices: set[int]) -> None:
        top, height = int(self.scroll_offset.y), self.size.height
        regions = [
            Region(0, y, self.size.width, 1)
            for index in sorted(indices)
            if 0 < (y := index + 1 - top) < height
        ]
        if regions:
            self.refresh(*regions)

    # -- choosing --------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Choose the next line, or the one before."""
        index = self._index + step
        while 0 <= index < len(self._lines):
            if not self._lines[index].is_heading:
                self._choose(index)
                return
            index += step
        if step < 0:  # headings above the first line are worth seeing
            self.scroll_to(y=0, animate=False)

    def action_page(self, step: int) -> None:
        """Choose a line one screen on."""
        self._choose_near(self._index + step * max(1, self.size.height - 2), step)

    def action_end(self, step: int) -> None:
        """Choose the first line or the last."""
        self._choose_near(len(self._lines) - 1 if step > 0 else 0, -step)

    def _choose_near(self, index: int, step: int) -> None:
        """Choose a line, or the nearest one; from headings first on, then back."""
        index = max(0, min(index, len(self._lines) - 1))
        for way in (step, -step):
            candidate = index
            while 0 <= candidate < len(self._lines):
                if not self._lines[candidate].is_heading:
                    self._choose(candidate)
                    return
                candidate += way

    def _choose(self, index: int) -> None:
        was, self._index = self._index, index
        self._cursor = self._lines[index].key
        self._paint({was, index})
        self._follow()
        self.post_message(self.Chosen())

    def _follow(self) -> None:
        """Scroll so that the chosen line is seen, and a heading right above it, too."""
        height = self.size.height - 1
        if self._index < 0 or height <= 0:
            return
        first = self._index - 1 if self._index and self._lines[self._index - 1].is_heading else self._index
        top = self.scroll_offset.y
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif self._index >= top + height:
            self.scroll_to(y=self._index - height + 1, animate=False)

    def on_click(self, event: events.Click) -> None:
        """Choose the line that was clicked; of a title, tell."""
        if event.y == 0:
            if name := self._column_at(event.x):
                self.post_message(self.TitleClicked(name))
            return
        index = event.y - 1 + self.scroll_offset.y
        if 0 <= index < len(self._lines) and not self._lines[index].is_heading:
            self._choose(index)

    def _column_at(self, x: int) -> str:
        at = EDGE
        for column, width in self._placed:
            if x < at + width + GAP:
                # A curve stands beside its figure, and is sorted by it.
                return column.name.removesuffix("_curve")
            at += width + GAP
        return ""

    # -- painting --------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Go on with the chosen line in view, and let others choose the columns that fit."""
        self._follow()
        self.post_message(self.Resized())

    def render_line(self, y: int) -> Strip:
        """Make one line of the screen."""
        width = self.size.width
        if y == 0:
            return self._titles(width)
        index = y - 1 + self.scroll_offset.y
        if index >= len(self._lines):
            if not self._lines and y == 2:
                return Strip([Segment(fitted(f"  {self.empty}", width), Style(dim=True))], width)
            return Strip.blank(width)
        return self._line(self._lines[index], width, is_chosen=index == self._index)

    def _line(self, what: Line, width: int, *, is_chosen: bool) -> Strip:
        if what.is_heading:
            text, style = what.cells[0]
            return Strip([Segment(fitted(f" {text}", width), GROUP + style)], width)
        segments = line(what.cells, self._placed, width)
        if is_chosen:
            # Colours of their own would make a patchwork of it; bold and dim stay.
            segments = [Segment(each.text, CURSOR) for each in segments]
        return Strip(segments, width)

    def _titles(self, width: int) -> Strip:
        titles = (" " * GAP).join(self._title(column, wide) for column, wide in self._placed)
        return Strip([Segment(fitted(" " * EDGE + titles, width), HEADING)], width)

    def _title(self, column: Column[R], width: int) -> str:
        title = column.title
        if column.name == self._sorted.name:
            sign = INVERTED if self._sorted.inverted else SORTED
            title = sign + title if column.right else title + sign
            if len(title) > width:
                title = title[: width - 1] + sign if not column.right else sign + title[1:width]
        return fitted(title, width, right=column.right)


def _is_at(lines: tuple[Line, ...], index: int, what: Line) -> bool:
    return index < len(lines) and lines[index] == what
