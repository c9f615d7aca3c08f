"""The line that reminds of the keys, and does what they do when it is clicked. Knows Textual."""

from __future__ import annotations

from textual import events

from context_bus.view.terminal.bars import Bars
from context_bus.view.terminal.keys import Hint, hint_bar


class KeyBar(Bars):
    """Some keys and what they do."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ends: list[tuple[int, str]] = []

    def remind(self, hints: tuple[Hint, ...]) -> None:
        """Show those of the hints that fit."""
        segments, self._ends = hint_bar(hints, self.size.width)
        self.show(segments)

    async def on_click(self, event: events.Click) -> None:
        """Do what the hint that was clicked says."""
        action = next((action for end, action in self._ends if event.x < end), "")
        if action:
            await self.app.run_action(action)
