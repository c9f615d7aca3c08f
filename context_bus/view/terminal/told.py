"""What other threads have to tell the live view. Knows Textual's word for a message."""

from __future__ import annotations

from textual.message import Message

from context_bus.view.snapshot import Snapshot


class Refreshed(Message):
    """A snapshot has come."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class Settled(Message):
    """What became of an order."""

    def __init__(self, words: str, *, is_bad: bool) -> None:
        super().__init__()
        self.words, self.is_bad = words, is_bad
