"""Lines that are painted again only when they say something else. Knows Textual; must not know of what."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget


class Bars(Widget):
    """Some lines of text, of the whole width."""

    ALLOW_SELECT = False
    can_focus = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._bars: tuple[tuple[Segment, ...], ...] = ()

    def show(self, *bars: Sequence[Segment]) -> None:
        """Show these lines."""
        new = tuple(tuple(each) for each in bars)
        if new != self._bars:
            self._bars = new
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Make one line of the screen."""
        width = self.size.width
        if y >= len(self._bars):
            return Strip.blank(width)
        return Strip(self._bars[y]).adjust_cell_length(width)
